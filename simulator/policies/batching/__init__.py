"""Batching: how a replica puts its iterations together."""

from __future__ import annotations


def tokens(name: str, value: int) -> int:
    """Return ``value`` if it can be a number of tokens that an iteration computes; raise ``ValueError`` otherwise."""
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 token or more")
    return value
