"""A discrete-event simulator of clusters that run AI work.

The names below are all that a notebook needs; each is imported when it is first used::

    import simulator as sim

    results = sim.run("quickstart", seed=7)
    results.summary()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cluster import catalog
    from simulator.cluster.topology import Topology
    from simulator.core.errors import InputError, PolicyError, SimulatorError
    from simulator.experiment.collectives import collective
    from simulator.experiment.collisions import compare_routing
    from simulator.experiment.results import Results
    from simulator.experiment.run import compare, run
    from simulator.experiment.train_step import train_step
    from simulator.experiment.transfers import flapping, simulate_transfers
    from simulator.policies.api import ClusterView, Hold, Migrate, Preempt, Reject, Resize, Share, Start
    from simulator.policies.order import by
    from simulator.scenario.spec import Scenario
    from simulator.workload.jobs import BatchJob, TrainingJob, Transfer
    from simulator.workload.speedup import ByCount, ByType, Given
    from simulator.workload.trace import Trace

__all__ = [
    "BatchJob",
    "ByCount",
    "ByType",
    "ClusterView",
    "Given",
    "Hold",
    "InputError",
    "Migrate",
    "PolicyError",
    "Preempt",
    "Reject",
    "Resize",
    "Results",
    "Scenario",
    "Share",
    "SimulatorError",
    "Start",
    "Topology",
    "Trace",
    "TrainingJob",
    "Transfer",
    "by",
    "catalog",
    "collective",
    "compare",
    "compare_routing",
    "flapping",
    "run",
    "simulate_transfers",
    "train_step",
]

_HOME = {
    "BatchJob": "workload.jobs",
    "ByCount": "workload.speedup",
    "ByType": "workload.speedup",
    "ClusterView": "policies.api",
    "Given": "workload.speedup",
    "Hold": "policies.api",
    "InputError": "core.errors",
    "Migrate": "policies.api",
    "PolicyError": "core.errors",
    "Preempt": "policies.api",
    "Reject": "policies.api",
    "Resize": "policies.api",
    "Results": "experiment.results",
    "Scenario": "scenario.spec",
    "Share": "policies.api",
    "SimulatorError": "core.errors",
    "Start": "policies.api",
    "Topology": "cluster.topology",
    "Trace": "workload.trace",
    "TrainingJob": "workload.jobs",
    "Transfer": "workload.jobs",
    "by": "policies.order",
    "catalog": "cluster",
    "collective": "experiment.collectives",
    "compare": "experiment.run",
    "compare_routing": "experiment.collisions",
    "flapping": "experiment.transfers",
    "run": "experiment.run",
    "simulate_transfers": "experiment.transfers",
    "train_step": "experiment.train_step",
}
"""Where each public name lives; a name that is itself a module stands beside its package."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ai-cluster-simulator")
    if name not in _HOME:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}; it has {', '.join(__all__)}")
    home = importlib.import_module(f"simulator.{_HOME[name]}")
    return getattr(home, name, None) or importlib.import_module(f"{home.__name__}.{name}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
