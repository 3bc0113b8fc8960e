"""A heap of rows: each knows its key and its place, so that keys can change and rows be taken off.

Like all code of the sweep it keeps to what numba compiles (see ``sweep``).
"""

from __future__ import annotations

import math

from simulator.models.fairshare.net import Node


def put(nodes: list[Node], node: int, key: float, size: int) -> int:
    """Give a node a key: put it on the heap, move it there, or for infinity take it off; return the heap's size."""
    here = nodes[node]
    place = here.place
    if key == math.inf:
        if place < 0:
            return size
        size -= 1
        here.place = -1
        last = nodes[size].heap
        if last != node:
            if nodes[last].key < here.key:
                rise(nodes, last, place)
            else:
                sink(nodes, last, place, size)
        return size
    before = here.key
    here.key = key
    if place < 0:
        rise(nodes, node, size)
        return size + 1
    if key < before:
        rise(nodes, node, place)
    elif key > before:
        sink(nodes, node, place, size)
    return size


def rise(nodes: list[Node], node: int, place: int) -> None:
    """Put a node on the heap at a place, or nearer to the top as its key demands."""
    key = nodes[node].key
    while place > 0:
        above = (place - 1) >> 1
        other = nodes[above].heap
        if nodes[other].key <= key:
            break
        nodes[place].heap = other
        nodes[other].place = place
        place = above
    nodes[place].heap = node
    nodes[node].place = place


def sink(nodes: list[Node], node: int, place: int, size: int) -> None:
    """Put a node on the heap at a place, or farther from the top as its key demands."""
    key = nodes[node].key
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and nodes[nodes[below + 1].heap].key < nodes[nodes[below].heap].key:
            below += 1
        other = nodes[below].heap
        if nodes[other].key >= key:
            break
        nodes[place].heap = other
        nodes[other].place = place
        place = below
    nodes[place].heap = node
    nodes[node].place = place
