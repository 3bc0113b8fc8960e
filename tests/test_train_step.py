"""``sim.train_step`` and ``simulator train-step``: names, texts, topologies."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

import simulator as sim
from simulator.cli import main
from simulator.cluster import catalog
from simulator.experiment.train_step import advice, changes, layouts, misfit, prepare
from simulator.models.training import Layout

PARTS = {"accelerator": "h100-sxm", "accelerators": 64, "tp": 8, "pp": 2, "global_batch": 128}


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["train-step", *words])


def test_a_named_model_on_catalog_parts() -> None:
    found = sim.train_step("llama-3-70b", **PARTS)
    assert found.layout.dp == 4
    assert found.framework.id == "megatron-core"
    assert 0.3 < found.mfu < 0.5


def test_a_model_of_so_many_parameters() -> None:
    found = sim.train_step(
        parameters=7e9, layers=32, hidden=4096, vocab=32_000, accelerator="a100-sxm-80", accelerators=8, tp=8
    )
    assert found.model.id == "generic"
    assert found.model_flops == pytest.approx(6 * 7e9 * 2048, rel=0.1)


def test_the_default_batch_is_eight_micro_batches_a_stage() -> None:
    keys = PARTS | {"global_batch": None}
    assert sim.train_step("llama-3-70b", **keys).layout.micro_batches == 16
    assert sim.train_step("llama-3-8b", accelerator="h100-sxm", accelerators=8).layout.global_batch == 8


def test_a_topology_times_the_same_collectives_on_its_links() -> None:
    keys = {"tp": 8, "pp": 2, "global_batch": 128, "accelerators": 64}
    parts = sim.train_step("llama-3-70b", accelerator="h100-sxm", **keys)
    there = sim.train_step("llama-3-70b", topology="superpod-h100-4su", **keys)
    assert there.layout.domain == 8
    assert there.time == pytest.approx(parts.time, rel=0.02)
    assert there.compute == parts.compute


def test_an_oversubscribed_topology_is_slower() -> None:
    keys: dict[str, Any] = {"global_batch": 64, "accelerators": 64, "tp": 8, "framework": "deepspeed-zero1"}
    full = sim.train_step("llama-3-8b", topology="superpod-h100-4su", **keys)
    thin = sim.train_step("llama-3-8b", topology="dgx-h100-leaf-spine-4to1", **keys)
    assert thin.breakdown["dp"] > full.breakdown["dp"]
    assert thin.breakdown["tp"] == pytest.approx(full.breakdown["tp"])


def test_parameter_servers_on_a_topology() -> None:
    keys: dict[str, Any] = {"accelerators": 16, "framework": "tensorflow-ps", "topology": "superpod-h100-4su"}
    one, four = (sim.train_step("resnet-50", micro_batch=32, servers=n, **keys).breakdown["dp"] for n in (1, 4))
    assert 3 < one / four < 5


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"model": "llama-3-71b"}, "unknown model 'llama-3-71b'. Did you mean"),
        ({"layers": 4}, "the model has layers of its own: name one, or give parameters, layers and hidden"),
        ({"model": None, "parameters": 7e9}, "there is no layers, hidden: name a model of the catalog, or give"),
        ({"accelerators": None}, "say which accelerator and how many accelerators, or name a topology"),
        ({"topology": "superpod-h100-4su", "accelerators": 9999}, "9999 accelerators: the topology has 1 to 1016"),
        ({"framework": "megatorn"}, "unknown framework 'megatorn'. Did you mean"),
        ({"microbatch": 2}, "unknown key 'microbatch' of a layout. Did you mean 'micro_batch'?"),
        ({"tp": 7, "pp": 1}, "tp 7 x pp 1 x cp 1 = 7 does not divide 64 accelerators: the nearest number that it does"),
    ],
)
def test_mistakes_are_told_with_the_nearest_choice(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(sim.InputError, match=re.escape(text)):
        sim.train_step(**({"model": "llama-3-70b"} | PARTS | keys))


def test_what_does_not_fit_names_bytes_and_a_layout_that_does() -> None:
    setup = prepare("llama-3-70b", accelerator="h100-sxm", accelerators=64, tp=8, global_batch=64)
    found = setup.step(Layout(**setup.common))
    text = misfit(setup, found)
    assert text.startswith("llama-3-70b does not fit: it needs ")
    assert f"{found.memory.missing / 1e9:.1f} GB too much (weights 17.6, gradients 35.3, optimizer" in text
    assert text.endswith("The nearest layout that fits: --sharding zero2.")
    small = prepare("llama-3-70b", accelerator="l4", accelerators=1)
    assert misfit(small, small.step(Layout())).endswith("No layout of 1 l4 fits: take more of them.")


def test_changes_are_options_of_the_command() -> None:
    here = Layout(accelerators=8, tp=8)
    assert changes(here, Layout(accelerators=8, tp=4, micro_batch=2, global_batch=4)) == "--tp 4 --micro-batch 2"


def test_advice_names_the_largest_part() -> None:
    found = sim.train_step("llama-3-8b", accelerator="h100-sxm", accelerators=64, tp=1, pp=16, global_batch=16)
    assert advice(found).startswith("bubble takes ")


def test_searching_layouts() -> None:
    setup = prepare("llama-3-70b", accelerator="h100-sxm", accelerators=64, global_batch=128)
    found = layouts(setup, most=3)
    assert [each.time for each in found] == sorted(each.time for each in found)


def test_the_command_prints_parts_that_add_up() -> None:
    result = run("llama-3-70b", "--accelerator", "h100-sxm", "--accelerators", "64", "--tp", "8", "--pp", "2")
    assert result.exit_code == 0
    head, *lines = result.output.splitlines()
    assert head == "llama-3-70b, 64 x 8192 tokens, bf16, megatron-core, on 64 x h100-sxm: tp 8, pp 2, dp 4"
    shares = [float(line.split()[-2]) for line in lines if line.endswith(" %") and not line.startswith(("MFU", "step"))]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert "tokens/s per accelerator" in result.output


def test_the_command_in_json() -> None:
    result = run("mixtral-8x7b", "--accelerator", "gb200", "--accelerators", "64", "--ep", "8", "--json")
    facts = json.loads(result.output)
    assert sum(facts["breakdown"].values()) == pytest.approx(facts["time"])
    assert facts["layout"]["dp"] == 64
    assert {call["axis"] for call in facts["communications"]} == {"ep", "dp", "edp"}


def test_the_command_ranks_layouts() -> None:
    words = ("--accelerator", "h100-sxm", "--accelerators", "64", "--global-batch", "128", "--layouts", "--most", "3")
    result = run("llama-3-70b", *words)
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 4
    assert len(json.loads(run("llama-3-70b", *words, "--json").output)) == 3
    none = run("llama-3-405b", "--accelerator", "l4", "--accelerators", "8", "--layouts")
    assert (none.exit_code, none.output.strip()) == (2, "no layout of llama-3-405b on 8 x l4 fits")


def test_the_command_refuses_what_does_not_fit_unless_told() -> None:
    words = ("llama-3-70b", "--accelerator", "h100-sxm", "--accelerators", "64", "--tp", "8")
    result = run(*words)
    assert result.exit_code == 2
    assert "--ignore-memory times it all the same." in result.output
    assert run(*words, "--ignore-memory").exit_code == 0


def test_lists_show_models_and_frameworks() -> None:
    listed = CliRunner().invoke(main, ["list", "models"]).output
    assert all(record.id in listed for record in catalog.records("model"))
    assert "spark-mllib" in CliRunner().invoke(main, ["list", "frameworks"]).output
