"""Who must go so that a job gets its quota, by priority and by who borrows; ``quota.fair`` goes by shares.

Source: Kueue v0.19 (kubernetes-sigs/kueue ff69552), concept "Preemption". Candidates are jobs of other queues that
borrow before those of the job's own queue, then the lowest priority, then the latest start. Those found are let back
in, last first, as far as the job still fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from simulator.policies.quota.records import EVERY, LOWER, LOWER_OR_NEWER, NEVER, Amounts, Flavoured
from simulator.policies.quota.tree import SLACK, Node, QuotaTree
from simulator.workload.jobs import Job


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A job and what it takes, or would take, of the quota of a queue; ``at`` is when it started (s)."""

    job: Job
    queue: str
    request: Amounts
    at: float = 0.0


Admitted = Mapping[str, Iterable[Claim]]
"""The jobs that run, by queue."""
Fits = Callable[[Sequence[Claim]], bool]
"""Whether there is a place for the job when these have gone."""


def classical_targets(tree: QuotaTree, asking: Claim, admitted: Admitted, fits: Fits) -> list[Claim]:
    """Jobs to stop so that ``asking`` is within quota and has a place; none when that cannot be done.

    Jobs of other queues are stopped only while these borrow. A job that would borrow itself stops others only as far
    as its queue's ``borrow`` lets it, or where it is nearer to the quota in the tree of cohorts.
    """
    policy, node = tree.records[asking.queue].preemption, tree.node(asking.queue)
    scarce = scarce_of(node, asking.request)
    forbidden = policy.borrow == NEVER
    under = all(node.quotas[key].nominal > node.usage.get(key, 0.0) for key in scarce if key in node.quotas)
    own = [] if policy.within == NEVER else stoppable(asking, admitted.get(asking.queue, ()), policy.within, scarce)
    beyond = not own and tree.would_borrow(asking.queue, asking.request)  # whoever else goes
    nearer, others = _over_the_way(tree, asking, admitted, scarce, forbidden and (beyond or not under))
    if not (nearer or others) or (forbidden and not under):
        attempts = [True]
    elif forbidden and not nearer:
        attempts = [False, True]
    else:
        attempts = [True, False]
    foreign, own = [*ordered(nearer), *ordered(others)], ordered(own)
    kept_off = {id(claim) for claim in others if forbidden or _above_threshold(asking, claim, policy.threshold)}
    for borrow in attempts:
        if beyond and not borrow:
            continue
        candidates = [*(claim for claim in foreign if not (borrow and id(claim) in kept_off)), *own]
        targets = _enough(tree, asking, candidates, scarce, fits, borrow)
        if targets:
            return let_back_in(tree, asking, targets, fits, borrow)
    return []


def _enough(
    tree: QuotaTree, asking: Claim, candidates: Sequence[Claim], scarce: Sequence[Flavoured], fits: Fits, borrow: bool
) -> list[Claim]:
    """Take candidates out of the tree in order until the job fits; if it never does, put them back and return none."""
    targets: list[Claim] = []
    paths: dict[str, list[Node] | None] = {asking.queue: []}
    for claim in candidates:
        if claim.queue not in paths:
            paths[claim.queue] = _path_below(tree, asking.queue, claim.queue)
        path = paths[claim.queue]
        if path is None or any(not any(node.borrows(key) for key in scarce) for node in path):
            paths[claim.queue] = None  # it has given back all that it had borrowed
            continue
        take_out(tree, claim, targets)
        if _within(tree, asking, borrow) and fits(targets):
            return targets
    restore(tree, targets)
    return []


def sides(tree: QuotaTree, asking: str, other: str) -> tuple[Node, Node]:
    """The two nodes below the nearest cohort that both queues are in."""
    ours, theirs = tree.node(asking), tree.node(other)
    above = {id(node): below for below, node in _pairs(ours)}
    for below, node in _pairs(theirs):
        if id(node) in above:
            return above[id(node)], below
    raise AssertionError(f"queues {asking!r} and {other!r} have no cohort in common")


def _pairs(node: Node) -> Iterator[tuple[Node, Node]]:
    below = node
    for above in node.path():
        yield below, above
        below = above


