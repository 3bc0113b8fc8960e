"""Lineups: the queue of one replica."""
