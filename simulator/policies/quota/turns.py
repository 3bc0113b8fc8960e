"""Whose turn it is among queues that share a cohort: the head of which queue is looked at next.

Source: Kueue v0.19 (kubernetes-sigs/kueue ff69552), ``scheduler.go`` (classical) and ``fair_sharing_iterator.go``.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.policies.quota.preemption import Claim
from simulator.policies.quota.tree import Node, QuotaTree

Turn = tuple[float, float, int]


def turn(claim: Claim) -> Turn:
    """Order of two claims with equal rights: priority, then submission."""
    job = claim.job
    return (-job.priority, job.submit, job.sequence)


def classical_order(tree: QuotaTree, heads: Mapping[str, Claim]) -> list[Claim]:
    """Heads of queues, those first that need not borrow, or from least far; then priority, then submission."""
    return sorted(heads.values(), key=lambda claim: (tree.borrowing_level(claim.queue, claim.request), *turn(claim)))


def fairest(tree: QuotaTree, heads: Mapping[str, Claim]) -> Claim:
    """The head that leaves its side with the smallest dominant resource share, decided from the leaves to the root.

    A side that would not borrow goes before one that would (``FairSharingPrioritizeNonBorrowing``).
    """
    first = next(iter(heads.values()))
    root = tree.root(first.queue)
    winner = first if root.is_queue else _winner(tree, root, heads)
    assert winner is not None, "a tree with a head has a winner"
    return winner


def _winner(tree: QuotaTree, cohort: Node, heads: Mapping[str, Claim]) -> Claim | None:
    best: tuple[bool, tuple[float, float], Turn] | None = None
    winner: Claim | None = None
    for child in cohort.children:
        claim = heads.get(child.name) if child.is_queue else _winner(tree, child, heads)
        if claim is None:
            continue
        tree.add(claim.queue, claim.request)
        share = child.share()
        borrows = any(child.borrows(key) for key, amount in claim.request.items() if amount > 0)
        tree.remove(claim.queue, claim.request)
        key = (borrows, share.rank, turn(claim))
        if best is None or key < best:
            best, winner = key, claim
    return winner