def _over_the_way(
    tree: QuotaTree, asking: Claim, admitted: Admitted, scarce: Sequence[Flavoured], nearer_only: bool
) -> tuple[list[Claim], list[Claim]]:
    """Candidates of other queues: those that ``asking`` is nearer to the quota than, and the rest if they count."""
    node, policy = tree.node(asking.queue), tree.records[asking.queue].preemption
    nearer: list[Claim] = []
    others: list[Claim] = []
    if policy.reclaim == NEVER:
        return nearer, others
    left = dict(asking.request)
    advantage = False
    done: Node = node
    for place in (node, *node.path()):
        if place is not node and (advantage or not nearer_only):
            pool = nearer if advantage else others
            for queue in _borrowing(place, done, scarce):
                pool += stoppable(asking, admitted.get(queue.name, ()), policy.reclaim, scarce)
        advantage = advantage or not any(place.borrows(key, amount) for key, amount in left.items())
        left = {key: max(0.0, amount - place.spare(key)) for key, amount in left.items()}
        done = place
    return nearer, others


def _borrowing(cohort: Node, seen: Node, scarce: Sequence[Flavoured]) -> Iterator[Node]:
    """Queues below a cohort that use more than their quota, in parts of the tree that do so too."""
    for child in cohort.children:
        if child is seen or not any(child.borrows(key) for key in scarce):
            continue
        if child.is_queue:
            yield child
        else:
            yield from _borrowing(child, seen, scarce)


def _path_below(tree: QuotaTree, asking: str, other: str) -> list[Node]:
    """The other queue and the cohorts above it, below the one that both are in."""
    _, top = sides(tree, asking, other)
    node = tree.node(other)
    return [node] if node is top else [node, *takewhile(lambda above: above is not top, node.path()), top]


def scarce_of(node: Node, request: Amounts) -> tuple[Flavoured, ...]:
    """What of a request is more than is available."""
    return tuple(key for key, amount in request.items() if amount > node.available(key) + SLACK)


def stoppable(asking: Claim, claims: Iterable[Claim], policy: str, scarce: Sequence[Flavoured]) -> list[Claim]:
    """The jobs of a queue that may be stopped and hold some of what is missing."""
    job = asking.job
    return [
        claim
        for claim in claims
        if _may_stop(job, claim.job, policy)
        and claim.job.preemptible
        and any(claim.request.get(key, 0.0) > 0 for key in scarce)
    ]


def _may_stop(asking: Job, other: Job, policy: str) -> bool:
    lower = asking.priority > other.priority
    if policy == LOWER:
        return lower
    if policy == LOWER_OR_NEWER:
        return lower or (asking.priority == other.priority and asking.submit < other.submit)
    return policy == EVERY


def _above_threshold(asking: Claim, claim: Claim, threshold: float) -> bool:
    return claim.job.priority >= asking.job.priority or claim.job.priority > threshold


def ordered(claims: Iterable[Claim]) -> list[Claim]:
    """The lowest priority first, then the latest start."""
    return sorted(claims, key=lambda claim: (claim.job.priority, -claim.at, -claim.job.sequence))


def take_out(tree: QuotaTree, claim: Claim, targets: list[Claim]) -> None:
    """Stop a job, for now only in the account."""
    tree.remove(claim.queue, claim.request)
    targets.append(claim)


def restore(tree: QuotaTree, targets: Iterable[Claim]) -> None:
    """Bring the account back to what is so."""
    for claim in targets:
        tree.add(claim.queue, claim.request)


def _within(tree: QuotaTree, asking: Claim, borrow: bool) -> bool:
    if not borrow and tree.would_borrow(asking.queue, asking.request):
        return False
    return tree.fits(asking.queue, asking.request)


def let_back_in(tree: QuotaTree, asking: Claim, targets: list[Claim], fits: Fits, borrow: bool) -> list[Claim]:
    """Spare those that need not go, last first; the last one found always goes. The tree is as it was."""
    kept = list(targets)
    for claim in reversed(targets[:-1]):
        fewer = [other for other in kept if other is not claim]
        tree.add(claim.queue, claim.request)
        if _within(tree, asking, borrow) and fits(fewer):
            kept = fewer
        else:
            tree.remove(claim.queue, claim.request)
    restore(tree, kept)
    return kept
