"""Algorithms of collectives: one file each, registered by name."""
