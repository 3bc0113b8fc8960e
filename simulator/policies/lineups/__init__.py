"""Lineups: in which order the requests that wait at a replica are let in."""
