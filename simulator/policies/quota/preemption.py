"""Who must go so that a job gets its quota: the two algorithms of Kueue, on numbers alone.

Source: Kueue v0.19 (kubernetes-sigs/kueue ff69552), concept "Preemption", and KEP-1714 for fair sharing. Candidates are
jobs of other queues that borrow before those of the job's own queue, then the lowest priority, then the latest start.
Those found are let back in, last first, as far as the job still fits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.quota.records import EVERY, LOWER, LOWER_OR_NEWER, NEVER, Amounts, Flavoured
from simulator.policies.quota.tree import SLACK, Node, QuotaTree, Share
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
Strategy = Callable[[Share, Share, Share], bool]
"""Whether a job may go, by the share of the asking side with its job, and that of the other before and after."""


def final_share(asking: Share, before: Share, after: Share) -> bool:
    """Rule S2-a: the asking side ends with no larger a share than the other side ends with."""
    return asking.rank <= after.rank


def initial_share(asking: Share, before: Share, after: Share) -> bool:
    """Rule S2-b: the asking side ends with a smaller share than the other side has now."""
    return asking.rank < before.rank


STRATEGIES: Mapping[str, Strategy] = {
    "less-than-or-equal-to-final-share": final_share,
    "less-than-initial-share": initial_share,
}


def rules_of(names: Sequence[str]) -> tuple[Strategy, ...]:
    """Look up strategies by name; ``InputError`` for one that is unknown, or in an order that Kueue does not have."""
    for name in names:
        if name not in STRATEGIES:
            raise InputError(f"strategies name {name!r}. {did_you_mean(name, STRATEGIES)}")
    allowed = [["less-than-or-equal-to-final-share"], ["less-than-initial-share"], list(STRATEGIES)]
    if list(names) not in allowed:
        raise InputError(f"strategies are {list(names)}; they must be one of " + " or ".join(map(str, allowed)))
    return tuple(STRATEGIES[name] for name in names)


def classical_targets(tree: QuotaTree, asking: Claim, admitted: Admitted, fits: Fits) -> list[Claim]:
    """Jobs to stop so that ``asking`` is within quota and has a place; none when that cannot be done.

    Jobs of other queues are stopped only while these borrow. A job that would borrow itself stops others only as far
    as its queue's ``borrow`` lets it, or where it is nearer to the quota in the tree of cohorts.
    """
    policy, node = tree.records[asking.queue].preemption, tree.node(asking.queue)
    scarce = _scarce(node, asking.request)
    forbidden = policy.borrow == NEVER
    under = all(node.quotas[key].nominal > node.usage.get(key, 0.0) for key in scarce if key in node.quotas)
    own = [] if policy.within == NEVER else _stoppable(asking, admitted.get(asking.queue, ()), policy.within, scarce)
    beyond = not own and tree.would_borrow(asking.queue, asking.request)  # whoever else goes
    nearer, others = _over_the_way(tree, asking, admitted, scarce, forbidden and (beyond or not under))
    if not (nearer or others) or (forbidden and not under):
        attempts = [True]
    elif forbidden and not nearer:
        attempts = [False, True]
    else:
        attempts = [True, False]
    foreign, own = [*_ordered(nearer), *_ordered(others)], _ordered(own)
    kept_off = {id(claim) for claim in others if forbidden or _above_threshold(asking, claim, policy.threshold)}
    for borrow in attempts:
        if beyond and not borrow:
            continue
        candidates = [*(claim for claim in foreign if not (borrow and id(claim) in kept_off)), *own]
        targets = _enough(tree, asking, candidates, scarce, fits, borrow)
        if targets:
            return _let_back_in(tree, asking, targets, fits, borrow)
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
        _take_out(tree, claim, targets)
        if _within(tree, asking, borrow) and fits(targets):
            return targets
    _restore(tree, targets)
    return []


def fair_targets(
    tree: QuotaTree, asking: Claim, admitted: Admitted, fits: Fits, rules: Sequence[Strategy]
) -> list[Claim]:
    """Jobs to stop so that ``asking`` is within quota and has a place, by dominant resource shares.

    Whoever has the largest share gives first, if the rule allows it; a job within the nominal quota of its own queue
    gets it back whatever the shares are (``FairSharingPreemptWithinNominal``).
    """
    policy, node = tree.records[asking.queue].preemption, tree.node(asking.queue)
    scarce = _scarce(node, asking.request)
    entitled = not any(node.borrows(key, asking.request.get(key, 0.0)) for key in scarce)
    pool: list[Claim] = []
    if policy.within != NEVER:
        pool += _stoppable(asking, admitted.get(asking.queue, ()), policy.within, scarce)
    if policy.reclaim != NEVER and (pool or entitled or _could_win(tree, asking)):
        for other in tree.root(asking.queue).queues():
            if other is not node and any(other.borrows(key) for key in scarce):
                pool += _stoppable(asking, admitted.get(other.name, ()), policy.reclaim, scarce)
    if not pool:
        return []
    tree.add(asking.queue, asking.request)
    targets, left, done = _by_first_rule(tree, asking, pool, fits, rules[0], entitled)
    if not done and len(rules) > 1:
        done = _by_second_rule(tree, asking, left, targets, fits, rules[1])
    tree.remove(asking.queue, asking.request)
    if not done:
        _restore(tree, targets)
        return []
    return _let_back_in(tree, asking, targets, fits, True)


def _could_win(tree: QuotaTree, asking: Claim) -> bool:
    """Whether anybody has as large a share as the asking queue would have; in a tree of one level, else say yes."""
    root, node = tree.root(asking.queue), tree.node(asking.queue)
    if root.height != 1:
        return root.height > 1
    rank = tree.dominant_share(asking.queue, asking.request).rank
    return any(other.share().rank >= rank for other in root.children if other is not node)


def _by_first_rule(
    tree: QuotaTree, asking: Claim, pool: list[Claim], fits: Fits, rule: Strategy, entitled: bool
) -> tuple[list[Claim], list[Claim], bool]:
    """Return jobs to stop, those that the rule spared, and whether that is enough."""
    targets: list[Claim] = []
    spared: list[Claim] = []
    waiting = _by_queue(asking, pool)
    while (name := _largest(tree, asking.queue, waiting)) is not None:
        if entitled or name == asking.queue:
            _take_out(tree, waiting[name].pop(0), targets)
            if _fits_with(tree, asking, fits, targets):
                return targets, spared, True
            continue
        ours, theirs = _sides(tree, asking.queue, name)
        share, before = ours.share(), theirs.share()
        if share.rank > before.rank:  # no rule can hold for any job of this queue
            spared += waiting.pop(name)
            continue
        while waiting[name]:
            claim = waiting[name].pop(0)
            tree.remove(name, claim.request)
            if rule(share, before, theirs.share()):
                targets.append(claim)
                if _fits_with(tree, asking, fits, targets):
                    return targets, spared, True
                break
            tree.add(name, claim.request)
            spared.append(claim)
    return targets, spared, False


def _by_second_rule(
    tree: QuotaTree, asking: Claim, spared: list[Claim], targets: list[Claim], fits: Fits, rule: Strategy
) -> bool:
    """Stop at most one more job of each queue, by the rule that does not look at the job."""
    waiting = _by_queue(asking, spared)
    while (name := _largest(tree, asking.queue, waiting)) is not None:
        ours, theirs = _sides(tree, asking.queue, name)
        claim = waiting.pop(name)[0]
        if rule(ours.share(), theirs.share(), theirs.share()):
            _take_out(tree, claim, targets)
            if _fits_with(tree, asking, fits, targets):
                return True
    return False


def _largest(tree: QuotaTree, asking: str, waiting: Mapping[str, list[Claim]]) -> str | None:
    """The queue with candidates that the largest shares lead to, from the root down; None when there is none."""
    root = tree.root(asking)
    if root.is_queue:
        return asking if waiting.get(asking) else None
    node = tree.node(asking)
    return _largest_below(root, {id(above) for above in (node, *node.path())}, waiting)


def _largest_below(cohort: Node, asking: Collection[int], waiting: Mapping[str, list[Claim]]) -> str | None:
    ranked: list[tuple[tuple[float, float], int, str]] = []
    for order, child in enumerate(cohort.children):
        if child.is_queue and not waiting.get(child.name):
            continue
        share = child.share()
        if not share.borrows and id(child) not in asking:
            continue
        name = child.name if child.is_queue else _largest_below(child, asking, waiting)
        if name is not None:
            ranked.append((share.rank, -order, name))
    return max(ranked)[2] if ranked else None


def _sides(tree: QuotaTree, asking: str, other: str) -> tuple[Node, Node]:
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
                pool += _stoppable(asking, admitted.get(queue.name, ()), policy.reclaim, scarce)
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
    _, top = _sides(tree, asking, other)
    node = tree.node(other)
    return [node] if node is top else [node, *takewhile(lambda above: above is not top, node.path()), top]


def _scarce(node: Node, request: Amounts) -> tuple[Flavoured, ...]:
    return tuple(key for key, amount in request.items() if amount > node.available(key) + SLACK)


def _stoppable(asking: Claim, claims: Iterable[Claim], policy: str, scarce: Sequence[Flavoured]) -> list[Claim]:
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


def _ordered(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: (claim.job.priority, -claim.at, -claim.job.sequence))


def _by_queue(asking: Claim, pool: Iterable[Claim]) -> dict[str, list[Claim]]:
    queues: dict[str, list[Claim]] = {}
    for claim in _ordered(pool):
        queues.setdefault(claim.queue, []).append(claim)
    return queues


def _take_out(tree: QuotaTree, claim: Claim, targets: list[Claim]) -> None:
    tree.remove(claim.queue, claim.request)
    targets.append(claim)


def _restore(tree: QuotaTree, targets: Iterable[Claim]) -> None:
    for claim in targets:
        tree.add(claim.queue, claim.request)


def _within(tree: QuotaTree, asking: Claim, borrow: bool) -> bool:
    if not borrow and tree.would_borrow(asking.queue, asking.request):
        return False
    return tree.fits(asking.queue, asking.request)


def _fits_with(tree: QuotaTree, asking: Claim, fits: Fits, targets: Sequence[Claim]) -> bool:
    """Whether the request, which the tree counts as used already, is within quota, and has a place."""
    tree.remove(asking.queue, asking.request)
    good = tree.fits(asking.queue, asking.request)
    tree.add(asking.queue, asking.request)
    return good and fits(targets)


def _let_back_in(tree: QuotaTree, asking: Claim, targets: list[Claim], fits: Fits, borrow: bool) -> list[Claim]:
    """Spare those that need not go, last first; the last one found always goes. The tree is as it was."""
    kept = list(targets)
    for claim in reversed(targets[:-1]):
        fewer = [other for other in kept if other is not claim]
        tree.add(claim.queue, claim.request)
        if _within(tree, asking, borrow) and fits(fewer):
            kept = fewer
        else:
            tree.remove(claim.queue, claim.request)
    _restore(tree, kept)
    return kept
