"""The sweep on bare rows: against the definition after any history, and the same bits when it is compiled."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.core.rng import stream
from simulator.models.fairshare import kernel, max_min, rows
from simulator.models.fairshare.net import Net

ROOT = Path(__file__).parents[1]
PLAIN = kernel.plain()


class Driver:
    """Classes on rows that some code keeps up to date."""

    def __init__(self, capacity: list[float], code: Any) -> None:
        self.net, self.code = Net(capacity), code
        self.compiled = code is not PLAIN
        if self.compiled:
            self.net.pack()
        self.slots: list[int] = []
        self.timed = 0

    def rows(self) -> tuple[Any, ...]:
        return self.net.links, self.net.flows, self.net.entries

    def join(self, links: list[int], usage: list[float], number: float, limit: float) -> None:
        slot = self.net.take(links, usage)
        self.code.attach(*self.rows(), slot, number, limit, True, 0.0)
        self.slots.append(slot)
        self.sweep([slot], 1, [])

    def leave(self, place: int) -> None:
        slot = self.slots.pop(place)
        links = self.links(slot)
        self.code.detach(*self.rows(), slot)
        self.net.give_back(slot)
        self.sweep([], 0, links)

    def weigh(self, place: int, number: float, limit: float) -> None:
        slot = self.slots[place]
        self.code.weigh(*self.rows(), slot, number, limit)
        self.sweep([slot], 0, self.links(slot))

    def resize(self, link: int, capacity: float) -> None:
        self.code.resize(self.net.links, link, capacity)
        self.sweep([], 0, [link])

    def sweep(self, loose: list[int], new: int, touched: list[int]) -> None:
        lists: Any = (loose, new, touched)
        if self.compiled:
            lists = np.array(loose, dtype=np.int64), new, np.array(touched, dtype=np.int64)
        net = self.net
        *_, self.timed = self.code.sweep(*self.rows(), net.nodes, net.goals, *lists, 0.0, self.timed)

    def links(self, slot: int) -> list[int]:
        row = self.net.flows[slot]
        start, length = (row["start"], row["length"]) if self.compiled else (row.start, row.length)
        entries = self.net.entries[start : start + length]
        return entries["link"].tolist() if self.compiled else [entry.link for entry in entries]

    def rates(self) -> list[float]:
        flows = self.net.flows
        return [float(flows["rate"][slot] if self.compiled else flows[slot].rate) for slot in self.slots]


def histories(seed: int, steps: int, links: int) -> tuple[list[float], list[tuple[str, tuple[Any, ...]]]]:
    """Random steps that any driver can take."""
    draw = stream(seed, "history")
    capacity = draw.choice([1.0, 2.0, 5.0, 9.0, 0.3], links).tolist()
    made: list[tuple[str, tuple[Any, ...]]] = []
    present = 0
    for _ in range(steps):
        what = draw.choice(["join", "join", "join", "leave", "weigh", "resize"])
        if what == "join":
            route = draw.choice(links, int(draw.integers(1, min(links, 6) + 1)), replace=False).tolist()
            usage = draw.choice([1.0, 1.0, 0.25, 3.0], len(route)).tolist()
            limit = float(draw.choice([math.inf, math.inf, 0.4]))
            made.append(("join", (route, usage, float(draw.integers(1, 4)), limit)))
            present += 1
        elif what == "resize":
            made.append(("resize", (int(draw.integers(links)), float(draw.choice([0.0, 1.0, 4.0, 1e6])))))
        elif present and what == "leave":
            made.append(("leave", (int(draw.integers(present)),)))
            present -= 1
        elif present:
            limit = float(draw.choice([math.inf, 0.1, 2.0]))
            made.append(("weigh", (int(draw.integers(present)), float(draw.integers(1, 5)), limit)))
    return capacity, made


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_rates_are_those_of_a_solve_from_nothing(seed: int, links: int) -> None:
    from types import SimpleNamespace

    capacity, steps = histories(seed, 40, links)
    driver, classes = Driver(capacity, PLAIN), []
    for what, arguments in steps:
        getattr(driver, what)(*arguments)
        if what == "join":
            route, usage, number, limit = arguments
            classes.append(SimpleNamespace(links=tuple(route), usage=tuple(usage), count=number, limit=limit))
        elif what == "leave":
            classes.pop(*arguments)
        elif what == "weigh":
            classes[arguments[0]].count, classes[arguments[0]].limit = arguments[1:]
        else:
            capacity[arguments[0]] = arguments[1]
        assert driver.rates() == pytest.approx(max_min(classes, capacity), rel=1e-10, abs=1e-300)


@pytest.fixture(scope="module")
def compiled() -> Any:
    found = kernel.compiled()
    if found is None:
        pytest.skip("numba is not installed")
    return found


@pytest.mark.parametrize("links", [1, 3, 30])
@pytest.mark.parametrize("seed", range(6))
def test_compiled_code_gives_the_same_bits(compiled: Any, seed: int, links: int) -> None:
    capacity, steps = histories(seed, 150, links)
    plain, fast = Driver(capacity, PLAIN), Driver(capacity, compiled)
    for what, arguments in steps:
        getattr(plain, what)(*arguments)
        getattr(fast, what)(*arguments)
        assert fast.rates() == plain.rates()


def test_rows_that_are_packed_midway_go_on_alike(compiled: Any) -> None:
    capacity, steps = histories(7, 120, 12)
    plain, packed = Driver(capacity, PLAIN), Driver(capacity, PLAIN)
    for index, (what, arguments) in enumerate(steps):
        if index == 60:
            packed.net.pack()
            packed.code, packed.compiled = compiled, True
        getattr(plain, what)(*arguments)
        getattr(packed, what)(*arguments)
    assert packed.rates() == plain.rates()


CODE = """
import sys
from simulator.cluster.builders import builders
from simulator.experiment.transfers import simulate_transfers
from simulator.workload.jobs import Transfer
tree = builders.get("fat-tree")(k=4, oversubscription=2)
moves = [Transfer(f"node-{i % 16}", f"node-{(5 * i + 3) % 16}", (i % 7 + 1) * 1e11, 0.05 * i) for i in range(120)]
link = tree.path("node-0", "node-9")[1]
events = [(1.0, link, False), (2.5, link, True)]
print(simulate_transfers(tree, moves, link_events=events, reroute=0.1).to_csv(float_format="%r"))
print("numba" in sys.modules)
"""


@pytest.mark.usefixtures("compiled")
def test_a_run_gives_the_same_bytes_with_and_without() -> None:
    found = []
    for switch in ("0", "1"):
        environment = os.environ | {kernel.SWITCH: switch}
        done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        table, _, used = done.stdout.rstrip().rpartition("\n")
        assert used == str(switch == "1")
        found.append(table)
    assert found[0] == found[1]


def test_small_runs_never_load_the_compiler() -> None:
    environment = {name: value for name, value in os.environ.items() if name != kernel.SWITCH}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("False")


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("0", math.inf), ("1", 0.0), ("", kernel._PATIENCE)):
        monkeypatch.setenv(kernel.SWITCH, value)
        assert kernel.patience() == expected


def test_where_the_machine_code_cannot_be_kept_it_is_made_anyway(compiled: Any) -> None:
    class Numba:
        def njit(self, *function: Any, cache: bool = False) -> Any:
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return function[0]

    assert kernel._jit(Numba(), rows.load) is rows.load
