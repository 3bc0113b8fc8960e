"""Queues of a replica: against plain sorted lists, fair queueing against the paper, and the kit that tests them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.policies.lineups.fcfs import Fcfs
from simulator.policies.lineups.priority import Priority
from simulator.policies.lineups.shortest_prompt import ShortestPrompt
from simulator.policies.lineups.vtc import Vtc
from simulator.policies.serving import Lineup, lineups
from simulator.testing import LineupContract, check_lineup
from simulator.workload.requests import Request


def request(name: str = "a", arrival: float = 0.0, **more: Any) -> Request:
    return Request(**{"id": name, "arrival": arrival, "input": 100, "output": 10} | more)


def turns(lineup: Lineup) -> list[str]:
    """Let everybody in."""
    order = []
    while len(lineup):
        order.append(lineup.head())
        lineup.remove(order[-1])
    return [each.id for each in order]


class TestBuiltIns(LineupContract):
    @pytest.fixture(autouse=True, params=lineups.names())
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param

    def make(self) -> Any:
        return self.name


# -- ranks ----------------------------------------------------------------------------------------------------------


def test_first_come_first_served() -> None:
    lineup, sent = Fcfs(), [request(name) for name in "abcd"]
    for each in sent:
        lineup.add(each)
    lineup.remove(sent[1])
    assert lineup.victim(sent[:3]) is sent[2]
    lineup.put_back(sent[1])
    assert turns(lineup) == ["b", "a", "c", "d"]


def test_higher_priorities_go_first_then_earlier_arrivals() -> None:
    lineup = Priority()
    for name, arrival, priority in (("a", 0, 0), ("b", 1, 5), ("c", 2, 5), ("d", 3, -1), ("e", 2, 5)):
        lineup.add(request(name, float(arrival), priority=float(priority)))
    assert turns(lineup) == ["b", "c", "e", "a", "d"]


def test_the_lowest_and_latest_is_preempted_and_keeps_its_place_among_its_equals() -> None:
    low = [request(name, float(at), priority=1.0) for at, name in enumerate("abc")]
    high = request("x", 9.0, priority=2.0)
    lineup = Priority()
    for each in (*low, high):
        lineup.add(each)
    assert [lineup.head() for _ in range(2)] == [high, high]
    for each in (high, low[0], low[1]):
        lineup.remove(each)
    assert lineup.victim([low[0], high, low[1]]) is low[1]
    lineup.put_back(low[1])
    assert turns(lineup) == ["b", "c"], "it came before c"


def test_of_equals_who_was_let_in_last_is_preempted() -> None:
    equal = [request(name) for name in "abc"]
    for lineup in (Priority(), ShortestPrompt()):
        assert lineup.victim([equal[0], equal[2], equal[1]]) is equal[1]


def test_short_prompts_go_first_whatever_was_generated() -> None:
    lineup, long, short = ShortestPrompt(), request("long", input=900), request("short", 1.0, input=20)
    lineup.add(long)
    lineup.add(short)
    assert lineup.head() is short
    lineup.remove(short)
    short.prompt, short.generated = 1000, 980
    assert lineup.victim([short, long]) is long
    lineup.put_back(short)
    assert turns(lineup) == ["short", "long"]


RANKS: dict[str, Any] = {
    "fcfs": lambda request: 0,
    "priority": lambda request: (-request.priority, request.arrival),
    "shortest-prompt": lambda request: (request.input, request.arrival),
}


class Plain:
    """A queue as a list that is sorted again and again."""

    def __init__(self, rank: Any) -> None:
        self.rank, self.entries, self.first, self.last = rank, [], 0, 0

    def enter(self, request: Request, back: bool) -> None:
        self.first, self.last = (self.first - 1, self.last) if back else (self.first, self.last + 1)
        self.entries.append((self.rank(request), self.first if back else self.last, request))
        self.entries.sort(key=lambda entry: entry[:2])

    def requests(self) -> list[Request]:
        return [entry[2] for entry in self.entries]

    def remove(self, request: Request) -> None:
        self.entries = [entry for entry in self.entries if entry[2] is not request]


STEPS = st.lists(
    st.tuples(st.sampled_from("++++<<-v"), st.integers(0, 3), st.integers(1, 3), st.integers(0, 50)), max_size=120
)


@given(name=st.sampled_from(list(RANKS)), steps=STEPS)
def test_they_are_as_a_sorted_list(name: str, steps: list[tuple[str, int, int, int]]) -> None:
    lineup, plain, running = lineups.get(name)(), Plain(RANKS[name]), []
    for index, (what, priority, size, pick) in enumerate(steps):
        waiting = plain.requests()
        if what == "+":
            sent = request(str(index), float(index // 4), priority=float(priority), input=size)
            lineup.add(sent)
            plain.enter(sent, back=False)
        elif what == "<" and waiting:
            assert lineup.head() is waiting[0]
            lineup.remove(waiting[0])
            plain.remove(waiting[0])
            running.append(waiting[0])
        elif what == "-" and waiting:
            gone = waiting[pick % len(waiting)]
            lineup.remove(gone)
            plain.remove(gone)
        elif what == "v" and running:
            victim = lineup.victim(running)
            worst = max(range(len(running)), key=lambda at: (RANKS[name](running[at]), at))
            assert victim is running[worst]
            running.remove(victim)
            lineup.put_back(victim)
            plain.enter(victim, back=True)
        assert list(lineup) == plain.requests()
        assert len(lineup) == len(plain.entries)


def test_nothing_piles_up_behind_a_head_that_stays() -> None:
    """Requests that come and leave early, behind one that waits, leave nothing behind."""
    lineup = Priority()
    lineup.add(request("first", priority=9.0))
    for index in range(5000):
        each = request(str(index), float(index))
        lineup.add(each)
        lineup.remove(each)
    assert len(lineup._heap) < 100
    assert turns(lineup) == ["first"]


# -- the virtual token counter ---------------------------------------------------------------------------------------


def test_the_tenant_that_has_had_least_is_next() -> None:
    lineup = Vtc()
    for name in ("a1", "a2", "a3", "b1", "b2"):
        lineup.add(request(name, tenant=name[0]))
    order = []
    for prompt, output in ((100, 0), (30, 40), (20, 0), (0, 6)):
        order.append(lineup.head())
        lineup.remove(order[-1])
        lineup.charge(order[-1], prompt, output)
    # counters before each: a 0, b 0; a 100, b 0; a 100, b 110; a 120, b 110
    assert [each.id for each in order] == ["a1", "b1", "a2", "b2"]
    assert (lineup.counter("a"), lineup.counter("b"), lineup.counter("c")) == (120.0, 122.0, 0.0)


def test_who_was_idle_is_lifted_to_the_least_of_those_who_wait() -> None:
    lineup = Vtc(wp=1.0, wq=2.0)
    first, second = request("a1", tenant="a"), request("b1", tenant="b")
    lineup.add(first)
    lineup.add(second)
    lineup.charge(first, 500, 0)
    lineup.charge(second, 700, 0)
    lineup.add(request("c1", tenant="c"))
    assert lineup.counter("c") == 500.0
    lineup.add(request("a2", tenant="a"))
    assert lineup.counter("a") == 500.0, "it waits already"
    lineup.remove(second)
    lineup.charge(first, 0, 300)
    lineup.add(request("b2", tenant="b"))
    assert lineup.counter("b") == 700.0, "more than the least, 500: no lift"


def test_when_nobody_waits_the_last_one_that_left_sets_the_level() -> None:
    lineup = Vtc()
    lineup.add(request("a1", tenant="a"))
    assert lineup.counter("a") == 0.0
    lineup.charge(lineup.head(), 80, 0)
    lineup.remove(lineup.head())
    lineup.add(request("b1", tenant="b"))
    assert lineup.counter("b") == 80.0


def test_shares_divide_what_counts() -> None:
    lineup = Vtc(shares={"a": 2.0})
    sent = [request(tenant, tenant=tenant) for tenant in "ab"]
    for each in sent:
        lineup.add(each)
    for each in sent:
        lineup.charge(each, 100, 50)
    assert (lineup.counter("a"), lineup.counter("b")) == (100.0, 200.0)


def test_requests_that_came_to_decode_only_count_too() -> None:
    lineup = Vtc()
    lineup.charge(request("elsewhere", tenant="a"), 0, 30)
    lineup.add(request("b1", tenant="b"))
    lineup.add(request("a1", tenant="a"))
    assert (lineup.counter("a"), lineup.counter("b")) == (60.0, 0.0)
    assert turns(lineup) == ["b1", "a1"]


def test_who_was_preempted_goes_before_its_own_tenants_requests_only() -> None:
    lineup = Vtc()
    for name in ("a1", "a2", "b1"):
        lineup.add(request(name, tenant=name[0]))
    first = lineup.head()
    lineup.remove(first)
    lineup.charge(first, 100, 0)
    assert lineup.victim([first]) is first
    lineup.put_back(first)
    assert turns(lineup) == ["b1", "a1", "a2"]


class Paper:
    """Algorithm 2 of Sheng et al. (OSDI 2024), word by word."""

    def __init__(self, wp: float, wq: float) -> None:
        self.wp, self.wq = wp, wq
        self.queue: list[Request] = []
        self.counters: dict[str, float] = {}
        self.last = ""

    def come(self, request: Request) -> None:
        counters, client = self.counters, request.tenant
        counters.setdefault(client, 0.0)
        if all(each.tenant != client for each in self.queue):
            if self.queue:
                counters[client] = max(counters[client], min(counters[each.tenant] for each in self.queue))
            elif self.last:
                counters[client] = max(counters[client], counters[self.last])
        self.queue.append(request)

    def earliest(self) -> Request:
        waiting = {each.tenant: None for each in self.queue}
        order = list(self.counters)
        client = min(waiting, key=lambda tenant: (self.counters[tenant], order.index(tenant)))
        return next(each for each in self.queue if each.tenant == client)

    def let_in(self, request: Request) -> None:
        self.counters[request.tenant] += self.wp * request.input
        self.queue.remove(request)
        self.last = request.tenant

    def decode(self, request: Request) -> None:
        self.counters[request.tenant] += self.wq


def serve(
    lineup: Vtc, paper: Paper, arrivals: list[list[tuple[int, int, int]]], memory: int
) -> Iterator[dict[str, float]]:
    """Serve with continuous batching, prompts charged when they are let in; yield what each tenant has had.

    ``arrivals``: of each step, tenant, prompt and output of those who come. A batch holds ``memory`` tokens.
    """
    running: dict[Request, int] = {}
    served: dict[str, float] = {}
    for step, coming in enumerate(arrivals):
        for tenant, prompt, output in coming:
            each = request(str(step), float(step), tenant=f"t{tenant}", input=prompt, output=output)
            lineup.add(each)
            paper.come(each)
            served.setdefault(each.tenant, 0.0)
        while len(lineup):
            head = lineup.head()
            assert head is paper.earliest(), "the paper lets in another"
            if sum(each.input + each.output for each in (*running, head)) > memory:
                break
            lineup.remove(head)
            lineup.charge(head, head.input, 0)
            paper.let_in(head)
            served[head.tenant] += paper.wp * head.input
            running[head] = 0
        for each in list(running):
            running[each] += 1
            lineup.charge(each, 0, 1)
            paper.decode(each)
            served[each.tenant] += paper.wq
            if running[each] >= each.output:
                del running[each]
        assert {tenant: lineup.counter(tenant) for tenant in paper.counters} == pytest.approx(paper.counters)
        yield dict(served)


LONGEST, MEMORY = 12, 40
CROWD = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, LONGEST), st.integers(1, 15)), max_size=4), max_size=60
)


@settings(max_examples=150)
@given(arrivals=CROWD, wp=st.sampled_from([1.0, 0.5]), wq=st.sampled_from([2.0, 1.0]))
def test_it_does_as_the_paper_and_keeps_its_bounds(
    arrivals: list[list[tuple[int, int, int]]], wp: float, wq: float
) -> None:
    """Lemma 4.3: counters of those who wait differ by at most U. Theorem 4.4: service while both wait, by 2 U."""
    lineup, paper = Vtc(wp, wq), Paper(wp, wq)
    bound = max(wp * LONGEST, wq * MEMORY)
    since: dict[tuple[str, str], float] = {}
    for served in serve(lineup, paper, [*arrivals, *[[]] * 60], MEMORY):
        waiting = sorted({each.tenant for each in paper.queue})
        counters = [lineup.counter(tenant) for tenant in waiting]
        assert not counters or max(counters) - min(counters) <= bound + 1e-9
        pairs = {pair: served[pair[0]] - served[pair[1]] for pair in combinations(waiting, 2)}
        since = {pair: since.get(pair, ahead) for pair, ahead in pairs.items()}
        assert all(abs(ahead - since[pair]) <= 2 * bound + 1e-9 for pair, ahead in pairs.items())


def test_first_come_first_served_does_not_keep_that_bound() -> None:
    """A tenant that floods the queue starves another one under fcfs, and not under vtc."""
    had = {}
    for name in ("fcfs", "vtc"):
        lineup: Any = lineups.get(name)()
        flood = [request(f"flood-{index}", tenant="flood") for index in range(50)]
        for each in (*flood, *[request(f"calm-{index}", 1.0, tenant="calm") for index in range(5)]):
            lineup.add(each)
        tenants = []
        for _ in range(10):
            head = lineup.head()
            lineup.remove(head)
            tenants.append(head.tenant)
            if name == "vtc":
                lineup.charge(head, 100, 10)
        had[name] = tenants.count("calm")
    assert had == {"fcfs": 0, "vtc": 5}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"wp": -1.0}, "wp is -1; a weight must be 0 or more"),
        ({"wq": math.inf}, "wq is inf; a weight must be 0 or more"),
        ({"shares": {"red": 0.0}}, "shares: red has 0; a share must be above 0"),
    ],
)
def test_weights_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match="must be") as told:
        Vtc(**arguments)
    assert str(told.value) == text


# -- queues of one's own ---------------------------------------------------------------------------------------------


class AtTheEnd(Fcfs):
    def put_back(self, request: Request) -> None:
        self.add(request)


class Popping(Fcfs):
    def head(self) -> Request:
        found = super().head()
        if len(self) > 1:
            self.remove(found)
        return found


class Doubling(Fcfs):
    def __iter__(self) -> Iterator[Request]:
        yield from super().__iter__()
        yield from super().__iter__()


class ByName(Priority):
    def __init__(self) -> None:
        super().__init__()
        self._rank = lambda request: request.id


class Prophet(Priority):
    def __init__(self) -> None:
        super().__init__()
        self._rank = lambda request: request.output


class Elsewhere(Fcfs):
    def victim(self, running: Any) -> Request:
        return next(iter(self), request())


class Marking(Fcfs):
    def add(self, request: Request) -> None:
        request.priority += 1.0
        super().add(request)


@pytest.mark.parametrize(
    ("lineup", "text"),
    [
        (AtTheEnd, "Most likely put_back does the same as add"),
        (Popping, "Most likely head takes the request out: that is what remove is for"),
        (Doubling, r"looking through it shows \d+ requests, not the \d+ that wait"),
        (ByName, "Most likely it sorts by id: let ties go by the order in which they came"),
        (Prophet, "Most likely it looks at request.output"),
        (Elsewhere, "which does not run"),
        (Marking, "it changed a request: requests are read-only"),
    ],
)
def test_broken_ones_are_told_what_is_wrong(lineup: Any, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_lineup(lineup)
