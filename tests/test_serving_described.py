import pytest

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.architecture import parameters
from simulator.models.serving import AnalyticTime, ReplicaShape, described
from simulator.models.serving.api import Batch

KEYS = {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "ffn": 14336, "gated": True, "vocab": 128256}


def test_a_described_model_is_the_model():
    model = described({**KEYS, "name": "mine", "context": 131072})
    assert (model.id, model.context, model.sequence) == ("mine", 131072, 131072)
    assert parameters(model) == parameters(catalog.model("llama-3.1-8b"))
    batch = [Batch((), 8, 8000.0, 8000.0)]
    mine, theirs = (
        AnalyticTime(each, catalog.accelerator("h100-sxm"), ReplicaShape(), catalog.engine("vllm")).seconds(batch)
        for each in (model, catalog.model("llama-3.1-8b"))
    )
    assert mine == theirs


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"layer": 3}, "model: unknown key 'layer'\n    Did you mean 'layers'? Known: "),
        ({"layers": "many"}, "model.layers: 'many' is not a whole number, 0 or more"),
        ({"heads": -1}, "model.heads: -1 is not a whole number, 0 or more"),
        ({"gated": 1}, "model.gated: 1 is not true or false"),
        ({"vocab": 0}, "model: a transformer needs vocab"),
        ({"kv_heads": 5}, "model: heads 32 is not a multiple of kv_heads 5"),
    ],
)
def test_what_cannot_be_described(change, text):
    with pytest.raises(InputError) as caught:
        described({**KEYS, **change})
    assert str(caught.value).startswith(text)
