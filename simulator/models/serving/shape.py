"""How a replica is spread over accelerators, and in which formats it keeps weights, keys and values."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cluster.records import Model
from simulator.core.errors import InputError
from simulator.models.serving.precision import kv_width, weights


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaShape:
    """Degrees of parallelism and formats of one replica, which takes ``tp * pp * dp`` accelerators.

    ``dp`` ranks keep requests of their own and run in lockstep. Routed experts are spread over all ``tp * dp``
    accelerators of a pipeline stage: in ``ep`` groups of whole experts, each of them cut over the accelerators of its
    group. ``ep = 1`` cuts every expert over all of them, as vLLM does without ``--enable-expert-parallel``.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    weights: str = "bf16"
    kv: str = "bf16"
    imbalance: float | None = None
    """Tokens of the busiest group of experts over their mean; what chance makes of equal odds where it is None."""

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp

    @property
    def stage(self) -> int:
        """Accelerators of one pipeline stage."""
        return self.tp * self.dp

    def check(self, model: Model) -> None:
        """Raise ``InputError`` when a model cannot be spread like this."""
        if model.kind != "transformer" or not model.causal:
            raise InputError(f"{model.id} is no decoder: it does not generate tokens")
        weights(self.weights)
        kv_width(self.kv)
        for name in ("tp", "pp", "dp", "ep"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} is below 1")
        if model.heads % self.tp:
            fits = [str(tp) for tp in range(1, model.heads + 1) if model.heads % tp == 0]
            raise InputError(
                f"tp {self.tp} does not divide the {model.heads} heads of {model.id}: it may be {', '.join(fits)}"
            )
        if self.pp > model.layers:
            raise InputError(f"pp {self.pp} is more than the {model.layers} layers of {model.id}")
        if self.ep > 1 and not model.experts:
            raise InputError(f"ep {self.ep}: {model.id} has no experts")
        if self.stage % self.ep or (self.ep > 1 and model.experts % self.ep):
            fits = [str(n) for n in range(1, self.stage + 1) if self.stage % n == 0 and model.experts % n == 0]
            raise InputError(
                f"ep {self.ep} must divide tp * dp = {self.stage} and the {model.experts} experts of {model.id}: "
                f"it may be {', '.join(fits)}"
            )
        if self.imbalance is not None and not 1 <= self.imbalance <= self.ep:
            raise InputError(f"imbalance {self.imbalance:g} is not from 1 to ep = {self.ep}")
