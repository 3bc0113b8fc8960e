"""Logs of requests: columns in, requests out, and cuts that lose nothing without a word."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.core.rng import stream
from simulator.workload.requesthashes import Hashes
from simulator.workload.requestlog import RequestLog, texts
from simulator.workload.requests import Request
from simulator.workload.trace import SetAside


def log(**more: Any) -> RequestLog:
    """Four requests, 10 s apart, of two tenants."""
    hashes = more.pop("hashes", None)
    rest = {name: more.pop(name) for name in ("origin", "notes", "set_aside") if name in more}
    columns = {
        "arrival": np.array([0.0, 10.0, 20.0, 30.0]),
        "input": np.array([100, 200, 300, 400]),
        "output": np.array([1, 2, 3, 4]),
        "tenant": texts(["red", "blue", "red", "blue"]),
        **{name: np.asarray(column) for name, column in more.items()},
    }
    return RequestLog("log", columns, hashes, **rest)


def all_of(given: RequestLog) -> list[Request]:
    """All requests, those that wait for others right behind them."""
    source = given.requests("chat")

    def with_followers(request: Request) -> list[Request]:
        return [request, *(each for one in source.followers(request) for each in with_followers(one))]

    return [each for request in source for each in with_followers(request)]


def test_makes_requests_in_order_of_arrival() -> None:
    requests = list(log().requests("chat"))
    assert [each.id for each in requests] == ["chat-1", "chat-2", "chat-3", "chat-4"]
    assert [(each.arrival, each.input, each.output, each.tenant) for each in requests][1] == (10.0, 200, 2, "blue")
    assert [type(value) for value in (requests[0].arrival, requests[0].input, requests[0].row)] == [float, int, int]
    assert requests[0].units is not requests[1].units


def test_makes_fresh_requests_at_each_pass() -> None:
    source = log().requests("chat")
    first = next(iter(source))
    first.generated = 7
    assert next(iter(source)).generated == 0


def test_a_request_is_what_its_constructor_makes() -> None:
    made = next(iter(log().requests("chat", priority=2.0, limit=9)))
    by_hand = Request(id="chat-1", row=1, arrival=0.0, input=100, output=1, tenant="red", priority=2.0, limit=9)
    names = list(Request.__dataclass_fields__)
    assert repr([getattr(made, name) for name in names]) == repr([getattr(by_hand, name) for name in names])


def test_values_can_be_given_for_all() -> None:
    assert {each.category for each in log().requests("chat", category="batch")} == {"batch"}
    assert {each.category for each in log().with_values(category="batch", priority=1).requests()} == {"batch"}
    with pytest.raises(InputError, match=re.escape("a request of a log has no 'categroy'. Did you mean 'category'?")):
        log().requests("chat", categroy="x")
    with pytest.raises(InputError, match=r"priority: 'high' is not a number"):
        log().with_values(priority="high")


def test_requests_end_at_their_limit() -> None:
    note = "requests that generate no more than their limit, not all of their output: 2"
    cut = log().with_values(limit=2)
    assert cut.columns["output"].tolist() == [1, 2, 2, 2]
    assert cut.notes == (note,)
    assert cut.within_limits() is cut
    assert log().with_values(limit=4).notes == ()
    own = log(limit=[0, 1, 2, 9])
    assert own.within_limits().columns["output"].tolist() == [1, 1, 2, 4]
    assert [each.output for each in own.requests()] == [1, 1, 2, 4]
    assert [(each.output, each.limit) for each in log().requests(limit=3)] == [(1, 3), (2, 3), (3, 3), (3, 3)]
    assert [each.output for each in own.requests(limit=0)] == [1, 2, 3, 4]


def test_names_of_the_log_are_kept() -> None:
    named = log(id=texts(["a", "b", "c", "d"]), parent=[-1, 0, -1, 1])
    assert [each.id for each in all_of(named)] == ["a", "b", "d", "c"]


def test_requests_that_wait_come_after_those_they_wait_for() -> None:
    chained = log(parent=[-1, 0, -1, 0], delay=[0.0, 1.5, 0.0, 2.5])
    source = chained.requests("chat")
    assert [each.id for each in source] == ["chat-1", "chat-3"]
    assert len(source) == 4
    first, third = source
    assert [(each.id, each.arrival, each.delay) for each in source.followers(first)] == [
        ("chat-2", 10.0, 1.5), ("chat-4", 30.0, 2.5),
    ]  # fmt: skip
    assert source.followers(third) == ()


def test_chains_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match=r"row 2 waits for place 4, of 4"):
        log(parent=[-1, 4, -1, -1])
    with pytest.raises(InputError, match=r"row \d waits for itself, over the requests that it waits for"):
        log(parent=[-1, 2, 3, 1])


@given(st.lists(st.integers(-1, 12), min_size=1, max_size=13))
def test_chains_are_followed_to_the_end_or_refused(parents: list[int]) -> None:
    count = len(parents)
    parent = np.array([min(each, count - 1) for each in parents])
    reached = {place for place in range(count) if parent[place] < 0}
    for _ in range(count):
        reached |= {place for place in range(count) if parent[place] in reached}
    columns = {"arrival": np.zeros(count), "input": np.ones(count, int), "output": np.ones(count, int)}
    if len(reached) < count:
        with pytest.raises(InputError, match="waits for itself"):
            RequestLog("any", columns | {"parent": parent})
    else:
        made = [each.row for each in all_of(RequestLog("any", columns | {"parent": parent}))]
        assert sorted(made) == list(range(1, count + 1))


def test_hashes_go_with_their_requests() -> None:
    hashes = Hashes.of_counts(256, np.array([1, 1, 1, 2, 1, 3]), np.array([1, 1, 2, 2]))
    made = log(hashes=hashes)
    assert [(list(each.hashes), each.hash_block) for each in made.requests()][2] == ([1, 2], 256)
    assert [list(each.hashes) for each in made.where(tenant="blue").requests()] == [[1], [1, 3]]


def test_hashes_that_do_not_fit_a_prompt_are_refused() -> None:
    wrong = Hashes.of_counts(256, np.array([1, 1, 1, 2, 1, 3, 4]), np.array([1, 1, 2, 3]))
    with pytest.raises(InputError, match=r"log 'log', row 4: 3 hashes, but 400 tokens are 2 blocks of 256"):
        log(hashes=wrong)


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("arrival", [0, -1.0, 2, 3], "is not in order of arrival"),
        ("arrival", [-1.0, 0, 2, 3], "arrival in row 1 is -1, not a time from 0 to 1e+12 s"),
        ("arrival", [0, 1, 2, np.inf], "arrival in row 4 is inf"),
        ("arrival", [0, 1, np.nan, 3], "is not in order of arrival"),
        ("input", [1, 0, 1, 1], "input in row 2 is 0, not 1 token or more"),
        ("output", [1, 1, 1, -5], "output in row 4 is -5, not 1 token or more"),
        ("delay", [0, 0, -0.5, 0], "delay in row 3 is -0.5"),
        ("limit", [0, 0, -1, 0], "limit in row 3 is -1"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(column: str, values: list[float], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        log(**{column: values})


def test_sorts_stably() -> None:
    columns = {
        "arrival": np.array([5.0, 1.0, 5.0, 1.0]), "input": np.array([1, 2, 3, 4]), "output": np.ones(4, int),
        "parent": np.array([-1, 0, 1, -1]), "row": np.arange(1, 5),
    }  # fmt: skip
    made = RequestLog.sorted("any", columns)
    assert made.columns["input"].tolist() == [2, 4, 1, 3]
    assert made.columns["parent"].tolist() == [2, -1, -1, 0]


def test_cuts_count_what_they_leave_out() -> None:
    red = log().where(tenant="red")
    assert red.set_aside == (SetAside("tenant is not red", 2, (2, 4)),)
    assert [each.row for each in red.requests()] == [1, 3]
    assert log().limit(3).set_aside == (SetAside("after the first 3 requests", 1, (4,)),)
    assert red.rows_read == 4
    with pytest.raises(InputError, match=r"has no tenant 'rad'. Did you mean 'red'\?"):
        log().where(tenant="rad")


def test_who_waited_for_a_request_left_out_waits_for_nobody() -> None:
    cut = log(parent=[-1, 0, 1, 0]).where(tenant="blue")
    assert cut.columns["parent"].tolist() == [-1, -1]
    assert cut.notes == ("requests whose predecessor was left out, which wait for nobody: 2",)


def test_windows_count_from_their_start() -> None:
    dated = log(origin=datetime(2023, 11, 16, 18, 0, 0))
    cut = dated.between("2023-11-16 18:00:05", "25 s")
    assert cut.columns["arrival"].tolist() == [5.0, 15.0]
    assert cut.origin == datetime(2023, 11, 16, 18, 0, 5)
    with pytest.raises(InputError, match=r"log 'log' has no request in the window .* it runs from 0 s to 30 s"):
        log().between("1 h")


def test_scaled_arrivals_keep_the_delays_of_clients() -> None:
    scaled = log(delay=[0.0, 4.0, 0.0, 0.0]).scale_arrivals(2)
    assert scaled.columns["arrival"].tolist() == [0.0, 5.0, 10.0, 15.0]
    assert scaled.columns["delay"].tolist() == [0.0, 4.0, 0.0, 0.0]
    with pytest.raises(InputError, match=r"scale_arrivals: 0 is not a number above 0"):
        log().scale_arrivals(0)


@given(st.integers(0, 1000), st.floats(5.0, 40.0))
def test_resampled_chains_stay_within_their_block(seed: int, block: float) -> None:
    count = 30
    parent = np.where(np.arange(count) % 3 > 0, np.arange(count) - 1, -1)
    columns = {
        "arrival": np.arange(count) * 2.0, "input": np.arange(1, count + 1), "output": np.ones(count, int),
        "parent": parent,
    }  # fmt: skip
    before = RequestLog("any", columns)
    after = before.resample(block, stream(seed, "blocks"))
    for place, waits in enumerate(after.columns["parent"].tolist()):
        if waits >= 0:
            own, other = after.rows[place] - 1, after.rows[waits] - 1
            assert parent[own] == other
            assert after.columns["arrival"][place] - after.columns["arrival"][waits] == pytest.approx(
                before.columns["arrival"][own] - before.columns["arrival"][other]
            )


def test_says_what_it_is() -> None:
    assert repr(log().limit(1)) == "<RequestLog log: 1 request over 0 s, 3 rows set aside>"
    assert repr(log()) == "<RequestLog log: 4 requests over 30 s, 0 rows set aside>"
    assert log().limit(2).report() == (
        "log: 4 rows: 2 kept, 2 set aside\n  set aside 2: after the first 2 requests (rows 3, 4)"
    )
