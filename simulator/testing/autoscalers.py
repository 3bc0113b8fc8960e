"""What every autoscaler of a node pool must do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from simulator.policies.supply import Autoscaler, Grow, Remove, Replace, SupplyObservation, autoscalers
from simulator.runtime.supply.nodepool import NodePool
from simulator.testing.running import asked, made_scaler, run, run_all, told
from simulator.testing.situations import job, observations, servers
from simulator.testing.supply import fleets


def check_autoscaler(autoscaler: Any) -> None:
    """Put an autoscaler (a name, an object or a class) through everything that ``AutoscalerContract`` promises.

    >>> check_autoscaler("target-tracking")
    """

    class Given(AutoscalerContract):
        def make(self) -> Any:
            return autoscaler

    run_all(Given())


class AutoscalerContract:
    """What every autoscaler of a node pool must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the autoscaler: a name, an object or a class."""
        raise NotImplementedError("return your autoscaler from make()")

    def test_has_an_interval(self) -> None:
        """``interval`` is the time between two steps."""
        interval = getattr(self._autoscaler(), "interval", None)
        good = isinstance(interval, int | float) and 0 < interval < math.inf
        assert good, f"interval is {interval!r}; it must be a finite number of seconds above 0"

    def test_answers_with_a_number_of_nodes_or_actions(self) -> None:
        """Whatever it is told, ``step`` returns a whole number, 0 or more, or actions on what it was shown."""
        for wanted, seen in _answers(self._autoscaler()):
            if isinstance(wanted, list):
                _check_actions(wanted, seen)
                continue
            whole = hasattr(wanted, "__index__") and not isinstance(wanted, bool)
            assert whole, f"step returned {wanted!r} for {seen}; it must be a whole number of nodes, or actions"
            assert wanted >= 0, f"step returned {wanted!r} for {seen}; there are no negative nodes"

    def test_gives_the_same_answers_again(self) -> None:
        """It reads no clock and keeps nothing from one run to the next."""
        used = self._autoscaler()
        first, again = ([wanted for wanted, _ in _answers(used)] for _ in range(2))
        assert first == again, (
            "the same observations lead to other answers the second time. Most likely it keeps state (the times of its "
            "last changes, averages) without a method reset() that clears it, or reads the clock of the machine"
        )

    def test_grows_for_work_and_shrinks_without(self) -> None:
        """A burst brings nodes, a long pause takes them away, and no work is lost."""
        jobs = [job(f"burst-{i}", 0.0, 7200.0, 4.0) for i in range(12)] + [job("late", 1e6, 60.0, 4.0)]
        nodes = NodePool(self._autoscaler(), minimum=1, maximum=6, provision=120.0)
        _, record = told(lambda: run(jobs, "fifo", servers(6, 4), pool=nodes))
        left = [each.id for each in jobs if math.isnan(each.end)]
        assert not left, f"jobs {left} were left waiting on a pool that could have grown for them"
        series = record.tables["series"]
        up = dict(zip(series["time"].tolist(), series["capacity"].tolist(), strict=True))
        assert max(up.values()) > 4, "twelve jobs of one node each waited for hours, and no second node was asked for"
        night = [value for time, value in up.items() if time < 1e6][-1]
        assert night == 4, f"after days without work {night / 4:g} nodes were still up; the pool may go down to 1"

    def _autoscaler(self) -> Autoscaler:
        autoscaler: Autoscaler = made_scaler(self.make(), autoscalers)
        return autoscaler


def _answers(autoscaler: Autoscaler) -> list[tuple[Any, SupplyObservation]]:
    """What it wants after each of many observations in a row, one interval apart; actions as a list."""
    reset = getattr(autoscaler, "reset", None)
    if reset is not None:
        reset()
    seen = list(fleets(200) if getattr(autoscaler, "detailed", False) else observations(200))
    answers = [(asked(autoscaler, step * float(autoscaler.interval), each), each) for step, each in enumerate(seen)]
    return [(answer if hasattr(answer, "__index__") else _listed(answer), each) for answer, each in answers]


def _listed(answer: Any) -> Any:
    return list(answer) if isinstance(answer, Iterable) and not isinstance(answer, str) else answer


def _check_actions(actions: list[Any], seen: SupplyObservation) -> None:
    for action in actions:
        known = isinstance(action, Grow | Remove | Replace)
        assert known, f"step returned {action!r} among its actions; it must be a number of nodes, or actions"
        if isinstance(action, Grow | Replace):
            there = 0 <= action.group < len(seen.groups) and action.count >= 1
            assert there, f"step returned {action!r}; there are {len(seen.groups)} groups, and counts begin at 1"
        if isinstance(action, Remove | Replace):
            servers = [] if seen.nodes is None else seen.nodes.server.tolist()
            strange = [server for server in action.servers if server not in servers]
            assert not strange, f"step removes servers {strange}, which it was not shown; it was shown {servers}"
