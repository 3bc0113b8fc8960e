"""Batching: how a replica puts its iterations together."""

from __future__ import annotations

RESERVES = ("chunk", "checked", "prompt", "all")
"""KV blocks that a batching may take when a request is let in, as ``simulator.policies.serving.Batching`` says."""


def tokens(name: str, value: int) -> int:
    """Return ``value`` if it can be a number of tokens that an iteration computes; raise ``ValueError`` otherwise."""
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 token or more")
    return value
