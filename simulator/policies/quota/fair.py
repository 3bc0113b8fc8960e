"""Who must go so that a job gets its quota, by dominant resource shares.

Source: Kueue v0.19 (kubernetes-sigs/kueue ff69552), concept "Preemption", and KEP-1714.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.quota.preemption import (
    Admitted,
    Claim,
    Fits,
    let_back_in,
    ordered,
    restore,
    scarce_of,
    sides,
    stoppable,
    take_out,
)
from simulator.policies.quota.records import NEVER
from simulator.policies.quota.tree import Node, QuotaTree, Share

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


def fair_targets(
    tree: QuotaTree, asking: Claim, admitted: Admitted, fits: Fits, rules: Sequence[Strategy]
) -> list[Claim]:
    """Jobs to stop so that ``asking`` is within quota and has a place, by dominant resource shares.

    Whoever has the largest share gives first, if the rule allows it; a job within the nominal quota of its own queue
    gets it back whatever the shares are (``FairSharingPreemptWithinNominal``).
    """
    policy, node = tree.records[asking.queue].preemption, tree.node(asking.queue)
    scarce = scarce_of(node, asking.request)
    entitled = not any(node.borrows(key, asking.request.get(key, 0.0)) for key in scarce)
    pool: list[Claim] = []
    if policy.within != NEVER:
        pool += stoppable(asking, admitted.get(asking.queue, ()), policy.within, scarce)
    if policy.reclaim != NEVER and (pool or entitled or _could_win(tree, asking)):
        for other in tree.root(asking.queue).queues():
            if other is not node and any(other.borrows(key) for key in scarce):
                pool += stoppable(asking, admitted.get(other.name, ()), policy.reclaim, scarce)
    if not pool:
        return []
    tree.add(asking.queue, asking.request)
    targets, left, done = _by_first_rule(tree, asking, pool, fits, rules[0], entitled)
    if not done and len(rules) > 1:
        done = _by_second_rule(tree, asking, left, targets, fits, rules[1])
    tree.remove(asking.queue, asking.request)
    if not done:
        restore(tree, targets)
        return []
    return let_back_in(tree, asking, targets, fits, True)


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
            take_out(tree, waiting[name].pop(0), targets)
            if _fits_with(tree, asking, fits, targets):
                return targets, spared, True
            continue
        ours, theirs = sides(tree, asking.queue, name)
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
        ours, theirs = sides(tree, asking.queue, name)
        claim = waiting.pop(name)[0]
        if rule(ours.share(), theirs.share(), theirs.share()):
            take_out(tree, claim, targets)
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


def _by_queue(asking: Claim, pool: Iterable[Claim]) -> dict[str, list[Claim]]:
    queues: dict[str, list[Claim]] = {}
    for claim in ordered(pool):
        queues.setdefault(claim.queue, []).append(claim)
    return queues


def _fits_with(tree: QuotaTree, asking: Claim, fits: Fits, targets: Sequence[Claim]) -> bool:
    """Whether the request, which the tree counts as used already, is within quota, and has a place."""
    tree.remove(asking.queue, asking.request)
    good = tree.fits(asking.queue, asking.request)
    tree.add(asking.queue, asking.request)
    return good and fits(targets)
