"""Goodput: how fast training comes forward, as the number of accelerators and the batch size together decide it.

After A. Qiao et al., "Pollux: Co-adaptive Cluster Scheduling for Goodput-Optimized Deep Learning" (OSDI 2021), with one
set of timings for each type of accelerator as in S. Jayaram Subramanya et al., "Sia" (SOSP 2023):

    goodput(a, m, s; t) = throughput(a, m, s) x efficiency(M; t)        useful examples per second
    throughput = M / (s T_grad + (T_grad^gamma + T_sync^gamma)^(1 / gamma)),  M = accelerators x m x (s + 1)
    T_grad = alpha_c + beta_c m
    T_sync = 0 on one accelerator, alpha_r + beta_r (K - 2) on one server, alpha_n + beta_n (K - 2) over several
    efficiency = (phi_t + M0) / (phi_t + M)

where m is the local batch, s the extra steps over which gradients are accumulated, M0 the initial batch, K the number
of accelerators, and phi_t the gradient noise scale (examples), which grows as training comes forward.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.workload.speedup import Given

DATA = Path(__file__).parent / "data" / "goodput"
_CANDIDATES = 50
"""Batches that are tried for an allocation, geometric from smallest to largest, as Pollux does."""
_PER_SERVER = 4
"""Accelerators of a server where users choose their sizes (AWS g4dn.12xlarge)."""
_SIZES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48)
"""Numbers of accelerators that users choose from (Pollux's artifact, ``applications.py``)."""
_LONGEST_TUNED = 12 * 3600.0


class Choice(NamedTuple):
    """How a job trains on what it is given: ``local`` batch, extra ``accumulation`` steps, ``batch`` of all."""

    local: int
    accumulation: int
    batch: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of an iteration on one type of accelerator; ``local`` bounds the local batch (examples)."""

    local: tuple[int, int]
    alpha_c: float
    beta_c: float
    alpha_n: float
    beta_n: float
    alpha_r: float
    beta_r: float
    gamma: float
    pair: float = 1.0
    """How much longer synchronisation takes over exactly two servers than over more: measured on AWS g4dn.12xlarge, and
    not in the paper's formula, which has 1."""

    def gradient(self, local: Any) -> Any:
        """Seconds of one pass forward and backward over ``local`` examples."""
        return self.alpha_c + self.beta_c * local

    def synchronisation(self, accelerators: int, servers: int) -> float:
        """Seconds to average gradients, alone."""
        if accelerators <= 1:
            return 0.0
        fixed, more = (self.alpha_n, self.beta_n) if servers > 1 else (self.alpha_r, self.beta_r)
        return (fixed + more * max(accelerators - 2, 0)) * (self.pair if servers == 2 else 1.0)

    def iteration(self, accelerators: int, servers: int, local: Any, accumulation: Any) -> Any:
        """Seconds of one optimizer step; ``local`` and ``accumulation`` may be arrays."""
        gradient, sync = self.gradient(local), self.synchronisation(accelerators, servers)
        return accumulation * gradient + (gradient**self.gamma + sync**self.gamma) ** (1 / self.gamma)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Model:
    """A training job of a kind: what an iteration costs, and what a batch is worth in each phase of the work.

    ``initial`` and ``largest`` bound the batch (examples); ``iterations`` is how many steps of the initial batch reach
    the target. The noise scale ``noise[phase]`` (examples, one for each of ``batches``, geometric between them) holds
    until the share ``ends[phase]`` of the work is done. ``timing`` is by type of accelerator; a type that is not told
    ("") is the first. ``restart`` is in seconds, ``share`` the model's weight in a workload.
    """

    name: str
    initial: int
    largest: int
    iterations: float
    ends: tuple[float, ...]
    batches: tuple[int, ...]
    noise: tuple[tuple[float, ...], ...]
    timing: Mapping[str, Timing]
    restart: float = 30.0
    share: float = 1.0

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    @property
    def examples(self) -> float:
        """The work of the job: examples at the initial batch, where each is worth most."""
        return self.iterations * self.initial

    def efficiency(self, batch: Any, phase: int) -> Any:
        """Progress of an example in a batch of ``batch``, relative to the initial batch: (phi + M0) / (phi + M)."""
        phi = np.exp(np.interp(np.log(batch), np.log(self.batches), np.log(self.noise[phase])))
        return (phi + self.initial) / (phi + batch)

    def usable(self, type: str = "", batch: int = 0) -> int:
        """Most accelerators that the job can use: each needs its smallest local batch; 0 where it does not run."""
        timing = self._timing(type)
        return (batch or self.largest) // timing.local[0] if timing else 0

    def choice(self, accelerators: int, type: str, batch: int) -> Choice:
        """Return how a job whose user fixed the ``batch`` trains.

        Gradients are accumulated as far as memory demands, and once at least on one accelerator above the initial
        batch, where the noise cannot be told from a single pass.
        """
        largest = self._known(type).local[1]
        each = math.ceil(batch / accelerators)
        steps = math.ceil(each / largest) - 1
        if accelerators == 1 and batch > self.initial:
            steps = max(1, steps)
        local = max(1, min(math.ceil(each / (steps + 1)), self.largest // (accelerators * (steps + 1))))
        return Choice(local, steps, local * accelerators * (steps + 1))

    def best(self, given: Given, phase: int) -> Choice:
        """Return the choice of the highest goodput in a phase."""
        local, steps, batch, pace = self._candidates(given)
        at = int(np.argmax(pace[phase]))
        return Choice(int(local[at]), int(steps[at]), int(batch[at]))

    def goodput(self, given: Given, phase: int, batch: int = 0) -> float:
        """Useful examples per second in a phase, with the best batch or the one given; 0 where it does not run."""
        count = min(int(given.accelerators), self.usable(given.type, batch))
        if count < 1:
            return 0.0
        servers = min(given.servers, count)
        if not batch:
            return float(np.max(self._candidates(Given(count, servers, given.type))[3][phase]))
        chosen = self.choice(count, given.type, batch)
        seconds = self._known(given.type).iteration(count, servers, chosen.local, chosen.accumulation)
        return float(chosen.batch / seconds * self.efficiency(chosen.batch, phase))

    def tuned(self, type: str = "") -> tuple[tuple[int, int], ...]:
        """Return the (accelerators, batch) that a sensible user may ask for.

        Each with the batch that is fastest for it, taking at most 12 h, and at 50 to 80 % of perfect speedup over one
        accelerator: those who tune stop where more would be wasted, and start where fewer would take too long
        (artifact, ``applications.py``). Where there is none, one accelerator.
        """
        fastest = [self._fastest(count, type) for count in _SIZES if count <= self.usable(type)]
        alone = fastest[0][0]
        sizes = list(zip(_SIZES, fastest, strict=False))
        good = [(n, b) for n, (s, b) in sizes[1:] if s < _LONGEST_TUNED and 0.5 < alone / s / n < 0.8]
        return tuple(good) or ((1, fastest[0][1]),)

    def _fastest(self, count: int, type: str) -> tuple[float, int]:
        """Seconds for the whole job, and the batch, that are best among the measured batches."""
        given = Given(count, -(-count // _PER_SERVER), type)
        batches = [batch for batch in self.batches if math.ceil(batch / count) >= self._known(type).local[0]]
        return min((Goodput(self, batch).seconds(given), batch) for batch in batches)

    def _candidates(self, given: Given) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Local batch, accumulation and batch of each choice, shape (choices,), and goodput, (phases, choices)."""
        count, timing = int(given.accelerators), self._known(given.type)
        smallest, largest = timing.local
        each = np.geomspace(max(self.initial, smallest * count), self.largest, _CANDIDATES) / count
        steps = np.ceil(each / largest - 1e-8).astype(int) - 1
        if count == 1:
            steps = np.where(each > self.initial + 1e-8, np.maximum(steps, 1), steps)
        local = np.ceil(each / (steps + 1) - 1e-8).astype(int)
        batch = local * (steps + 1) * count
        rate = batch / timing.iteration(count, given.servers, local, steps)
        fits = (local >= smallest) & (local <= largest)
        pace = np.array([np.where(fits, rate * self.efficiency(batch, phase), 0.0) for phase in range(len(self.ends))])
        return local, steps, batch, pace

    def _timing(self, type: str) -> Timing | None:
        return self.timing.get(type) if type else next(iter(self.timing.values()))

    def _known(self, type: str) -> Timing:
        timing = self._timing(type)
        if timing is None:
            raise InputError(f"model {self.name!r} has no timing on {type!r}. {did_you_mean(type, self.timing)}")
        return timing


@dataclass(frozen=True, slots=True)
class Goodput:
    """The pace of a job of a ``model`` (a ``workload.speedup.Speedup``), linear within each phase of its work.

    ``batch`` 0: the batch is chosen anew for each allocation and phase, as Pollux's agents do; else it is what the user
    fixed. Accelerators beyond what the batch can be spread over do nothing, and a share of one runs at that share of
    its pace. The job does not run on a type that the model knows nothing of; a type that is not told ("") is the
    model's first.
    """

    model: Model
    batch: int = 0

    def seconds(self, given: Given, fraction: float = 1.0) -> float:
        """Seconds until ``fraction`` is done."""
        if fraction <= 0:
            return 0.0
        ends, done = _progress(self.model, self.batch, given)
        phase = min(bisect_left(self.model.ends, fraction), len(self.model.ends) - 1)
        low = self.model.ends[phase - 1] if phase else 0.0
        return done[phase] + (min(fraction, 1.0) - low) * ends[phase]

    def fraction(self, given: Given, seconds: float) -> float:
        """Share that is done after ``seconds``."""
        slopes, starts = _progress(self.model, self.batch, given)
        if seconds <= 0 or math.isinf(slopes[0]):
            return 0.0
        phase = max(bisect_left(starts, seconds) - 1, 0)
        low = self.model.ends[phase - 1] if phase else 0.0
        return min(self.model.ends[phase], low + (seconds - starts[phase]) / slopes[phase])


@lru_cache(maxsize=65536)
def _progress(model: Model, batch: int, given: Given) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds for each unit of the work, and seconds at which it begins, of each phase."""
    share = min(given.accelerators, 1.0)
    whole = Given(max(1, int(given.accelerators)), given.servers, given.type)
    paces = [model.goodput(whole, phase, batch) * share for phase in range(len(model.ends))]
    slopes = tuple(model.examples / pace if pace > 0 else math.inf for pace in paces)
    if math.inf in slopes:
        return (math.inf,) * len(slopes), (0.0,) * len(slopes)
    lengths = np.diff(np.append(0.0, model.ends))
    return slopes, tuple(np.append(0.0, np.cumsum(lengths * slopes)[:-1]).tolist())


@cache
def models(name: str = "pollux") -> dict[str, Model]:
    """Return the models that come with the project, by name, in the order of their size.

    >>> list(models())
    ['ncf', 'cifar10', 'deepspeech2', 'bert', 'yolov3', 'imagenet']
    """
    import yaml

    with (DATA / f"{name}.yaml").open(encoding="utf-8") as file:
        found = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {key: _model(key, fields) for key, fields in found["models"].items()}


def model(name: str) -> Model:
    """Return one model; raises ``InputError`` with the nearest name."""
    known = models()
    if name not in known:
        raise InputError(f"there is no goodput model {name!r}. {did_you_mean(name, known)}")
    return known[name]


def _model(name: str, fields: Mapping[str, Any]) -> Model:
    initial, largest = fields["batch"]
    timing = {
        type: Timing(tuple(row["local"]), **{key: float(value) for key, value in row.items() if key != "local"})
        for type, row in fields["timing"].items()
    }
    columns = [[float(value) for value in row] for row in fields["noise"].values()]
    noise = tuple(zip(*columns, strict=True))
    ends, batches = tuple(map(float, fields["phases"])), tuple(map(int, fields["noise"]))
    rest = {key: float(fields[key]) for key in ("restart", "share")}
    return Model(name, initial, largest, float(fields["iterations"]), ends, batches, noise, timing, **rest)
