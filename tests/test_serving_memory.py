import pytest

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.architecture import parameters
from simulator.models.serving import ReplicaShape, fitted, footprint, kv_bytes, replica, smallest

VLLM = catalog.engine("vllm-0.19")
H100 = catalog.accelerator("h100-sxm")


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("llama-3.1-8b", 2 * 32 * 8 * 128 * 2),
        ("llama-2-7b", 2 * 32 * 32 * 128 * 2),
        ("llama-3.1-405b", 2 * 126 * 8 * 128 * 2),
        ("qwen3-32b", 2 * 64 * 8 * 128 * 2),
        ("deepseek-v3", 61 * (512 + 64) * 2),
        ("gpt-oss-120b", 2 * 36 * 8 * 64 * 2),
    ],
)
def test_bytes_of_keys_and_values(model, size):
    assert kv_bytes(catalog.model(model)) == size
    assert kv_bytes(catalog.model(model), "fp8") == size / 2


@pytest.mark.parametrize("model", [each.id for each in catalog.records("model") if each.context])
def test_weights_are_the_parameters(model):
    row = catalog.model(model)
    found = footprint(row, H100, ReplicaShape(), VLLM)
    # what is left out: norms, biases, learned positions
    assert 2 * parameters(row) * 0.995 < found.weights <= 2 * parameters(row)


def test_weights_of_the_parts_add_up():
    row = catalog.model("qwen3-235b-a22b")
    whole = footprint(row, H100, ReplicaShape(), VLLM).weights
    assert 8 * footprint(row, H100, ReplicaShape(tp=8), VLLM).weights == pytest.approx(whole, rel=0.01)
    # experts are spread over all ranks, all else is on each
    spread = footprint(row, H100, ReplicaShape(dp=8, ep=8), VLLM).weights
    assert whole / 8 < spread < whole / 8 + 2 * 8e9
    assert footprint(row, H100, ReplicaShape(dp=8), VLLM).weights == spread


def test_heads_are_not_cut_further_than_there_are():
    row = catalog.model("llama-3.1-8b")
    tokens = [footprint(row, H100, ReplicaShape(tp=tp), VLLM).token for tp in (1, 8, 16)]
    assert tokens == [131072, 131072 / 8, 131072 / 8]
    latent = [footprint(catalog.model("deepseek-v3"), H100, ReplicaShape(tp=tp), VLLM).token for tp in (1, 8)]
    assert latent == [70272, 70272]


def test_windows_take_memory_once_for_each_sequence():
    row = catalog.model("gpt-oss-20b")
    found = footprint(row, H100, ReplicaShape(weights="mxfp4"), VLLM, sequences=100)
    assert found.token == kv_bytes(row) / 2
    assert found.windows == 100 * 128 * kv_bytes(row) / 2


def test_llama_8b_on_an_h100_leaves_what_vllm_leaves():
    # vLLM says 0.9 x memory - weights - about 2 GB: here of 80e9 bytes, as the catalog has it
    made = replica(catalog.model("llama-3.1-8b"), H100, ReplicaShape(), VLLM)
    assert made.blocks * 16 * 131072 == pytest.approx(72e9 - 16.06e9 - 2.1e9, rel=0.001)
    assert made.kv_bytes == 131072
    assert made.context == 131072
    assert made.swap == pytest.approx(0.8 * 64e9)


def test_own_blocks_count():
    made = replica(catalog.model("llama-3.1-405b"), H100, ReplicaShape(), VLLM, blocks=1000)
    assert made.blocks == 1000
    with pytest.raises(InputError, match="0 KV blocks: a replica needs at least 1"):
        replica(catalog.model("llama-3.1-8b"), H100, ReplicaShape(), VLLM, blocks=0)


def test_what_does_not_fit_says_what_is_missing_and_what_does():
    with pytest.raises(InputError) as caught:
        fitted(catalog.model("llama-3.1-70b"), H100, ReplicaShape(), VLLM)
    assert str(caught.value) == (
        "meta/llama-3.1-70b in bf16 with tp 1, pp 1 does not fit into nvidia/h100-sxm: 72.1 GB an accelerator are "
        "missing (141 GB of weights, 2.94 GB of activations and reserve and 0.00524 GB for one block of 16 tokens, "
        "against 72 GB); the smallest that does is tp 1, pp 3"
    )


@pytest.mark.parametrize(("model", "weights"), [("llama-3.1-70b", "bf16"), ("llama-3.1-405b", "fp8")])
def test_the_smallest_shape_fits_and_nothing_smaller_does(model, weights):
    row, shape = catalog.model(model), ReplicaShape(weights=weights)
    tp, pp = smallest(row, H100, shape, VLLM)
    for one in range(1, tp * pp + 1):
        for wide in (each for each in range(1, 9) if one % each == 0 and row.heads % each == 0):
            tried = ReplicaShape(tp=wide, pp=one // wide, weights=weights)
            fits = footprint(row, H100, tried, VLLM).blocks(16) >= 1
            assert fits <= (one == tp * pp)


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        ("llama-3.1-8b", {"tp": 3}, "tp 3 does not divide the 32 heads of meta/llama-3.1-8b: it may be 1, 2, 4, "
         "8, 16, 32"),
        ("llama-3.1-8b", {"pp": 33}, "pp 33 is more than the 32 layers of meta/llama-3.1-8b"),
        ("llama-3.1-8b", {"dp": 0}, "dp 0 is below 1"),
        ("llama-3.1-8b", {"tp": 2, "ep": 2}, "ep 2: meta/llama-3.1-8b has no experts"),
        ("qwen3-30b-a3b", {"tp": 4, "ep": 3}, "ep 3 must divide tp * dp = 4 and the 128 experts of qwen/qwen3-30b-a3b: "
         "it may be 1, 2, 4"),
        ("qwen3-30b-a3b", {"tp": 4, "ep": 4, "imbalance": 5}, "imbalance 5 is not from 1 to ep = 4"),
        ("llama-3.1-8b", {"weights": "fp9"}, "unknown precision of weights 'fp9'. Did you mean 'fp8'? Known: bf16, "
         "fp16, fp32, fp4, fp8, int4, int8, mxfp4."),
        ("llama-3.1-8b", {"kv": "fp88"}, "unknown precision of keys and values 'fp88'. Did you mean 'fp8'? "
         "Known: bf16, fp16, fp32, fp8, int4, int8."),
        ("bert-large", {}, "google/bert-large is no decoder: it does not generate tokens"),
    ],
)  # fmt: skip
def test_shapes_that_cannot_be(model, shape, text):
    with pytest.raises(InputError) as caught:
        ReplicaShape(**shape).check(catalog.model(model))
    assert str(caught.value) == text
