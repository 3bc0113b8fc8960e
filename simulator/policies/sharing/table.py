"""Measured paces of pairs of jobs on one accelerator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.api import interferences
from simulator.workload.jobs import Job

DATA = Path(__file__).parent / "data"
_TABLES = ("gavel-p100", "gavel-v100")


@interferences.register("table")
class InterferenceTable:
    """Paces of pairs as they were measured, by the models of the jobs; several neighbours slow by the product.

    ``table`` names the numbers that come with the project: ``gavel-v100`` or ``gavel-p100`` (26 models and batch
    sizes); empty for none. ``pairs`` adds to them: it maps a model to its paces by the model of the neighbour (0 to 1;
    0: they do not fit together). ``usual`` is the pace beside each neighbour that neither says anything of.

    Source: Narayanan et al., Gavel (OSDI 2020), the throughputs in its repository. The product is ours: only pairs
    were measured.
    """

    def __init__(
        self,
        table: str = "gavel-v100",
        pairs: Mapping[str, Mapping[str, float]] | None = None,
        usual: float = 0.5,
    ) -> None:
        self._paces: dict[tuple[str, str], float] = dict(measured(table)) if table else {}
        if not 0 < usual <= 1:
            raise InputError(f"usual is {usual!r}; it must be a pace above 0, at most 1")
        self.usual = usual
        for model, row in (pairs or {}).items():
            if not isinstance(row, Mapping):
                raise InputError(f"pairs of {model!r} are {row!r}; they must map neighbours to paces")
            for other, pace in row.items():
                if isinstance(pace, bool) or not isinstance(pace, int | float) or not 0 <= pace <= 1:
                    raise InputError(f"pairs of {model!r} with {other!r} are {pace!r}; they must be a pace, 0 to 1")
                self._paces[str(model), str(other)] = float(pace)

    def of_pair(self, model: str, neighbour: str) -> float:
        """Pace of a job of one model beside a job of another.

        >>> InterferenceTable().of_pair("LM (batch size 20)", "ResNet-50 (batch size 64)")
        0.383
        """
        return self._paces.get((model, neighbour), self.usual)

    def pace(self, job: Job, share: float, neighbours: Sequence[tuple[Job, float]]) -> float:
        """Pace of a job beside its neighbours."""
        pace = 1.0
        for other, _ in neighbours:
            pace *= self.of_pair(job.model, other.model)
        return pace


@cache
def measured(table: str) -> Mapping[tuple[str, str], float]:
    """Return the paces of a table by (model, model of the neighbour); ``InputError`` when there is no such table."""
    if table not in _TABLES:
        raise InputError(f"table is {table!r}. {did_you_mean(table, _TABLES)}")
    import yaml

    with (DATA / f"{table}.yaml").open(encoding="utf-8") as file:
        content: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    models = content["models"]
    rows = zip(models, content["paces"], strict=True)
    return {(model, other): value / 1000 for model, row in rows for other, value in zip(models, row, strict=True)}
