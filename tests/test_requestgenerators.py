"""Generators of requests: what they promise, and what queueing theory and the logs they imitate say of them."""

from __future__ import annotations

import csv
import math
import re
from typing import Any

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.testing import RequestGeneratorContract
from simulator.testing.requestgenerators import check_request_generator
from simulator.workload.likeness import dispersion, gap_cv, ks_distance, spearman
from simulator.workload.requestformats import read_requests
from simulator.workload.requestgenerators import (
    generate_requests,
    request_generator_options,
    request_generators,
)
from simulator.workload.requesthashes import prefix_reuse
from simulator.workload.requestlog import RequestLog

PARTS = {"chat": {"generate": "sessions", "share": 3}, "code": {"generate": "poisson", "input": 10}}
NEEDS: dict[str, dict[str, Any]] = {
    "profile": {"arrivals": {"cv": 2.0}},
    "mixed": {"parts": PARTS},
    "agents": {"fan_out": 2},
}
UNSTEADY = ("sessions", "agents", "mixed")
"""Requests of one session are sent between those of others, so that longer logs do not begin with shorter ones."""


@pytest.mark.parametrize("name", request_generators.names())
def test_every_generator_keeps_the_contract(name: str) -> None:
    check_request_generator(name, () if name in UNSTEADY else ("input", "output"), **NEEDS.get(name, {}))


class TestPoisson(RequestGeneratorContract):
    def make(self) -> Any:
        return "poisson"


def made(name: str, requests: int = 20_000, **options: Any) -> RequestLog:
    return generate_requests(name, requests=requests, **options)


def test_poisson_arrivals_are_what_theory_says() -> None:
    log = made(
        "poisson", 100_000, rate="50 /s", input={"lognormal": {"mean": 700, "cv": 0.5}}, output={"uniform": [3, 7]}
    )
    arrival, lengths = log.columns["arrival"], log.columns["input"]
    assert len(log) / log.span == pytest.approx(50, rel=0.01)
    assert gap_cv(arrival) == pytest.approx(1, rel=0.02)
    assert dispersion(arrival, 1.0) == pytest.approx(1, abs=0.08)
    assert lengths.mean() == pytest.approx(700, rel=0.01)
    assert lengths.std() / lengths.mean() == pytest.approx(0.5, rel=0.02)
    counts = np.bincount(log.columns["output"], minlength=8)[3:]
    assert counts == pytest.approx(20_000, rel=0.03)


def test_gamma_gaps_have_their_variation() -> None:
    arrival = made("profile", 100_000, rate=2.0, arrivals={"cv": 3.0}).columns["arrival"]
    assert gap_cv(arrival) == pytest.approx(3, rel=0.03)
    assert len(arrival) / arrival[-1] == pytest.approx(2, rel=0.03)


def test_switching_arrivals_have_the_dispersion_of_theory() -> None:
    """Variance over mean of counts in long windows of a process that is on or off (Fischer, Meier-Hellstern 1993)."""
    on, off, rate = 10.0, 30.0, 20.0
    arrival = made("profile", 400_000, rate=rate, arrivals={"on": "10 s", "off": "30 s"}).columns["arrival"]
    assert len(arrival) / arrival[-1] == pytest.approx(rate, rel=0.05)
    high, leave, come = rate * (on + off) / on, 1 / on, 1 / off
    window, decay = 20.0, leave + come
    excess = 2 * high * leave / decay**2 * (1 - (1 - math.exp(-decay * window)) / (decay * window))
    assert dispersion(arrival, window) == pytest.approx(1 + excess, rel=0.1)


def test_a_day_curve_is_followed() -> None:
    hours = [1.0] * 12 + [3.0] * 12
    log = made("profile", 200_000, rate="1 /s", arrivals={"hours": hours})
    afternoon = (log.columns["arrival"] % 86400) >= 43200
    whole = log.columns["arrival"] < 2 * 86400
    assert (afternoon & whole).sum() / whole.sum() == pytest.approx(0.75, abs=0.01)
    assert str(log.origin) == "2024-01-01 00:00:00"


def test_clumps_keep_the_rate() -> None:
    arrival = made("profile", 50_000, rate=5.0, arrivals={"clumps": {"mean": 4, "gap": "1 ms"}}).columns["arrival"]
    assert len(arrival) / arrival[-1] == pytest.approx(5, rel=0.03)
    assert (np.diff(arrival) < 0.01).mean() == pytest.approx(0.75, abs=0.02)


