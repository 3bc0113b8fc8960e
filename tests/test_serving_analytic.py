import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.cluster import catalog
from simulator.models.architecture import parameters
from simulator.models.serving import AnalyticTime, ReplicaShape, Speculation, kv_bytes
from simulator.models.serving.api import Batch, Chunk
from simulator.models.serving.constants import Constants
from simulator.models.serving.work import distinct, pairs

H100 = catalog.accelerator("h100-sxm")
ENGINE = catalog.engine("vllm-0.19")
BARE = catalog.engine("kernels-only")
IDEAL = Constants(
    memory=1.0, norm=math.inf, attention=1.0, layer=0.0, reduce_step=0.0, reduce_share=1.0, product=1.0,
    expert_layer=0.0, grouped=1.0,
)  # fmt: skip
CASES = [
    ("llama-3.1-8b", {}),
    ("llama-3.1-70b", {"tp": 4, "pp": 2}),
    ("qwen3-235b-a22b", {"tp": 4, "dp": 2, "ep": 8, "weights": "fp8"}),
    ("qwen3-30b-a3b", {"dp": 3}),
    ("deepseek-v3", {"dp": 3, "weights": "fp8", "kv": "fp8"}),
    ("gpt-oss-20b", {"weights": "mxfp4"}),
    ("gpt-oss-20b", {"tp": 2, "pp": 3, "dp": 2, "ep": 4}),
]


def made(model="llama-3.1-8b", engine=ENGINE, speculation=None, constants=None, accelerator=H100, **shape):
    more = {} if constants is None else {"constants": constants}
    return AnalyticTime(
        catalog.model(model), accelerator, ReplicaShape(**shape), engine, speculation=speculation, **more
    )


def decode(n, context, windowed=None):
    return Batch((), n, n * context, n * (context if windowed is None else windowed))


@pytest.mark.parametrize(("model", "shape"), CASES)
@pytest.mark.parametrize("guesses", [0, 3])
@settings(max_examples=40)
@given(data=st.data())
def test_decoding_is_the_closed_form_of_seconds(model, shape, guesses, data):
    speculation = Speculation(guesses, 0.7, made("llama-3.2-1b")) if guesses else None
    time = made(model, speculation=speculation, **shape)
    ranks = shape.get("dp", 1)
    counts = data.draw(st.lists(st.integers(0, 300), min_size=ranks, max_size=ranks).filter(any))
    totals = [data.draw(st.integers(count, 4000 * count)) if count else 0 for count in counts]
    seen = [data.draw(st.integers(0, total)) for total in totals]
    batches = [Batch((), n, float(s), float(w)) for n, s, w in zip(counts, totals, seen, strict=True)]
    form = time.decoding(counts, totals)
    longest = max(form.context * s + form.windowed * w for s, w in zip(totals, seen, strict=True))
    assert form.until == math.inf
    assert time.seconds(batches) == pytest.approx(form.base + longest, rel=1e-12)


@pytest.mark.parametrize("n", [1, 30, 400])
def test_the_closed_form_holds_where_launches_decide(n):
    time = made("llama-3.1-70b", catalog.engine("vllm-0.2"), tp=8)
    form = time.decoding([n], [n])
    for context in (n, 1000 * n, 8000 * n):
        batch = [Batch((), n, float(context), float(context))]
        assert time.seconds(batch) == pytest.approx(form.base + form.context * context, rel=1e-12)


@pytest.mark.parametrize(("model", "shape"), CASES)
def test_an_empty_chunk_list_and_a_tiny_chunk_differ_by_little(model, shape):
    # the two ways through the formulas, with chunks and without, meet
    time = made(model, **shape)
    ranks = shape.get("dp", 1)
    idle = [decode(64, 2000, min(2000, time.window))] * ranks
    busy = [rank._replace(chunks=(Chunk(1, 0, False),)) for rank in idle]
    assert time.seconds(idle) < time.seconds(busy) < 1.06 * time.seconds(idle)


def test_decoding_one_sequence_reads_every_weight_and_key_once():
    model = catalog.model("llama-3.1-8b")
    time = made(engine=BARE, constants=IDEAL)
    norms_and_embedding = (2 * model.layers + 1) * model.hidden + model.vocab * model.hidden
    weights = 2 * (parameters(model) - norms_and_embedding)
    activations = 32 * 2 * (8 * 4096 + 2 * (32 + 8) * 128 + 3 * 14336)
    expected = (weights + kv_bytes(model) * 1001 + activations) / H100.memory_bandwidth
    assert time.seconds([decode(1, 1000)]) == pytest.approx(expected, rel=1e-12)


