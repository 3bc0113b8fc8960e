"""Hardware that fails, what goes down with it, who notices when, and how it comes back."""

from __future__ import annotations

from simulator.runtime.failures.blast import COMPONENTS, Component, components
from simulator.runtime.failures.part import Failures
from simulator.runtime.failures.repair import REPAIRS, Repair
from simulator.runtime.failures.sources import Lemons, LoggedFailure, LoggedSource, Source

__all__ = [
    "COMPONENTS",
    "REPAIRS",
    "Component",
    "Failures",
    "Lemons",
    "LoggedFailure",
    "LoggedSource",
    "Repair",
    "Source",
    "components",
]
