"""A training step: its parts add up, and every knob turns it the right way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.training import PARTS, Alone, Layout, Step, step
from simulator.models.training.communications import Communication
from simulator.models.training.timing import idle_slots

H100 = catalog.accelerator("h100-sxm")
NETWORK = Alone(H100, catalog.link("infiniband-ndr"))
MEGATRON = catalog.framework("megatron-core")
LLAMA = catalog.model("llama-3-8b")


def free(axis: str, collective: str, size: float, group: tuple[int, int]) -> float:
    return 0.0


def llama(network: Any = NETWORK, framework: Any = MEGATRON, model: Any = LLAMA, **keys: Any) -> Step:
    layout = Layout(**({"accelerators": 64, "tp": 2, "pp": 4, "global_batch": 128} | keys))
    return step(model, H100, layout, network, framework)


@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    pp=st.sampled_from([1, 2, 4]),
    cp=st.sampled_from([1, 2]),
    micro_batch=st.sampled_from([1, 2]),
    precision=st.sampled_from(["bf16", "fp8", "fp32"]),
    recompute=st.sampled_from(["none", "selective", "full"]),
    sharding=st.sampled_from(["none", "zero1", "zero2", "zero3", "hybrid"]),
    name=st.sampled_from(["megatron-core", "pytorch-ddp", "horovod", "tensorflow-ps", "spark-mllib", "llm-foundry"]),
    stretch=st.dictionaries(st.sampled_from(["tp", "cp", "pp", "dp"]), st.floats(1, 10)),
)
def test_parts_add_up_and_contention_never_helps(
    tp: int, pp: int, cp: int, micro_batch: int, precision: Any, recompute: Any, sharding: Any, name: str,
    stretch: dict[str, float],
) -> None:  # fmt: skip
    found = llama(
        framework=catalog.framework(name), tp=tp, pp=pp, cp=cp, micro_batch=micro_batch, precision=precision,
        recompute=recompute, sharding=sharding,
    )  # fmt: skip
    assert tuple(found.breakdown) == PARTS
    assert min(found.breakdown.values()) >= 0
    assert sum(found.breakdown.values()) == pytest.approx(found.time, rel=1e-9)
    slower = found.at(stretch)
    assert slower.time >= found.time
    assert slower.compute is found.compute
    assert sum(slower.breakdown.values()) == pytest.approx(slower.time, rel=1e-9)
    assert found.at({}).time == found.time


def test_rates_follow_from_the_time() -> None:
    found = llama()
    assert found.tokens_per_second == pytest.approx(128 * 8192 / found.time / 64)
    assert found.flops_per_second == pytest.approx(found.model_flops / found.time / 64)
    assert found.mfu == pytest.approx(found.flops_per_second / H100.flops["bf16"])
    assert 0 < found.mfu < 1


def test_without_a_network_nothing_is_exposed() -> None:
    parts = llama(network=free).breakdown
    assert [parts[axis] for axis in ("tp", "cp", "ep", "pp", "dp")] == [0] * 5


def test_with_network_replaces_the_times() -> None:
    found = llama()
    same = found.with_network(lambda call: NETWORK(call.axis, call.collective, call.bytes, call.group))
    assert same.time == found.time
    assert found.with_network(lambda call: 0.0).time == pytest.approx(llama(network=free).time)
    assert found.with_network(lambda call: 1.0).time > found.time


def test_exposed_is_what_is_not_hidden() -> None:
    call = Communication("dp", "all-reduce", 1e9, 10, (8, 2), time=0.1, hidden=0.4)
    assert (call.total, call.exposed) == (pytest.approx(1.0), pytest.approx(0.6))
    assert replace(call, time=0.01).exposed == 0


def test_a_step_scales_with_its_batch() -> None:
    small, large = llama(framework=replace(MEGATRON, step_overhead=0.0)), llama(global_batch=256)
    assert 1.8 < large.time / small.time < 2.2
    assert large.tokens_per_second > small.tokens_per_second


@pytest.mark.parametrize(
    ("slower", "faster"),
    [
        ({"recompute": "full"}, {"recompute": "none"}),
        ({"global_batch": 128}, {"global_batch": 128, "vp": 4}),
        ({"slowdown": 1.2}, {"slowdown": 1.0}),
        ({"precision": "fp32"}, {"precision": "bf16"}),
        ({"precision": "bf16"}, {"precision": "fp8"}),
        ({"precision": "fp32"}, {"precision": "tf32"}),
        ({"trains": "all"}, {"trains": "adapters"}),
        ({"sharding": "zero3"}, {"sharding": "zero1"}),
        ({"domain": 1}, {"domain": 8}),
        ({"noise": 0.05}, {"noise": 0.0}),
        ({"overlap": False}, {"overlap": True}),
        ({"sequence_parallel": False}, {"sequence_parallel": True}),
    ],
)
def test_what_is_known_to_be_slower_is(slower: dict[str, Any], faster: dict[str, Any]) -> None:
    assert llama(**slower).time > llama(**faster).time


def test_full_recomputation_costs_about_a_third() -> None:
    none, full = llama(network=free), llama(network=free, recompute="full")
    assert full.compute.recompute == pytest.approx(full.compute.forward.time, rel=0.25)
    assert 1.2 < full.time / none.time < 1.4


def test_a_bubble_is_p_minus_1_over_v_m() -> None:
    assert idle_slots(Layout(accelerators=8, pp=8, global_batch=64)) == 7
    assert idle_slots(Layout(accelerators=8, pp=8, vp=4, global_batch=64)) == 7 / 4
    assert idle_slots(Layout(accelerators=8, pp=8, vp=4, global_batch=60)) == 7 / 4 + 4
    assert idle_slots(Layout(accelerators=8, global_batch=8)) == 0
    found = llama(network=free, pp=1)
    assert found.breakdown["bubble"] == 0


def test_volumes_are_those_of_alibabas_measurements() -> None:
    """Qian et al., Alibaba HPN (SIGCOMM 2024): GPT-3 175B, TP 8, PP 8, DP 512: DP 5.5 GB, TP 560 MB, PP 6 MB."""
    layout = Layout(accelerators=8 * 8 * 512, tp=8, pp=8, global_batch=512 * 8, sharding="none")
    found = step(catalog.model("gpt-3-175b"), H100, layout, free, replace(MEGATRON, gradient_bytes=2.0))
    volume = {call.axis: call.bytes * call.calls for call in found.communications}
    each = {call.axis: call.bytes for call in found.communications}
    assert volume["dp"] == pytest.approx(5.5e9, rel=0.03)
    assert each["pp"] == pytest.approx(6e6, rel=0.06)
    assert 12 * each["tp"] == pytest.approx(560e6, rel=0.1)  # one collective for each of a stage's 12 layers


def test_zero_volumes() -> None:
    """ZeRO (arXiv 1910.02054), section 7: stages 1 and 2 move as much as an all-reduce, stage 3 half as much again."""
    bytes16 = replace(MEGATRON, gradient_bytes=2.0)
    moved = {}
    for sharding in ("none", "zero1", "zero3"):
        found = llama(network=free, framework=bytes16, pp=1, tp=1, accelerators=8, global_batch=8, sharding=sharding)
        sent = [2 * call.bytes * call.calls if call.collective == "all-reduce" else call.bytes * call.calls
                for call in found.communications]  # fmt: skip
        moved[sharding] = sum(sent)
    assert moved["zero1"] == pytest.approx(moved["none"])
    assert moved["zero3"] == pytest.approx(1.5 * moved["none"])


def test_expert_parallelism_trades_traffic_for_memory() -> None:
    model = catalog.model("mixtral-8x7b")
    alone = llama(model=model, tp=1, pp=2, accelerators=16, ep=1)
    spread = llama(model=model, tp=1, pp=2, accelerators=16, ep=8)
    assert spread.memory.weights < alone.memory.weights / 4
    assert spread.breakdown["ep"] > alone.breakdown["ep"] == 0
    assert {call.axis for call in spread.communications} == {"ep", "pp", "dp"}
    assert {call.axis for call in alone.communications} == {"pp", "dp", "edp"}
    full = llama(model=model, tp=1, pp=2, accelerators=16, ep=8, expert_imbalance=1.3)
    assert full.time > spread.time


def test_a_straggler_holds_all_back() -> None:
    healthy, sick = llama(), llama(slowdown=1.5)
    waited = sick.breakdown["straggler"] - healthy.breakdown["straggler"]
    assert waited == pytest.approx(0.5 * healthy.compute.busy)


def test_a_slow_input_pipeline_sets_the_pace() -> None:
    found = llama(input_rate=0.1)
    assert found.time == pytest.approx(128 / 64 / 0.1)
    assert found.breakdown["data"] > 0
    assert llama(input_rate=1e9).breakdown["data"] == 0


def test_parameter_servers_are_an_incast() -> None:
    one, four = (
        llama(framework=replace(catalog.framework("tensorflow-ps"), servers=n), tp=1, pp=1).breakdown["dp"]
        for n in (1, 4)
    )
    assert 3 < one / four < 5


def test_spark_pays_for_serialisation() -> None:
    spark = catalog.framework("spark-mllib")
    found, quick = (llama(framework=f, tp=1, pp=1) for f in (spark, replace(spark, serialization=None)))
    assert found.breakdown["overhead"] > quick.breakdown["overhead"]


def test_a_cnn() -> None:
    model = catalog.model("resnet-50")
    found = step(model, H100, Layout(accelerators=8, global_batch=512, micro_batch=64), NETWORK, MEGATRON)
    assert found.tokens == 512
    assert found.model_flops == pytest.approx(512 * 3 * 8.18e9)


def test_an_accelerator_without_the_precision() -> None:
    with pytest.raises(InputError, match="nvidia/h100-sxm has no nvfp4: it has fp32, tf32, fp16, bf16, fp8, mxfp8"):
        llama(precision="nvfp4")


def test_framework_of_none_is_megatron() -> None:
    layout = Layout(accelerators=8, tp=8)
    assert step(LLAMA, H100, layout, NETWORK).framework.id == "megatron-core"
