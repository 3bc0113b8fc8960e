"""How a job writes checkpoints that cost something: how often, how long it stands still, where the bytes go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

RULES = ("young", "daly", "adaptive")
"""Intervals that follow from how often failures come and what a checkpoint costs."""
Mode = Literal["synchronous", "asynchronous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The checkpoints of a job. Times in seconds of the clock, sizes in bytes of the whole job.

    Every ``every`` seconds of work a checkpoint begins: a number, or a rule of ``RULES``. ``synchronous`` ones let the
    job stand still until they are written; ``asynchronous`` ones only for the ``snapshot``, after which the bytes are
    written beside the work, and the next one waits until they are. A checkpoint counts when it is written, and holds
    the work as of its beginning. It takes ``write`` seconds, or as long as ``size`` bytes need from the servers of the
    job to ``store``, from where they are read again after a stop. ``load`` seconds pass after a stop besides the
    restart of the job, once there is a checkpoint to load.

    Two phases, of which only the first holds up training, are how PyTorch's distributed checkpoint does it
    (``torch.distributed.checkpoint.async_save``, since 2.3) and Megatron Core (``dist_checkpointing``, 0.7 and later).

    Raises ``ValueError`` that begins with the name of the number that makes no sense.
    """

    every: float | str
    write: float = 0.0
    size: float = 0.0
    store: str = ""
    mode: Mode = "synchronous"
    snapshot: float = 0.0
    load: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.every, str):
            if self.every not in RULES:
                raise ValueError(f"every is {self.every!r}; it must be a time, or one of {', '.join(RULES)}")
        elif not self.every > 0:
            raise ValueError(f"every is {self.every:g} s; it must be above 0, or the job would do nothing but write")
        for name in ("write", "size", "snapshot", "load"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must be a finite number, 0 or more")
        if self.mode not in ("synchronous", "asynchronous"):
            raise ValueError(f"mode is {self.mode!r}; it must be synchronous or asynchronous")
        self._check_together()

    def _check_together(self) -> None:
        if self.store and self.write:
            raise ValueError(f"write is {self.write:g} s, but the bytes go to store {self.store!r}, which tells")
        if self.store and not self.size:
            raise ValueError(f"size is 0 bytes: nothing would go to store {self.store!r}")
        if self.size and not self.store:
            raise ValueError(f"size is {self.size:g} bytes, but no store takes them: name one, or give write as a time")
        if self.snapshot and self.mode == "synchronous":
            raise ValueError(f"snapshot is {self.snapshot:g} s; only asynchronous checkpoints have one")
        if isinstance(self.every, str) and not (self.store or self.stall(self.write)):
            what = "a write" if self.mode == "synchronous" else "a snapshot"
            raise ValueError(f"every is {self.every!r}, which weighs losses against a cost: give {what} above 0 s")

    def stall(self, write: float) -> float:
        """Seconds that a job stands still for a checkpoint whose bytes take ``write`` seconds."""
        return write if self.mode == "synchronous" else self.snapshot
