"""Jobs that train a model: on which accelerators, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import simulator as sim
from simulator.cli import main
from simulator.core.errors import InputError
from simulator.scenario.build import plan
from simulator.workload.jobs import TrainingJob

POOL = "name: t\ntopology: {build: pool, accelerators: 8}\n"
RAILS = "{build: rail-optimised, nodes: 2, node: dgx-h100}"


def text(
    topology: str = RAILS,
    layout: str = "tp: 8, global_batch: 64",
    extra: str = "",
    model: str = "llama-3-8b",
    accelerators: object = 16,
    iterations: object = 10,
) -> str:
    return (
        f"name: t\ntopology: {topology}\nworkload:\n  w:\n    jobs:\n"
        f"      - id: a\n        accelerators: {accelerators}\n        iterations: {iterations}\n"
        f"        model: {model}\n        layout: {{{layout}}}\n" + (f"        {extra}\n" if extra else "")
    )


def two(first: str, second: str, count: int = 8) -> str:
    """Two servers with accelerators of these kinds on one cable."""
    servers = ", ".join(
        f"{name}: {{accelerators: {count}" + (f", accelerator: {kind}}}" if kind else "}")
        for name, kind in (("a", first), ("b", second))
    )
    links = "[{src: a, dst: b, capacity: 50 GB/s}, {src: b, dst: a, capacity: 50 GB/s}]"
    return f"{{build: links, links: {links}, servers: {{{servers}}}}}"


def wrong(**keys: Any) -> str:
    """All that is said about a file, without the quoted lines of it."""
    with pytest.raises(InputError) as caught:
        plan(sim.Scenario.load(text(**keys)))
    return "\n".join(f"{problem.path}: {problem.text} | {problem.hint or ''}" for problem in caught.value.problems)


def job(**keys: Any) -> TrainingJob:
    (made,) = plan(sim.Scenario.load(text(**keys))).jobs()
    assert isinstance(made, TrainingJob)
    return made


LAYOUT = "workload.w.jobs.0.layout"
JOB = "workload.w.jobs.0"
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "degrees": (
        {"layout": "tp: 8, pp: 3, global_batch: 64"},
        f"{LAYOUT}.tp: tp 8 x pp 3 x cp 1 = 24 does not divide 16 accelerators: the nearest number that it does is 24",
    ),
    "one accelerator": (
        {"accelerators": 1, "layout": "tp: 2, global_batch: 64"},
        f"{LAYOUT}.tp: tp 2 x pp 1 x cp 1 = 2 does not divide 1 accelerators: the nearest number that it does is 2",
    ),
    "batch": (
        {"layout": "tp: 8, global_batch: 63"},
        f"{LAYOUT}.global_batch: global_batch 63 is not a multiple of dp 2 x micro_batch 1 = 2: the nearest that is, "
        "is 64",
    ),
    "heads": (
        {"accelerators": 24, "layout": "tp: 24, global_batch: 64"},
        f"{LAYOUT}.tp: tp 24 does not divide the 32 heads of meta/llama-3-8b: the nearest that does is 32",
    ),
    "chunks": ({"layout": "tp: 8, vp: 2, global_batch: 64"}, f"{LAYOUT}.vp: vp 2 needs a pipeline: pp is 1"),
    "experts": ({"layout": "ep: 2, global_batch: 64"}, f"{LAYOUT}.ep: ep 2 needs experts: meta/llama-3-8b has none"),
    "cnn": (
        {"model": "resnet-50", "layout": "tp: 8, global_batch: 64"},
        f"{LAYOUT}: torchvision/resnet-50 is a CNN: tp 8 must be 1",
    ),
    "memory": (
        {"model": "llama-3-8b", "layout": "micro_batch: 8, global_batch: 128"},
        "the nearest layout that fits: ",
    ),
    "far too large": (
        {"model": "llama-3-405b"},
        f"{LAYOUT}: meta/llama-3-405b does not fit: 678.4 GB on each of 16 h100-sxm, which has 80 GB: 598.4 GB too "
        "much | no layout of 16 accelerators fits; 128 hold it with tp: 8, pp: 8, ",
    ),
    "endless sequence": (
        {"layout": "tp: 8, global_batch: 64, sequence: 1000000000"},
        "no layout of 16 accelerators fits, nor of 64 times as many",
    ),
    "too long to count": (
        {"layout": "tp: 8, global_batch: 64, sequence: 1000000000000"},
        f"{LAYOUT}.sequence: sequence 1e+12 is too large: at most 1,000,000,000",
    ),
    "precision": (
        {"layout": "tp: 8, global_batch: 64, precision: bf15"},
        f"{LAYOUT}.precision: unknown precision 'bf15'. Did you mean 'bf16'?",
    ),
    "precision of another": (
        {"topology": two("a100-sxm-80", "a100-sxm-80"), "layout": "tp: 8, global_batch: 64, precision: fp8"},
        f"{LAYOUT}: nvidia/a100-sxm-80 has no fp8: it has fp32, tf32, fp16, bf16",
    ),
    "sharding": (
        {"layout": "tp: 8, global_batch: 64, sharding: zero4"},
        f"{LAYOUT}.sharding: unknown sharding 'zero4'. Did you mean 'zero3'?",
    ),
    "model": ({"model": "llama-3-80b"}, f"{JOB}.model: unknown model 'llama-3-80b'. Did you mean 'meta/llama-3-8b'?"),
    "framework": (
        {"extra": "framework: megatrno"},
        f"{JOB}.framework: unknown framework 'megatrno'. Did you mean 'megatron-core'?",
    ),
    "no accelerator": (
        {"accelerators": 0},
        f"{JOB}.accelerators: accelerators 0 are no whole number of 1 or more, as a model needs",
    ),
    "half an accelerator": (
        {"accelerators": 0.5},
        f"{JOB}.accelerators: accelerators 0.5 are no whole number of 1 or more, as a model needs",
    ),
    "a billion accelerators": (
        {"accelerators": 10**9, "layout": "tp: 8, global_batch: 125000000"},
        f"{JOB}.accelerators: accelerators 1e+09 are too many for a model: at most 1,000,000",
    ),
    "iterations": (
        {"iterations": 10**18},
        f"{JOB}.iterations: iterations of 4.78 s are too long to simulate when there are 1,000,000,000,000,000,000 | "
        "at most 1e+12 s (30,000 years): 20",
    ),
    "unnamed accelerators": (
        {"topology": "{build: pool, accelerators: 16}"},
        f"{JOB}: the cluster has no accelerators of the catalog that could train a model | name the accelerator of its "
        "servers, or give compute and gradient instead of a model",
    ),
    "accelerators of nowhere": (
        {"topology": two("mychip", "mychip")},
        f"{JOB}: the cluster has no accelerators of the catalog that could train a model | name the accelerator",
    ),
    "accelerators that are not there": (
        {"extra": "accelerator_types: [a100-sxm-80]"},
        f"{JOB}: the cluster has no a100-sxm-80 that could train a model | its accelerators are nvidia/h100-sxm",
    ),
    "several kinds": (
        {"topology": two("h100-sxm", "a100-sxm-80")},
        f"{JOB}.accelerators: accelerators 16 of one kind are wanted to train a model; the cluster has 8 h100-sxm, "
        "8 a100-sxm-80 | take at most 8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_with_place_number_and_way_out(name: str) -> None:
    keys, expected = MISTAKES[name]
    assert expected in wrong(**keys)


def test_all_jobs_that_are_wrong_are_told() -> None:
    broken = text(layout="tp: 8, pp: 3, global_batch: 64").split("    jobs:\n")[1].replace("id: a", "id: b")
    both = text(model="llama-3-80b") + broken
    with pytest.raises(InputError) as caught:
        plan(sim.Scenario.load(both))
    assert [problem.path for problem in caught.value.problems] == [
        "workload.w.jobs.0.model",
        "workload.w.jobs.1.layout.tp",
    ]


KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "micro_batch": ({"layout": "global_batch: 8, micro_batch: 0"}, "micro_batch: 0 is not allowed: it must be"),
    "text": ({"layout": "tp: eight, global_batch: 64"}, "layout.tp: 'eight' is not a whole number"),
    "not a number": ({"layout": "tp: .nan, global_batch: 64"}, "layout.tp: nan is not a whole number"),
    "true": ({"layout": "tp: true, global_batch: 64"}, "layout.tp: True is not a whole number"),
    "unknown": ({"layout": "tp: 8, dp: 2, global_batch: 64"}, "layout.dp: unknown key 'dp'"),
    "missing": ({"layout": "tp: 8"}, "layout.global_batch: 'global_batch' is missing"),
    "no rounds": ({"iterations": 0}, "jobs.0.iterations: 0 is not allowed: it must be at least 1"),
    "half a round": ({"iterations": 0.5}, "jobs.0.iterations: 0.5 is not a whole number"),
    "negative": ({"accelerators": -8}, "jobs.0.accelerators: -8 accelerators are not allowed"),
    "many": ({"accelerators": "many"}, "jobs.0.accelerators: 'many' is not a number"),
    "slowdown": ({"layout": "global_batch: 64, slowdown: 0.5"}, "slowdown: 0.5 is not allowed: it must be at least 1"),
    "both": ({"extra": "compute: 1 s"}, "jobs.0.compute: 'compute' follows from the model: leave it out"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_are_wrong(name: str) -> None:
    keys, expected = KEYS[name]
    with pytest.raises(InputError) as caught:
        sim.Scenario.load(text(**keys))
    assert expected in str(caught.value)


def test_a_layout_without_a_model_and_a_model_without_a_layout() -> None:
    plain = POOL + "workload: {w: {jobs: [{accelerators: 8, iterations: 2, %s}]}}\n"
    for keys, expected in (
        ("model: llama-3-8b", "'layout' is missing"),
        ("compute: 1 s, gradient: 1 GB, layout: {global_batch: 8}", "'layout' means nothing without a model"),
        ("compute: 1 s, gradient: 1 GB, framework: megatron-core", "'framework' means nothing without a model"),
        ("gradient: 1 GB", "'compute' is missing"),
    ):
        with pytest.raises(InputError, match=expected):
            sim.Scenario.load(plain % keys)


def test_more_seconds_than_the_clock_can_tell() -> None:
    plain = POOL + "workload: {w: {jobs: [{accelerators: 8, %s, gradient: 0}]}}\n"
    sim.Scenario.load(plain % "iterations: 1000000000000, compute: 1 s")
    with pytest.raises(InputError, match="iterations: 2,000,000,000,000 iterations of 1 s are too long to simulate"):
        sim.Scenario.load(plain % "iterations: 2000000000000, compute: 1 s")


@pytest.mark.parametrize("kind", ["h100-sxm", "nvidia/h100-sxm"])
def test_short_names_of_accelerators_will_do(kind: str) -> None:
    long = job(topology=two("nvidia/h100-sxm", "nvidia/h100-sxm"))
    short = job(topology=two(kind, kind), extra="accelerator_types: [h100-sxm]")
    assert short.estimate == long.estimate > 0
    assert short.accelerator_types in ((), (kind,))


def test_a_model_goes_where_it_fits() -> None:
    """It fits an H100 and not an L40S, has FP8 there and not on an A100, and is not sent to servers without a name."""
    small = {"accelerators": 8, "layout": "tp: 2, global_batch: 64"}
    assert job(topology=two("nvidia/l40s", "nvidia/h100-sxm"), **small).accelerator_types == ("nvidia/h100-sxm",)
    eighth = {"accelerators": 8, "layout": "tp: 8, global_batch: 64, precision: fp8"}
    assert job(topology=two("nvidia/a100-sxm-80", "nvidia/h100-sxm"), **eighth).accelerator_types == (
        "nvidia/h100-sxm",
    )
    assert job(topology=two("", "nvidia/h100-sxm"), accelerators=8).accelerator_types == ("nvidia/h100-sxm",)
    assert job(topology=two("nvidia/h100-sxm", "nvidia/h100-sxm")).accelerator_types == ()


def test_a_model_that_does_not_fit_can_be_run_all_the_same() -> None:
    assert job(model="llama-3-405b", extra="ignore_memory: true").estimate > 0


def test_the_estimate_is_the_step_alone_on_the_network() -> None:
    made = job()
    results = sim.run(text())
    assert results.jobs["jct"].item() == pytest.approx(made.estimate, rel=1e-6)


@pytest.mark.parametrize(
    "topology", ["{build: servers, nodes: 2, node: dgx-h100}", "{build: pool, accelerators: 16, accelerator: h100-sxm}"]
)
def test_without_a_network_there_is_nothing_to_wait_for(topology: str) -> None:
    """What is sent between servers takes no time then, which is said; the rest is as in a network that never blocks."""
    found = sim.run(text(topology=topology)).jobs["jct"].item()
    assert found == pytest.approx(sim.run(text()).jobs["jct"].item(), rel=0.02)
    said = "The topology has no network: what training jobs send between its servers takes no time."
    assert (said in plan(sim.Scenario.load(text(topology=topology))).notes) == ("servers" in topology)


def test_the_command_line_says_it_with_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(text(layout="tp: 8, pp: 3, global_batch: 64"))
    for command in (["check", "s.yaml"], ["run", "s.yaml", "--out", "o"], ["show", "s.yaml"]):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2
        assert result.output.startswith("s.yaml:10:22 workload.w.jobs.0.layout.tp: tp 8 x pp 3 x cp 1 = 24")
        assert "        layout: {tp: 8, pp: 3, global_batch: 64}" in result.output
    assert not Path("o").exists()
