"""Training: the time of an optimizer step, its memory, and what it says over the network.

``step`` is the way in; ``Layout`` says how the job is spread out. The simpler ``iteration_time`` is for jobs of which
only compute time and gradient bytes are known.
"""

from __future__ import annotations

from simulator.models.architecture import flops, generic, parameters
from simulator.models.training.communications import Communication
from simulator.models.training.footprint import Memory, memory
from simulator.models.training.inputs import fed
from simulator.models.training.iteration import iteration_time, ring_latency, ring_volume, slowed
from simulator.models.training.layout import AXES, Layout, groups, sample
from simulator.models.training.network import Alone, Network
from simulator.models.training.search import nearest_fit, ranked
from simulator.models.training.timing import PARTS, Step, step

__all__ = [
    "AXES",
    "PARTS",
    "Alone",
    "Communication",
    "Layout",
    "Memory",
    "Network",
    "Step",
    "fed",
    "flops",
    "generic",
    "groups",
    "iteration_time",
    "memory",
    "nearest_fit",
    "parameters",
    "ranked",
    "ring_latency",
    "ring_volume",
    "sample",
    "slowed",
    "step",
]