def test_a_long_prompt_takes_two_flops_a_weight_and_its_attention():
    model = catalog.model("llama-3.1-8b")
    time = made(engine=BARE, constants=IDEAL)
    matrices = parameters(model) - (2 * model.layers + 1) * model.hidden - 2 * model.vocab * model.hidden
    head = model.vocab * model.hidden
    attention = 4 * 4096 * 32 * 8192 * 8193 / 2
    flops = 2 * (8192 * matrices + head) + attention
    moved = 8192 * 32 * 2 * (8 * 4096 + 2 * (32 + 8) * 128 + 3 * 14336) / H100.memory_bandwidth
    rate = H100.measured_bf16
    assert time.seconds([Batch((Chunk(8192, 0),))]) == pytest.approx(flops / rate + moved, rel=1e-9)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8), st.integers(1, 6000))
def test_pairs_of_chunks_add_up_to_those_of_the_prompt(chunks, window):
    whole = sum(chunks)
    starts = [sum(chunks[:place]) for place in range(len(chunks))]
    for seen in (float(window), math.inf):
        parts = sum(pairs(new, before, seen) for new, before in zip(chunks, starts, strict=True))
        assert parts == pytest.approx(pairs(whole, 0, seen), rel=1e-12)
        assert pairs(whole, 0, seen) == sum(min(token, seen) for token in range(1, whole + 1))


def test_more_work_never_takes_less_time():
    time = made("qwen3-30b-a3b", tp=2)
    counts = [time.seconds([decode(n, 1000)]) for n in range(1, 400)]
    assert counts == sorted(counts)
    prompts = [time.seconds([Batch((Chunk(new, 0),))]) for new in range(1, 4000, 37)]
    assert prompts == sorted(prompts)


@pytest.mark.parametrize("n", [1, 64])
def test_tensor_parallelism_helps_less_than_in_proportion(n):
    times = [made("llama-3.1-70b", tp=tp).seconds([decode(n, 1000)]) for tp in (1, 2, 4, 8)]
    for one, two in pairwise(times):
        assert one / 2 < two < one


def test_pipelines_keep_as_many_parts_of_the_batch_under_way_as_they_have_stages():
    flat, deep = made("llama-3.1-70b", tp=2), made("llama-3.1-70b", tp=2, pp=4)
    # a lone sequence visits all stages in turn and gains nothing
    assert deep.seconds([decode(1, 1000)]) > flat.seconds([decode(1, 1000)])
    # a full batch takes what a quarter of it takes through all layers, and three hops
    quarter = flat.seconds([decode(64, 1000)])
    assert quarter < deep.seconds([decode(256, 1000)]) < quarter * 1.05 + 192 * ENGINE.sequence


def test_ranks_in_lockstep_wait_for_the_longest():
    time = made("qwen3-235b-a22b", tp=4, dp=2, ep=8, weights="fp8")
    even, uneven = [decode(32, 2000), decode(32, 2000)], [decode(32, 3000), decode(32, 1000)]
    alone = [decode(32, 3000), Batch()]
    assert time.seconds(even) < time.seconds(uneven)
    # the other rank's tokens wake experts too
    assert time.seconds(alone) < time.seconds(uneven)
    assert time.seconds(uneven) == pytest.approx(time.seconds(uneven[::-1]), rel=1e-15)


def test_distinct_experts():
    assert distinct(128, 8, 1) == pytest.approx(8)
    assert distinct(128, 8, 16) == pytest.approx(128 * (1 - (15 / 16) ** 16))
    assert distinct(8, 2, 10_000) == pytest.approx(8)


def test_a_measured_layer_of_experts():
    # vLLM's fused layer of Qwen3 30B-A3B on an RTX PRO 6000, 16 tokens that visit so many of 128 experts
    # (casys-kaist/LLMServingSim profiler/perf): microseconds
    measured = {8: 57, 16: 131, 32: 230, 64: 424, 128: 818}
    constants = Constants()
    card = catalog.accelerator("rtx-pro-6000-server")
    size = 3 * 2048 * 768 * 2
    for awake, reference in measured.items():
        found = awake * size / (card.memory_bandwidth * constants.memory)
        found += constants.expert_layer * constants.slowness(card)
        assert found * 1e6 == pytest.approx(reference, rel=0.21), awake


