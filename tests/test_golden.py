"""Golden digests: the tables of every shipped scenario, to the byte.

A digest that changes means that results changed. If that was meant, say so in the CHANGELOG and write the new ones with
``python -m tests.test_golden``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import simulator as sim
from simulator.metrics.recorder import TABLES
from simulator.scenario.shipped import names

DIGESTS = Path(__file__).parent / "golden.json"


def digests(name: str) -> dict[str, str]:
    """SHA-256 of each table of one replication; floats are rounded to 9 digits, so that another libm may differ."""
    results = sim.run(name, replications=1)
    texts = {table: getattr(results, table).to_csv(index=False, float_format="%.9g") for table in TABLES}
    return {table: hashlib.sha256(text.encode()).hexdigest()[:16] for table, text in texts.items()}


@pytest.mark.parametrize("name", names("scenarios"))
def test_the_tables_are_what_they_were(name: str) -> None:
    assert digests(name) == json.loads(DIGESTS.read_text())[name]


@pytest.mark.parametrize("name", names("scenarios"))
def test_what_a_scenario_expects_comes_true(name: str) -> None:
    results = sim.run(name)
    assert [outcome.text for outcome in results.expectations() if not outcome.ok] == []


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps({name: digests(name) for name in names("scenarios")}, indent=2) + "\n")