FITTED = {
    "chat-like": ("conv", {1.0: 1.33, 10.0: 3.47, 60.0: 15.1}, 1.08),
    "code-like": ("code", {1.0: 13.1, 10.0: 70.2, 60.0: 160.0}, None),
}


@pytest.mark.parametrize("name", FITTED)
def test_presets_burst_like_what_they_imitate(name: str) -> None:
    """Dispersion of counts, mean of ten samples as long as the log; a sample is a third off, easily."""
    _, wanted, cv = FITTED[name]
    logs = [made(name, 14_176 if name == "chat-like" else 7_300, seed=seed) for seed in range(10)]
    for window, value in wanted.items():
        found = [dispersion(log.columns["arrival"], window) for log in logs]
        assert np.mean(found) == pytest.approx(value, rel=0.25)
    if cv is not None:
        assert np.mean([gap_cv(log.columns["arrival"]) for log in logs]) == pytest.approx(cv, rel=0.03)


@pytest.mark.parametrize("name", FITTED)
def test_presets_have_the_lengths_of_what_they_imitate(name: str, shared: Any) -> None:
    service = FITTED[name][0]
    path = shared / "traces" / "azure_llm_2023" / f"AzureLLMInferenceTrace_{service}.first40min.csv"
    log = read_requests(path, "azure-llm")
    like = made(name, 50_000)
    for column in ("input", "output"):
        assert ks_distance(log.columns[column], like.columns[column]) < 0.035
        assert like.columns[column].mean() == pytest.approx(log.columns[column].mean(), rel=0.04)


