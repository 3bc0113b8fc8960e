"""How long a language model takes on an accelerator, what fits beside its weights, and what a token costs.

``replica`` is the way in: a model on accelerators of one type, in a ``ReplicaShape``, under an engine of the catalog.
"""

from __future__ import annotations

from simulator.models.serving.analytic import AnalyticTime
from simulator.models.serving.called import CalledTime
from simulator.models.serving.described import described
from simulator.models.serving.interconnect import Interconnect
from simulator.models.serving.memory import Fit, fitted, footprint, smallest
from simulator.models.serving.replica import Replica, replica
from simulator.models.serving.shape import ReplicaShape
from simulator.models.serving.speculation import Speculation
from simulator.models.serving.table import TableTime, read_table
from simulator.models.serving.work import kv_bytes

__all__ = [
    "AnalyticTime",
    "CalledTime",
    "Fit",
    "Interconnect",
    "Replica",
    "ReplicaShape",
    "Speculation",
    "TableTime",
    "described",
    "fitted",
    "footprint",
    "kv_bytes",
    "read_table",
    "replica",
    "smallest",
]
