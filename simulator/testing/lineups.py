"""What every queue of a replica must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.core.rng import stream
from simulator.policies.serving import Lineup, lineups
from simulator.testing.running import made, run_all
from simulator.testing.services import alike, requests, said, unlike
from simulator.workload.requests import Request


def check_lineup(lineup: Any) -> None:
    """Put a queue of a replica (a name, an object or a class) through everything that ``LineupContract`` promises.

    >>> check_lineup("fcfs")
    """

    class Given(LineupContract):
        def make(self) -> Any:
            return lineup

    run_all(Given())


class LineupContract:
    """What every queue of a replica must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the lineup: a name, an object or a class."""
        raise NotImplementedError("return your lineup from make()")

    def test_holds_each_request_once(self) -> None:
        """Requests that come, go, leave early and come back: none is lost, none is there twice."""
        lineup = self._lineup()
        waiting: dict[Request, None] = {}
        _play(lineup, requests(200), waiting, lambda: _whole(lineup, waiting))

    def test_has_a_head_that_stays(self) -> None:
        """Asked again, or looked through, it names the same request, which waits."""
        lineup = self._lineup()
        waiting: dict[Request, None] = {}

        def look() -> None:
            if waiting:
                first = _head(lineup, waiting)
                list(lineup)
                assert _head(lineup, waiting) is first, "head changes when the queue is looked through"

        _play(lineup, requests(120, seed=4), waiting, look)

    def test_lets_everybody_in(self) -> None:
        """When nobody comes any more, everybody has a turn."""
        lineup, sent = self._lineup(), requests(60)
        for each in sent:
            lineup.add(each)
        turns = _drain(lineup)
        assert sorted(each.id for each in turns) == sorted(each.id for each in sent), "somebody never had a turn"

    def test_puts_who_was_preempted_before_its_equals(self) -> None:
        """Of requests that differ in nothing, who was preempted is let in again first, in the old order."""
        lineup, sent = self._lineup(), alike(6)
        for each in sent:
            lineup.add(each)
        first, second = _drain(lineup, 2)
        for each in (second, first):
            lineup.put_back(each)
        turns = [each.id for each in _drain(lineup, 2)]
        assert turns == [first.id, second.id], (
            f"{first.id!r} and {second.id!r} were let in, and preempted, the later one first; then {turns} were "
            "let in. Most likely put_back does the same as add"
        )

    def test_names_a_victim_that_runs(self) -> None:
        """``victim`` is one of those who run, also of a single one."""
        lineup, sent = self._lineup(), requests(30)
        for each in sent:
            lineup.add(each)
        running = _drain(lineup, 30)
        for count in (1, 2, 3, 10, 30):
            _victim(lineup, running[:count])

    def test_gives_the_same_order_again(self) -> None:
        """Two runs are equal, also when all requests are called something else, or generate something else."""
        original = self._turns(requests(150))
        assert original == self._turns(requests(150)), "two runs of the same requests differ"
        assert original == self._turns(requests(150, renamed=True)), (
            "the order changes with the names of the requests. Most likely it sorts by id: let ties go by the order in "
            "which they came"
        )
        assert original == self._turns([unlike(each, 9) for each in requests(150)]), (
            "the order depends on how many tokens requests will generate, which nobody knows before. Most likely it "
            "looks at request.output"
        )

    def test_hears_of_service(self) -> None:
        """``charge``, where there is one, bears any request, also one that came to decode and never waited."""
        lineup = self._lineup()
        charge = getattr(lineup, "charge", None)
        if charge is None:
            return
        sent = requests(20)
        for each in sent[:10]:
            lineup.add(each)
        for each in sent:
            charge(each, 0, 5)
        assert len(_drain(lineup)) == 10, "charge changed who waits"

    def test_changes_no_request(self) -> None:
        """Requests are read-only."""
        sent = requests(60)
        before = [said(each) for each in sent]
        lineup = self._lineup()
        _play(lineup, sent, {}, lambda: None)
        assert [said(each) for each in sent] == before, "it changed a request: requests are read-only"

    def _turns(self, sent: list[Request]) -> list[int]:
        lineup = self._lineup()
        turns: list[int] = []
        waiting: dict[Request, None] = {}
        _play(lineup, sent, waiting, lambda: turns.append(lineup.head().row if waiting else 0))
        return turns

    def _lineup(self) -> Lineup:
        lineup: Lineup = made(self.make(), lineups)
        return lineup


def _whole(lineup: Lineup, waiting: dict[Request, None]) -> None:
    there = list(lineup)
    assert len(lineup) == len(waiting), f"it says that {len(lineup)} wait; {len(waiting)} do"
    ours, theirs = sorted(map(id, waiting)), sorted(map(id, there))
    assert theirs == ours, f"looking through it shows {len(there)} requests, not the {len(waiting)} that wait"


def _head(lineup: Lineup, waiting: dict[Request, None]) -> Request:
    head = lineup.head()
    assert head in waiting, f"head is {head!r}, which does not wait"
    assert len(lineup) == len(waiting), (
        f"asked for its head, {head.id!r}, it has {len(lineup)} requests of {len(waiting)}. Most likely head takes the "
        "request out: that is what remove is for"
    )
    assert lineup.head() is head, f"head is {head.id!r}, and not so when asked again, though nobody came or left"
    return head


def _victim(lineup: Lineup, running: list[Request]) -> Request:
    victim = lineup.victim(running)
    assert any(victim is each for each in running), f"victim is {victim!r}, which does not run"
    return victim


def _drain(lineup: Lineup, count: int = 1 << 30) -> list[Request]:
    """Let so many in, or all."""
    taken: list[Request] = []
    while len(lineup) and len(taken) < count:
        request = lineup.head()
        lineup.remove(request)
        taken.append(request)
    return taken


def _play(lineup: Lineup, sent: list[Request], waiting: dict[Request, None], look: Callable[[], None]) -> None:
    """Let requests come, be let in, be charged, be preempted, leave; ``look`` after each of these."""
    draw = stream(6, "testing lineups")
    charge = getattr(lineup, "charge", None)
    running: list[Request] = []
    coming = list(reversed(sent))
    while coming or waiting:
        what = draw.random()
        if coming and (what < 0.45 or not waiting):
            request = coming.pop()
            lineup.add(request)
            waiting[request] = None
        elif what < 0.8 and waiting:
            request = _head(lineup, waiting)
            lineup.remove(request)
            del waiting[request]
            running.append(request)
            if charge is not None:
                charge(request, request.input, 0)
        elif what < 0.87 and waiting:
            request = list(waiting)[int(draw.integers(len(waiting)))]
            lineup.remove(request)
            del waiting[request]
        elif running and what < 0.94:
            request = _victim(lineup, running)
            if charge is not None:
                charge(request, 0, int(draw.integers(0, 50)))
            running.remove(request)
            lineup.put_back(request)
            waiting[request] = None
        elif running:
            running.pop(int(draw.integers(len(running))))
        look()
