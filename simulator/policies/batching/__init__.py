"""Batching: how a replica puts its iterations together."""
