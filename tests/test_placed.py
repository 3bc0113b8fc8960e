"""Training steps on links: the time without a topology where nothing is short, and the volumes of the textbooks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from simulator.cluster import catalog
from simulator.cluster.builders import builders
from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.models.training import Alone, Layout, step
from simulator.runtime.placed import PlacedStep
from simulator.runtime.recipe import Recipe
from simulator.runtime.router import Router

RAILS = builders.get("rail-optimised")(nodes=32, node="dgx-h100")
STAR = builders.get("single-switch")(nodes=32, node="dgx-h100")
H100 = catalog.accelerator("h100-sxm")


def placed(topology: Topology, model: str, framework: str = "megatron-core", **keys: object) -> PlacedStep:
    """The step of a layout on the first accelerators of the topology, server by server."""
    layout = Layout(**keys)  # type: ignore[arg-type]
    recipe = Recipe(catalog.model(model), layout, catalog.framework(framework))
    members = [divmod(rank, 8) for rank in range(layout.accelerators)]
    return PlacedStep(recipe, topology, Router(topology), members)


def sent(made: PlacedStep, axis: str, topology: Topology = RAILS) -> dict[str, float]:
    """Bytes that each accelerator puts on its own card in one step, by vertex."""
    total: dict[str, float] = {}
    for burst in made.pattern(1).bursts:
        for link, volume in zip(burst.links, burst.usage, strict=True):
            source = topology.ends[link][0]
            if burst.name == axis and topology.tiers[link] == "host" and source.startswith("node"):
                total[source] = total.get(source, 0.0) + volume
    return total


def whole(made: PlacedStep, axis: str) -> float:
    """Bytes of all calls of an axis in one step, as the collectives count them."""
    return sum(call.bytes * call.calls for call in made.step.communications if call.axis == axis)


LAYOUTS: Mapping[str, tuple[str, str, dict[str, object]]] = {
    "pipeline": ("llama-3-70b", "megatron-core", {"accelerators": 256, "tp": 8, "pp": 4, "global_batch": 64}),
    "chunks": ("llama-3-70b", "megatron-core", {"accelerators": 64, "tp": 4, "pp": 8, "vp": 5, "global_batch": 16}),
    "context": ("llama-3-70b", "megatron-core", {"accelerators": 64, "tp": 8, "cp": 4, "pp": 2, "global_batch": 64}),
    "fsdp": ("llama-3-8b", "pytorch-fsdp", {"accelerators": 64, "global_batch": 64}),
    "hybrid": ("llama-3-8b", "pytorch-fsdp", {"accelerators": 64, "global_batch": 64, "sharding": "hybrid"}),
    "experts": ("mixtral-8x7b", "megatron-core", {"accelerators": 64, "ep": 8, "global_batch": 64}),
    "experts over servers": ("deepseek-v3", "megatron-deepep", {"accelerators": 64, "ep": 32, "global_batch": 64}),
    "parameter server": ("resnet-50", "tensorflow-ps", {"accelerators": 16, "micro_batch": 64, "global_batch": 1024}),
    "tree": ("resnet-50", "spark-mllib", {"accelerators": 64, "micro_batch": 64, "global_batch": 4096}),
    "one server": ("llama-3-8b", "megatron-core", {"accelerators": 8, "tp": 2, "pp": 2, "vp": 2, "global_batch": 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("topology", [RAILS, STAR], ids=["rails", "star"])
def test_without_oversubscription_a_step_takes_what_it_takes_alone(name: str, topology: Topology) -> None:
    """Both ways to time a collective are one model, so there is no difference at all but that of rounding."""
    model, framework, keys = LAYOUTS[name]
    found = placed(topology, model, framework, **keys)
    network = Alone(H100, catalog.link("infiniband-ndr"), cards=8, per_server=8)
    alone = step(catalog.model(model), H100, Layout(**keys), network, catalog.framework(framework))  # type: ignore[arg-type]
    assert found.step.breakdown == pytest.approx(alone.breakdown, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_pattern_is_the_step(name: str) -> None:
    """All of its time is in the pattern, and what communication it exposes is in the bursts or inside."""
    model, framework, keys = LAYOUTS[name]
    made = placed(RAILS, model, framework, **keys)
    pattern = made.pattern(10)
    assert pattern.base == pytest.approx(made.step.time, rel=1e-12)
    assert made.step.time == pytest.approx(sum(made.step.breakdown.values()), rel=1e-12)
    exposed = sum(call.exposed for call in made.step.communications)
    assert pattern.inside + sum(b.exposed() for b in pattern.bursts) == pytest.approx(exposed, rel=1e-9)
    assert pattern.compute == pytest.approx(made.step.time - exposed, rel=1e-9)


def test_data_parallel_rings_send_their_textbook_volume() -> None:
    """Reduce-scatter and all-gather over 8 replicas: each rank sends (n - 1) / n of gradients and of weights."""
    made = placed(RAILS, "llama-3-70b", accelerators=256, tp=8, pp=4, global_batch=512)
    assert made.step.layout.dp == 8
    volumes = sent(made, "dp")
    assert len(volumes) == 256
    assert list(volumes.values()) == pytest.approx([7 / 8 * whole(made, "dp")] * 256)


def test_all_reduce_over_two_servers_sends_the_ring_volume_by_the_cards_of_all_accelerators() -> None:
    """PyTorch DDP, 16 ranks: rings in 8 channels, 2 (n - 1) / n bytes of gradients out of a server over 8 cards."""
    recipe = Recipe(
        catalog.model("llama-3-8b"), Layout(accelerators=16, global_batch=16), catalog.framework("pytorch-ddp")
    )
    members = [divmod(rank, 8) for rank in range(16)]
    made = PlacedStep(recipe, RAILS, Router(RAILS), members, algorithm="ring")
    assert list(sent(made, "dp").values()) == pytest.approx([2 * 15 / 16 * whole(made, "dp") / 8] * 16)


def test_rails_keep_data_parallel_traffic_on_its_leaf() -> None:
    made = placed(RAILS, "llama-3-70b", accelerators=256, tp=8, pp=4, global_batch=512)
    (burst, *_) = [burst for burst in made.pattern(1).bursts if burst.name == "dp"]
    for link in burst.links:
        server = next(end for end in RAILS.ends[link] if "/" in end)
        leaf = next(end for end in RAILS.ends[link] if "/" not in end)
        assert server.rpartition("/")[2] == leaf.rpartition("-")[2]


def test_tensor_parallel_traffic_stays_inside_a_server() -> None:
    made = placed(RAILS, "llama-3-70b", accelerators=256, tp=8, pp=4, global_batch=512)
    assert made.step.breakdown["tp"] > 0
    assert sent(made, "tp") == {}
    wide = placed(RAILS, "llama-3-70b", accelerators=256, tp=16, pp=4, global_batch=512)
    assert len(sent(wide, "tp")) == 256


def test_stages_of_a_pipeline_send_every_activation_forward_and_every_gradient_back() -> None:
    """64 micro-batches: a middle stage sends 64 either way, the first and the last one 64 in all."""
    made = placed(RAILS, "llama-3-70b", accelerators=256, tp=8, pp=4, global_batch=512)
    (call,) = [call for call in made.step.communications if call.axis == "pp"]
    assert call.bytes == 8192 * 8192 * 2 / 8  # tokens x hidden x bf16, split over tp
    assert call.calls == 2 * made.step.layout.micro_batches == 128
    volumes = sent(made, "pp")
    for server in range(32):
        middle = 8 <= server < 24
        for device in range(8):
            assert volumes[f"node-{server}/{device}"] == pytest.approx((128 if middle else 64) * call.bytes)
    assert sum(volumes.values()) == pytest.approx(2 * 3 * 64 * call.bytes * 64)  # (pp - 1) hops of 64 pipelines


def test_stages_send_to_the_servers_of_the_next_stage_only() -> None:
    """Two servers, a stage on each: every message crosses the leaf of its rail, once up and once down."""
    made = placed(RAILS, "llama-3-8b", accelerators=16, tp=8, pp=2, global_batch=16)
    (burst,) = made.pattern(1).bursts
    crossed = {RAILS.ends[link] for link in burst.links}
    assert crossed == {
        pair
        for device in range(8)
        for server in range(2)
        for pair in ((f"node-{server}/{device}", f"leaf-0-{device}"), (f"leaf-0-{device}", f"node-{server}/{device}"))
    }


def test_an_interleaved_pipeline_closes_the_circle() -> None:
    """With chunks of a model on each rank the last stage hands on to the first: all cards carry the same."""
    made = placed(RAILS, "llama-3-70b", accelerators=32, tp=8, pp=4, vp=5, global_batch=32)
    volumes = sent(made, "pp")
    assert list(volumes.values()) == pytest.approx([whole(made, "pp")] * 32)


def test_context_parallel_blocks_go_round_one_way() -> None:
    """Ring attention: every rank sends its keys and values to the next one, cp - 1 times a pass (Liu et al. 2023)."""
    made = placed(RAILS, "llama-3-70b", accelerators=64, tp=8, cp=8, global_batch=8)
    volumes = sent(made, "cp")
    assert list(volumes.values()) == pytest.approx([whole(made, "cp")] * 64)


def test_experts_on_two_servers_exchange_half_of_their_tokens() -> None:
    """All-to-all of 16 ranks on 2 servers: 8 of 16 peers of a rank are on the other one."""
    made = placed(RAILS, "deepseek-v3", accelerators=16, ep=16, global_batch=16)
    assert list(sent(made, "ep").values()) == pytest.approx([whole(made, "ep") / 2] * 16)
    within = placed(RAILS, "mixtral-8x7b", accelerators=16, ep=8, global_batch=16)
    assert sent(within, "ep") == {}


def test_a_parameter_server_takes_in_all_gradients_and_gives_out_all_weights() -> None:
    made = placed(STAR, "resnet-50", "tensorflow-ps", accelerators=16, micro_batch=64, global_batch=1024)
    (call,) = made.step.communications
    servers = call.group[1]
    volumes = sent(made, "dp", STAR)
    assert volumes["node-0"] == pytest.approx(8 * call.bytes)  # 8 workers are elsewhere
    assert volumes["node-1"] == pytest.approx(8 * call.bytes)
    assert servers >= 1


def test_a_tree_aggregation_sends_level_by_level() -> None:
    """64 workers in 2 levels of 8: heads of groups on ranks 0, 8, ...; server 0 gets 7 sums, and a copy goes round."""
    made = placed(RAILS, "resnet-50", "spark-mllib", accelerators=64, micro_batch=64, global_batch=4096)
    (call,) = made.step.communications
    (burst,) = made.pattern(1).bursts
    into = {RAILS.ends[link]: volume for link, volume in zip(burst.links, burst.usage, strict=True)}
    assert call.group == (64, 2)
    assert into["leaf-0-0", "node-0/0"] == pytest.approx(7 * call.bytes)
    assert sum(v for (_, end), v in into.items() if end.startswith("node-7/")) >= call.bytes  # the copy


def test_published_volumes_of_a_gpt_3_on_hpn() -> None:
    """TP 8, PP 8, DP 512: per iteration 5.5 GB over DP, 560 MB over TP, 6 MB over PP (Qian et al., SIGCOMM 2024).

    - DP: the gradients of one rank in bf16; the first stage, which counts here, holds the embedding, too (+ 1.7 %).
      Megatron-Core reduces them in fp32, which is twice that.
    - PP: one message, 2048 tokens x 12288 x 2 bytes / 8 = 6.29 MB, or 6 MiB.
    - TP: activations of one micro-batch are 50.3 MB, of which each of 12 layers gathers or scatters four on the way
      forth and four on the way back: 4.8 GB. The published number is one of these for each layer (604 MB, or 576 MiB),
      or what a ring sends for it (7/8: 528 MB); which one the paper does not say.
    """
    layout = Layout(accelerators=8 * 8 * 512, tp=8, pp=8, global_batch=4096)
    h800 = catalog.accelerator("h800-sxm")
    made = step(catalog.model("gpt-3-175b"), h800, layout, Alone(h800, catalog.link("roce-400g")))
    calls = {(call.axis, call.collective): call for call in made.communications}
    gathered, reduced = calls["dp", "all-gather"], calls["dp", "reduce-scatter"]
    assert gathered.bytes * gathered.calls == pytest.approx(5.5e9, rel=0.02)
    assert reduced.bytes * reduced.calls == pytest.approx(2 * 5.5e9, rel=0.02)
    assert calls["pp", "send-recv"].bytes == 6 * 2**20
    gather = calls["tp", "all-gather"]
    assert gather.bytes * 96 / 8 == pytest.approx(560e6, rel=0.09)
    assert gather.bytes * 96 / 8 * 7 / 8 == pytest.approx(560e6, rel=0.06)
    assert gather.calls == 4 * 12 * layout.micro_batches


def test_oversubscription_makes_a_step_longer_by_its_links_alone() -> None:
    """Rings leave a leaf of four servers once, so 4:1 costs them nothing and 16:1 makes them wait; nothing else."""
    tight, enough = (
        builders.get("leaf-spine")(nodes=8, node="dgx-h100", nodes_per_leaf=4, spines=1, oversubscription=ratio)
        for ratio in (16, 4)
    )
    wide = builders.get("leaf-spine")(nodes=8, node="dgx-h100", nodes_per_leaf=4, spines=1)
    slow, same, fast = (
        placed(each, "llama-3-8b", "pytorch-fsdp", accelerators=64, global_batch=64).step.breakdown
        for each in (tight, enough, wide)
    )
    assert same == pytest.approx(fast)
    assert slow.pop("dp") > 2 * fast.pop("dp")
    assert slow == pytest.approx(fast)


def test_accelerators_of_several_kinds_are_refused() -> None:
    links = [{"src": a, "dst": b, "capacity": 1e9} for a, b in (("a", "b"), ("b", "a"))]
    servers = {"a": {"accelerators": 1, "accelerator": "nvidia/h100-sxm"}, "b": {"accelerators": 1}}
    mixed = Topology.from_links(links, servers)
    recipe = Recipe(catalog.model("mpt-125m"), Layout(accelerators=2, global_batch=2), catalog.framework("pytorch-ddp"))
    with pytest.raises(InputError, match="of several kinds is not modelled: nvidia/h100-sxm, unnamed") as caught:
        PlacedStep(recipe, mixed, Router(mixed), [(0, 0), (1, 0)])
    assert caught.value.problems[0].hint == "name one kind as accelerator_types of the job"