def test_summaries_have_the_lengths_of_what_they_imitate(shared: Any) -> None:
    path = shared / "traces" / "arxiv_summarization_lengths" / "arxiv_summarization_lengths.first_half.csv"
    with path.open() as file:
        rows = np.array([[int(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    like = made("summarization-like", 50_000, rate="1 /s")
    input, output = like.columns["input"], like.columns["output"]
    assert ks_distance(rows[:, 0].astype(float), input) < 0.035
    assert ks_distance(rows[:, 1].astype(float), output) < 0.02
    assert (input + output).max() <= 4096
    assert spearman(input, output) == pytest.approx(-0.114, abs=0.03)


def test_burstiness_of_0_is_a_poisson_process() -> None:
    arrival = made("code-like", burstiness=0).columns["arrival"]
    assert gap_cv(arrival) == pytest.approx(1, rel=0.03)
    with pytest.raises(InputError, match="burstiness and arrivals contradict each other"):
        made("code-like", burstiness=2, arrivals={"cv": 2})


def test_a_log_without_arrivals_needs_a_rate() -> None:
    with pytest.raises(InputError, match=r"how often do requests come\? Give rate, such as '5 /s'"):
        made("summarization-like")


def test_each_turn_of_a_session_holds_all_that_was_said() -> None:
    log = made("sessions", 500, rate=1.0, seed=3, block=16, question=40, output={"uniform": [5, 90]}, think="2 s")
    source = log.requests("chat")
    turns = 0
    whole_ones = 0
    for first in source:
        begins = first.input == 256 + 40
        whole_ones += begins
        assert begins or first.input >= 256 + 40 + 5 + 40
        before, waiting = first, list(source.followers(first))
        while waiting:
            (turn,) = waiting
            assert turn.input == before.input + before.output + 40
            assert turn.delay == 2.0
            assert turn.arrival == pytest.approx(before.arrival + 2.0 + 0.02 * before.output)
            assert turn.session == before.session
            whole = before.input // 16
            assert list(turn.hashes[:whole]) == list(before.hashes[:whole])
            assert turn.hashes[whole] != before.hashes[-1] or before.input % 16 == 0
            before, waiting = turn, list(source.followers(turn))
            turns += 1
    assert turns > 200
    assert whole_ones > 100


def test_a_session_that_is_too_long_begins_anew() -> None:
    log = made("sessions", 400, rate=1.0, turns=20, system=100, question=50, output=50, longest=520, block=10)
    lengths = log.columns["input"]
    assert sorted({*lengths.tolist()}) == [150, 250, 350, 450]
    reuse = prefix_reuse(log)
    assert reuse is not None
    assert reuse.reused_tokens < reuse.tokens
    with pytest.raises(InputError, match=r"longest: a request of 100 tokens before, 50 of its own and 400 behind it"):
        made("sessions", 10, rate=1.0, system=100, question=50, output=400, longest=520)


def test_sessions_reuse_what_their_turns_share() -> None:
    """Of a chat of n turns of q + a tokens each all but the last q of each prompt was there before.

    The k-th turn has 2 k - 1 blocks and finds 2 k - 3; of one that comes first, as its chat began before, all are new.
    """
    log = made("sessions", 4000, rate=1.0, turns=4, system=0, question=64, output=64, block=64)
    reuse = prefix_reuse(log)
    assert reuse is not None
    first = log.columns["parent"] < 0
    blocks = log.columns["input"] // 64
    assert reuse.blocks == blocks.sum() == 1000 * (1 + 3 + 5 + 7)
    assert reuse.reused == (blocks[~first] - 2).sum()
    assert (blocks[first] > 1).sum() == sum(
        int(note.rpartition(" ")[2]) for note in log.notes if "before time 0" in note
    )


@pytest.mark.parametrize(
    ("name", "requests", "rate", "options"),
    [
        ("sessions", 2000, 40.0, {}),
        ("sessions", 12_000, 60.0, {}),
        ("agents", 6000, 40.0, {}),
        ("agents", 6000, 40.0, {"fan_out": 3}),
        ("mixed", 6000, 40.0, {"parts": {"chat": {"generate": "sessions"}, "tools": {"generate": "agents"}}}),
    ],
)
def test_sessions_come_at_their_rate_from_the_first_second_to_the_last(
    name: str, requests: int, rate: float, options: dict[str, Any]
) -> None:
    """Most sessions last longer than the log. A fifth of the log has its fifth of the requests, within 5 deviations."""
    log = made(name, requests, rate=rate, **options)
    assert len(log) / log.span == pytest.approx(rate, rel=0.01)
    counts = np.histogram(log.columns["arrival"], 5, (0, requests / rate))[0]
    assert counts.sum() == requests
    deviation = math.sqrt(requests / 5 * max(dispersion(log.columns["arrival"], 1.0), 1))
    assert abs(counts - requests / 5).max() < 5 * deviation
    halves = [log.columns["input"][part].mean() for part in (slice(requests // 4), slice(-(requests // 4), None))]
    assert halves[0] == pytest.approx(halves[1], rel=0.15)


def test_notes_state_the_rate_that_a_log_has() -> None:
    log = made("sessions", 2000, rate=40.0)
    assert log.notes[0] == f"generated: 2,000 requests in {log.span:.4g} s, {2000 / log.span:.4g} requests/s"
    assert log.notes[2:] == (
        "later requests of a session come as if answers took 20 ms a token, and later where they take longer",
    )
    assert made("poisson", 1, rate=1.0).notes == ("generated: 1 request",)
    unlike = made("profile", 1000, rate=1.0, arrivals={"on": "10 min", "off": "50 min"})
    assert unlike.notes[0].endswith(f", {1000 / unlike.span:.4g} requests/s")


def test_sessions_that_begin_in_bursts_keep_their_bursts() -> None:
    options: dict[str, Any] = {"rate": 5.0, "turns": 2, "think": "1 s", "output": 1}
    calm = made("sessions", 20_000, **options)
    bursty = made("sessions", 20_000, arrivals={"on": "1 min", "off": "5 min"}, **options)
    assert len(bursty) / bursty.span == pytest.approx(5.0, rel=0.15)
    assert dispersion(calm.columns["arrival"], 60.0) < 5
    assert dispersion(bursty.columns["arrival"], 60.0) > 100


def test_answers_take_the_time_that_they_are_taken_to_need() -> None:
    quick = made("sessions", 2000, rate=0.01, turns=4, think="3 s", output=100, answer="0 s")
    slow = made("sessions", 2000, rate=0.01, turns=4, think="3 s", output=100, answer="50 ms")
    for log, seconds in ((quick, 3.0), (slow, 8.0)):
        waits = np.flatnonzero(log.columns["parent"] >= 0)
        gaps = log.columns["arrival"][waits] - log.columns["arrival"][log.columns["parent"][waits]]
        assert gaps == pytest.approx(seconds)
        assert {*log.columns["delay"][waits].tolist()} == {3.0}
    with pytest.raises(InputError, match=r"answer: -1 is not the time that a token of an answer needs"):
        made("sessions", 10, rate=1.0, answer=-1)


def test_agents_wait_for_their_tools() -> None:
    log = made("agents", 300, rate=0.01, steps=3, system=128, task=64, result=32, output=64, tool="5 s", block=32)
    source = log.requests("agent")
    first = next(iter(source))
    (second,) = source.followers(first)
    (third,) = source.followers(second)
    assert [each.input for each in (first, second, third)] == [192, 192 + 96, 192 + 2 * 96]
    assert [each.delay for each in (first, second, third)] == [0.0, 5.0, 5.0]
    assert third.arrival == pytest.approx(first.arrival + 2 * (5 + 64 * 0.02))
    assert list(third.hashes[:9]) == list(second.hashes[:9])
    assert source.followers(third) == ()


def test_branches_of_agents_run_side_by_side() -> None:
    log = made("agents", 90, rate=0.01, steps=2, fan_out=3, system=128, task=64, output={"uniform": [32, 96]}, block=32)
    source = log.requests("agent")
    for first in source:
        branches = list(source.followers(first))
        assert len(branches) == 3
        assert {each.input for each in branches} == {192 + 64}
        assert {tuple(each.hashes[:6]) for each in branches} == {tuple(first.hashes)}
        assert len({each.hashes[6] for each in branches}) == 3
        assert [each.arrival for each in branches] == pytest.approx([first.arrival + 0.02 * first.output] * 3)
        slowest = max(branches, key=lambda each: each.output)
        (last,) = [each for branch in branches for each in source.followers(branch)]
        assert last.id in [each.id for each in source.followers(slowest)]
        assert last.input == 192 + first.output + sum(each.output for each in branches)
        assert last.arrival >= slowest.arrival + 0.02 * slowest.output


def test_shared_prompts_are_found_again() -> None:
    log = made("shared-prompt", 1000, rate=1.0, prompts=3, prompt=640, input=64, block=64)
    reuse = prefix_reuse(log)
    assert reuse is not None
    assert reuse.distinct == 3 * 10 + 1000
    assert reuse.reused == 10 * (1000 - 3)


def test_tenants_classes_and_adapters_follow_their_weights() -> None:
    log = made("poisson", 30_000, rate=1.0, tenants=3, skew=2.0, classes={"fast": 3, "slow": 1}, adapters=2)
    counts = {name: int((log.columns["tenant"] == name).sum()) for name in ("tenant-1", "tenant-2", "tenant-3")}
    whole = 1 + 1 / 4 + 1 / 9
    assert counts["tenant-2"] / len(log) == pytest.approx(1 / 4 / whole, rel=0.05)
    assert (log.columns["category"] == "fast").mean() == pytest.approx(0.75, abs=0.01)
    assert (log.columns["adapter"] == "adapter-1").mean() == pytest.approx(0.8, abs=0.01)


def test_a_session_has_one_tenant() -> None:
    log = made("sessions", 2000, rate=1.0, tenants=50)
    pairs = {*zip(log.columns["session"].tolist(), log.columns["tenant"].tolist(), strict=True)}
    assert len(pairs) == len({*log.columns["session"].tolist()})
    assert len({tenant for _, tenant in pairs}) > 20


def test_parts_are_mixed_by_their_shares() -> None:
    log = made("mixed", 8000, rate="4 /s", parts=PARTS, tenants=5)
    assert (log.columns["category"] == "chat").sum() == 6000
    code = log.where(category="code")
    assert len(code) / code.span == pytest.approx(1, rel=0.05)
    assert {*code.columns["input"].tolist()} == {10}
    assert {*code.columns["session"].tolist()} == {""}
    assert len({*code.columns["tenant"].tolist()}) == 5
    assert log.hashes is not None
    assert log.hashes.counts[log.columns["category"] == "code"].sum() == 0
    chains = [each for first in log.requests("x") for each in log.requests("x").followers(first)][:5]
    assert {each.category for each in chains} == {"chat"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"parts": None}, "parts: which requests are mixed?"),
        ({"parts": {"a": {"share": 1}}}, "parts, a: {'share': 1} is not as {generate: chat-like, share: 3}"),
        ({"parts": {"a": {"generate": "chat"}}}, "unknown request generator 'chat'. Did you mean 'chat-like'?"),
        ({"parts": {"a": {"generate": "poisson", "input": 0}}}, "parts, a, input: 0 is not a number above 0"),
        ({"parts": {"a": {"generate": "poisson", "rate": 1}}}, "parts, a: rate is that of all parts together"),
        (
            {"parts": {"a": {"generate": "poisson", "inptu": 1}}},
            "parts, a has no option 'inptu'. Did you mean",
        ),
        (
            {"parts": {"a": {"generate": "sessions"}, "b": {"generate": "agents", "block": 32}}},
            "hashes name blocks of different lengths: {'a': 64, 'b': 32}",
        ),
    ],
)
def test_mixtures_that_make_no_sense_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        made("mixed", 100, rate=1.0, **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"input": 0}, "input: 0 is not a number above 0"),
        ({"input": {"exponential": {"mean": -5}}}, "input, exponential, mean: -5 is not a number of 0 or more"),
        ({"input": {"lognormla": 1}}, "input: unknown law 'lognormla'. Did you mean 'lognormal'?"),
        ({"input": {"lognormal": {"mean": 10}}}, "is no law"),
        ({"output": {"uniform": [5, 2]}}, "output: uniform takes two whole numbers, the lower first, not [5, 2]"),
        ({"output": {"p": [0, 1], "v": [3]}}, "output: p and v are equally long rising lists"),
        ({"rate": 0}, "rate: 0 is not a number above 0"),
        ({"rate": "5 s"}, "unknown unit 's' (did you mean '/s'?) for a frequency"),
        ({"tenants": 0}, "tenants: 0 is neither a number of them"),
        ({"classes": {"a": -1}}, "classes: {'a': -1} are not weights"),
        ({"skew": -1, "tenants": 2}, "skew: -1 is not a number of 0 or more"),
    ],
)
def test_options_that_make_no_sense_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        made("poisson", 10, **({"rate": 1.0} | options))


@pytest.mark.parametrize(
    ("arrivals", "told"),
    [
        ({}, "arrivals: say how requests come"),
        ({"onn": 1}, "arrivals: unknown key 'onn'. Did you mean 'on'?"),
        ({"on": "10 s"}, "arrivals: 'on' and 'off' go together"),
        ({"on": "10 s", "off": "5 kg"}, "arrivals, off: '5 kg' has unknown unit 'kg'"),
        ({"cv": 2, "on": 1, "off": 1}, "contradict each other"),
        ({"hours": [1, 2]}, "arrivals, hours: [1, 2] is not a list of 24 numbers"),
        ({"swings": [{"share": 0.5, "cv": 1, "memory": 5}]}, "arrivals, swings: the shares add up to 0.5, not to 1"),
        ({"clumps": {"mean": 0.5, "gap": 1}}, "arrivals, clumps, mean: 0.5 requests in a clump; 1 or more"),
        ({"on": 1, "off": 1, "idle": 2}, "arrivals, idle: 2 is not a share from 0 to 1"),
    ],
)
def test_arrivals_that_make_no_sense_are_told(arrivals: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        made("profile", 10, rate=1.0, arrivals=arrivals)


def test_numbers_of_requests_that_make_no_sense_are_told() -> None:
    with pytest.raises(InputError, match="requests: 0 is not a whole number of requests, 1 or more"):
        made("poisson", 0, rate=1.0)
    for many in (10**9, 10**12):
        with pytest.raises(InputError, match=f"^requests: {many:,} are more than 100,000,000, the most"):
            made("sessions", many, rate=1.0)
    with pytest.raises(InputError, match="fan_out: 1,000,000 branches for each of 20,000 steps are more than"):
        made("agents", 20_000, rate=1.0, fan_out=1_000_000)
    with pytest.raises(InputError, match=r"block: prompts have .* and no more than 1,000,000,000 are named"):
        made("shared-prompt", 20_000, rate=1.0, prompt=100_000, block=1)
    assert request_generator_options("poisson") == [
        "rate", "input", "output", "tenants", "classes", "adapters", "skew",
    ]  # fmt: skip
