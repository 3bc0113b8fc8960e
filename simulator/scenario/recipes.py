"""Training jobs of a model and a layout: checked against the cluster that they will run on."""

from __future__ import annotations

from simulator.cluster import catalog
from simulator.core.errors import InputError
from simulator.models.training import Layout
from simulator.runtime.recipe import Recipe
from simulator.scenario.jobs import TrainingKeys

DEFAULT_FRAMEWORK = "megatron-core"


def recipe(keys: TrainingKeys) -> Recipe:
    """Return model, layout and framework of a job; raise ``InputError`` for names and degrees that do not suit."""
    assert keys.model is not None
    assert keys.layout is not None
    if keys.accelerators < 1:
        raise InputError(f"a model is trained on whole accelerators, not on {keys.accelerators:g}")
    layout = Layout(accelerators=int(keys.accelerators), **keys.layout.model_dump())
    return Recipe(catalog.model(keys.model), layout, catalog.framework(keys.framework or DEFAULT_FRAMEWORK))