def test_sliding_windows_bound_attention():
    time = made("gpt-oss-20b", weights="mxfp4")
    assert time.window == 128
    assert made().window == math.inf
    form = time.decoding([1], [1000])
    assert form.windowed == pytest.approx(form.context)  # half of the layers each
    full = replace(catalog.model("gpt-oss-20b"), window=0, windowed_layers=0)
    wide = AnalyticTime(full, H100, ReplicaShape(weights="mxfp4"), ENGINE)
    assert wide.decoding([1], [0]).context == pytest.approx(2 * form.context)
    prompt = [Batch((Chunk(8192, 0),))]
    assert time.seconds(prompt) < wide.seconds(prompt)


def test_speculation_checks_more_tokens_and_gets_more():
    draft = made("llama-3.2-1b")
    plain, guessing = made("llama-3.1-70b", tp=4), made("llama-3.1-70b", tp=4, speculation=Speculation(4, 0.8, draft))
    assert guessing.advance == pytest.approx(1 + 0.8 + 0.8**2 + 0.8**3 + 0.8**4)
    assert Speculation(3, 1.0).advance == 4
    assert Speculation(3, 0.0).advance == 1
    one = [decode(1, 1000)]
    assert plain.seconds(one) + 4 * draft.unhosted().seconds(one) < guessing.seconds(one)
    assert guessing.seconds(one) / guessing.advance < plain.seconds(one)


def test_fixed_times_shrink_with_the_rate_of_products_within_bounds():
    pace = {
        name: Constants().slowness(catalog.accelerator(name)) for name in ("a100-sxm-80", "h100-sxm", "gb300", "t4")
    }
    assert pace["a100-sxm-80"] == pytest.approx((300 / 271.2) ** 0.7)
    assert pace["h100-sxm"] == pytest.approx((300 / 794.5) ** 0.7)
    assert 0.25 <= pace["gb300"] < pace["h100-sxm"]
    assert pace["t4"] == 2.0


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0, 0.5), "speculative tokens 0 is below 1"),
        ((2, 1.5), "acceptance 1.5 is not from 0 to 1"),
    ],
)
def test_speculation_out_of_range(numbers, text):
    with pytest.raises(Exception, match=text):
        Speculation(*numbers)


def test_host_time_is_step_and_sequences_and_launches_that_go_on_beside_kernels():
    batch = [decode(10, 100)]
    bare = made(engine=BARE).seconds(batch)
    slow = replace(BARE, step=2e-3, sequence=1e-5)
    assert made(engine=slow).seconds(batch) == pytest.approx(bare + 2e-3 + 1e-4)
    assert made(engine=replace(BARE, layer=1e-6)).seconds(batch) == pytest.approx(bare)
    eager = made(engine=replace(BARE, layer=1e-3)).seconds(batch)
    assert 0.032 < eager < 0.0325


@pytest.mark.parametrize("accelerator", [each.id for each in catalog.records("accelerator")])
def test_every_accelerator_with_a_peak_gives_a_time(accelerator):
    row = catalog.accelerator(accelerator)
    shape = ReplicaShape(weights="bf16" if {"bf16", "fp16", "fp32"} & set(row.flops) else "int8")
    if not row.flops:
        with pytest.raises(Exception, match="has no published peak"):
            AnalyticTime(catalog.model("llama-3.1-8b"), row, shape, ENGINE)
        return
    time = AnalyticTime(catalog.model("llama-3.1-8b"), row, shape, ENGINE)
    size = 15.01e9 * (0.5 if shape.weights == "int8" else 1)
    least = size / row.memory_bandwidth
    assert least < time.seconds([decode(1, 100)]) < 2.2 * least + 0.005
    flops = 2 * 7e9 * 2048
    assert flops / max(row.flops.values()) < time.seconds([Batch((Chunk(2048, 0),))]) < 120


def test_an_accelerator_without_the_format_says_what_it_has():
    with pytest.raises(Exception, match=r"^amd/alveo-u250 cannot compute with weights in bf16: it has int8$"):
        made(accelerator=catalog.accelerator("alveo-u250"))
