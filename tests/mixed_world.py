"""Scenarios at random in which everything happens at once: work of each kind, nodes that come and go, failures."""

from __future__ import annotations

import math
from random import Random
from typing import Any
from unittest import mock

import numpy as np

import simulator as sim
from simulator.core.clock import Clock
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.policies.supply import NodeState
from simulator.runtime.parts import Part
from simulator.runtime.simulation import Simulation
from simulator.scenario.build import build
from simulator.workload.jobs import State

Plain = dict[str, Any]
H100 = "nvidia/h100-sxm"
SPENT = ("wait", "compute", "network", "overhead", "rework", "checkpointing", "hung")
EVENTS = 2_000_000
"""Events of a run of minutes to hours on a handful of servers; more are a loop."""


def seconds(random: Random, *choices: float) -> str:
    return f"{random.choice(choices):g} s"


def maybe(random: Random, chance: float) -> bool:
    return random.random() < chance


class Dice:
    """Makes up scenarios, each from the numbers of one source."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def scenario(self) -> Plain:
        """Return a scenario that is right by the manual, though hardly wise."""
        random = self.random
        self.networked, self.failing = maybe(random, 0.7), maybe(random, 0.75)
        self.nodes = random.randint(3, 6)
        found: Plain = {"name": "a mix", "seed": random.randint(0, 10**6), "topology": self._topology()}
        self.stores = self._stores()
        if self.stores:
            found["stores"] = self.stores
        found["workload"] = self._workload()
        found["scheduler"] = random.choice(
            ["fifo", "easy-backfill", "priority", "srtf", "las", {"kind": "multifactor"}, "fair-share"]
        )
        found["placement"] = random.choice(["pack", "spread", "first-fit", "random", "kube"])
        network: Plain = {"fidelity": random.choice(["fluid", "flow", "steady"])}
        if maybe(random, 0.2):
            network["contention"] = "none"
            del network["fidelity"]
        found["network"] = network
        if maybe(random, 0.65):
            found |= self._supply()
        if self.failing:
            found["failures"] = self._failures()
            if "slow" in str(found["failures"]):
                found["network"] = {"fidelity": "fluid"}
        if maybe(random, 0.3):
            found["maintenance"] = [self._window() for _ in range(random.randint(1, 2))]
        if maybe(random, 0.2):
            found["bookings"] = [self._window() | {"tenant": random.choice(["a", "b"])}]
        found["run"] = self._run()
        return found

    def elastic(self) -> Plain:
        """Return a scenario under a scheduler that moves, resizes or slices jobs, some of which are elastic."""
        found, random = self.scenario(), self.random
        found["scheduler"] = random.choice(
            ["gandiva", "tiresias", "kueue", "elastic-max-min", "optimus", "themis", "drf", "gittins", "edf",
             {"kind": "defragment", "scheduler": "fifo"}, "conservative-backfill", "volcano", "wfq", "one-shot"]
        )  # fmt: skip
        for work in found["workload"].values():
            for job in work.get("jobs") or () if "generate" not in work else ():
                if job.get("kind") != "training" and job["accelerators"] in (2, 4) and maybe(random, 0.7):
                    job |= {"minimum": 1, "maximum": 8, "pace": {1: 1, 2: 1.8, 4: 3, 8: 5}}
                    job.pop("communication", None)
        return found

    def _run(self) -> Plain:
        random = self.random
        run: Plain = {"explain": maybe(random, 0.3), "restart": seconds(random, 0, 20, 120)}
        if self.endless or maybe(random, 0.5):
            run["until"] = seconds(random, 600, 1800, 3600, 7200.5)
        return run

    def _topology(self) -> Plain:
        random = self.random
        if not self.networked:
            each = random.choice([1, 2, 4])
            return {
                "build": "fleet",
                "groups": [
                    {"name": "node", "count": self.nodes, "accelerators": each, "accelerator": H100, "cores": 16}
                ],
            }
        kind = random.choice(["single-switch", "leaf-spine", "cloud-pool"])
        found: Plain = {"build": kind, "nodes": self.nodes}
        if kind == "leaf-spine":
            found |= {"nodes_per_leaf": 2, "spines": random.choice([1, 2])}
        return found

    def _stores(self) -> Plain:
        random = self.random
        found: Plain = {}
        for name in ("registry", "files"):
            if maybe(random, 0.7):
                found[name] = {"bandwidth": random.choice(["2 Gb/s", "40 Gb/s"])}
                if maybe(random, 0.3):
                    found[name]["stream"] = "100 MB/s"
                if maybe(random, 0.3):
                    found[name]["latency"] = "1 s"
        return found

    # -- work -----------------------------------------------------------------------------------------------------

    def _workload(self) -> Plain:
        random = self.random
        self.endless = False
        makers = {
            "made": (self._made, 0.3), "jobs": (self._jobs, 0.8), "chat": (self._service, 0.4),
            "shop": (self._load, 0.5), "etl": (self._stages, 0.35),
        }  # fmt: skip
        found = {name: make() for name, (make, chance) in makers.items() if maybe(random, chance)}
        return found or {"jobs": self._jobs()}

    def _made(self) -> Plain:
        random = self.random
        found: Plain = {
            "generate": "poisson", "jobs": random.randint(5, 20), "rate": "60 /h", "mean": seconds(random, 60, 600),
            "size": {"1": 3, "2": 1},
        }  # fmt: skip
        if maybe(random, 0.5):
            found["checkpoint"] = self._checkpoint()
        if maybe(random, 0.3):
            found["restart"] = seconds(random, 0, 30)
        if maybe(random, 0.2):
            found["preemptible"] = False
        return found

    def _checkpoint(self) -> Any:
        random = self.random
        every = random.choice(["30 s", "5 min", "20 min", *(["young", "daly", "adaptive"] if self.failing else [])])
        kind = random.choice(["free", "timed", "store"])
        if kind == "free":
            return random.choice(["1 min", "10 min", 0])
        found: Plain = {"every": every}
        rule = not every[0].isdigit()
        if kind == "store" and self.stores:
            found |= {"to": random.choice(list(self.stores)), "size": random.choice(["1 GB", "30 GB"])}
        else:
            found["write"] = seconds(random, 5, 40) if rule else seconds(random, 0, 5, 40)
        if maybe(random, 0.5):
            found |= {"mode": "asynchronous", "snapshot": seconds(random, 3) if rule else seconds(random, 0, 3)}
        if maybe(random, 0.5):
            found["load"] = seconds(random, 0, 15)
        return found

    def _jobs(self) -> Plain:
        random = self.random
        found = []
        for number in range(random.randint(1, 6)):
            job: Plain = {
                "id": f"j{number}", "submit": seconds(random, 0, 0, 60, 600), "accelerators": random.choice(
                    [1, 1, 2, 4, 8, 16] if self.networked else [0.5, 1, 1, 2, 4]
                ),
            }  # fmt: skip
            if maybe(random, 0.4) and job["accelerators"] > 1:
                job |= {
                    "kind": "training", "iterations": random.choice([50, 300]), "compute": seconds(random, 0.5, 2),
                    "gradient": random.choice(["100 MB", "5 GB"]), "overlap": random.choice([0, 0.5, 1]),
                }  # fmt: skip
            else:
                job["duration"] = seconds(random, 0, 60, 600, 1800, 3600)
                if maybe(random, 0.3):
                    job["communication"] = random.choice([0.1, 0.5])
            if maybe(random, 0.6):
                job["checkpoint"] = self._checkpoint()
            for key, chance, values in (
                ("priority", 0.4, (0, 1, 5)), ("tenant", 0.5, ("a", "b")), ("preemptible", 0.2, (False,)),
                ("restart", 0.3, ("0 s", "45 s")), ("limit", 0.15, ("300 s", "2000 s")), ("begin", 0.1, ("120 s",)),
                ("cores", 0.2, (1, 4)),
            ):  # fmt: skip
                if maybe(random, chance):
                    job[key] = random.choice(values)
            if number and maybe(random, 0.1):
                job["after"] = ["j0"]
            found.append(job)
        return {"jobs": found}

    def _cold(self) -> Plain:
        random = self.random
        found: Plain = {}
        if maybe(random, 0.6):
            found["image"] = seconds(random, 0, 10, 60)
        if self.stores and maybe(random, 0.7):
            phase: Plain = {"from": random.choice(list(self.stores)), "size": random.choice(["1 GB", "20 GB"])}
            if maybe(random, 0.5):
                phase["cache"] = "node"
                if maybe(random, 0.5):
                    phase["cached"] = "2 GB/s"
            if maybe(random, 0.3):
                phase |= {"threads": 4, "per_thread": "100 MB/s"}
            if maybe(random, 0.3):
                phase["time"] = "5 s"
            found[random.choice(["image", "weights"])] = phase
        if maybe(random, 0.5):
            found["engine"] = seconds(random, 5, 30)
        return found

    def _fleet(self, found: Plain) -> Plain:
        """Add what all fleets may say."""
        random = self.random
        if maybe(random, 0.7):
            found["cold_start"] = self._cold()
        if maybe(random, 0.4):
            found["disruption"] = {"grace": seconds(random, 0, 30, 300)}
            if maybe(random, 0.7):
                found["disruption"]["max_unavailable"] = random.choice([0, 1, 2])
        if maybe(random, 0.3):
            scrape = random.choice([5, 15])
            found["monitoring"] = {
                "scrape": f"{scrape} s",
                "window": seconds(random, 0, 60),
                "lag": seconds(random, 0, 10),
            }
        for key, chance, values in (
            ("priority", 0.4, (0, 1, 3, 9)), ("tenant", 0.4, ("a", "b")), ("preemptible", 0.2, (False,)),
        ):  # fmt: skip
            if maybe(random, chance):
                found[key] = random.choice(values)
        return found

    def _scaler(self, *others: Plain) -> Any:
        random = self.random
        most = random.randint(2, 6)
        hpa = {"kind": "hpa", "metric": random.choice(["busy", "outstanding"]), "min": 1, "max": most}
        hpa["target"] = 0.6 if hpa["metric"] == "busy" else 3
        if maybe(random, 0.5):
            hpa["downscale_stabilization"] = "30 s"
        if maybe(random, 0.3):
            hpa["initial"] = most
        choices: list[Any] = [
            random.randint(1, 3),
            hpa,
            {"kind": "kpa", "total": 2, "stable_window": "30 s", "min": random.choice([0, 1]), "max": most},
            {"kind": "keda", "metric": "outstanding", "threshold": 2, "min": 0, "max": most,
             "cooldown_period": seconds(random, 0, 60, 300)},
            {"kind": "queue-length", "per_replica": 2, "scale_in_delay": seconds(random, 0, 60), "max": most},
            {"kind": "target-tracking", "target": 2, "scale_in_cooldown": "30 s", "max": most, "min": 1},
            {"kind": "step-scaling", "max": most, "min": 1, "cooldown": "30 s"},
            {"kind": "predictive", "target": 3, "season": "10 min", "max": most, "min": 1},
            {"kind": "scheduled", "period": "10 min", "max": most,
             "schedule": [{"at": "0 s", "replicas": 0}, {"at": "4 min", "replicas": most}]},
            *others,
        ]  # fmt: skip
        return random.choice(choices)

    def _service(self) -> Plain:
        random = self.random
        found: Plain = {
            "service": "meta/llama-3.1-8b",
            "requests": {
                "generate": "poisson", "requests": random.randint(5, 120), "rate": random.choice(["0.02 /s", "0.5 /s"]),
                "input": random.choice([50, 900]), "output": random.choice([5, 200]),
            },
            "replicas": self._scaler(),
            "replica": {"tp": random.choice([1, 1, 2] if self.networked else [1])},
            "router": random.choice(["round-robin", "least-outstanding", "random", "power-of-two"]),
        }  # fmt: skip
        for key, chance, values in (
            ("timeout", 0.3, ("20 s", "10 min")), ("retries", 0.5, (1, 3)), ("queue_limit", 0.2, (0, 4)),
            ("first_token_timeout", 0.2, ("15 s",)), ("staleness", 0.2, ("2 s",)),
        ):  # fmt: skip
            if maybe(random, chance):
                found[key] = random.choice(values)
        if maybe(random, 0.15):
            found["prefill"] = {"replicas": random.choice([1, 2])}
        return self._fleet(found)

    def _load(self) -> Plain:
        random = self.random
        shapes: list[Any] = [
            "5 /s",
            {"kind": "bursty", "base": "0 /s", "burst": "20 /s", "mean_burst": "2 min", "mean_gap": "5 min"},
            {"kind": "steps", "steps": [["0 s", "2 /s"], ["5 min", "30 /s"], ["6 min", "0 /s"], ["20 min", "10 /s"]]},
            {"kind": "sine", "mean": "10 /s", "amplitude": "100 %", "period": "10 min"},
        ]
        found: Plain = {
            "load": random.choice(shapes), "noise": random.choice(["none", "poisson"]),
            "randomness": random.choice(["none", "poisson"]),
            "replica": {"rate": "5 /s", "accelerators": random.choice([1, 1, 2] if self.networked else [0.5, 1])},
            "replicas": self._scaler(), "interval": seconds(random, 10, 60),
        }  # fmt: skip
        if maybe(random, 0.7):
            found["duration"] = seconds(random, 600, 1800)
        else:
            self.endless = True
        if maybe(random, 0.3):
            found["timeout"] = seconds(random, 5, 120)
        return self._fleet(found)

    def _stages(self) -> Plain:
        random = self.random
        law = {"kind": "lognormal", "mean": seconds(random, 2, 20), "cv": 1.0}
        found: Plain = {
            "stages": [
                {"name": "map", "tasks": random.randint(1, 40), "seconds": random.choice(["10 s", law])},
                {"name": "reduce", "tasks": random.randint(1, 5), "seconds": "30 s", "after": ["map"]},
            ],
            "executor": {"slots": random.choice([1, 4]), "accelerators": 1},
            "executors": self._scaler(
                {"kind": "spark-dynamic-allocation", "max": 4}, {"kind": "dask-adaptive", "max": 4}
            ),
            "arrivals": ["0 s", "300 s"][: random.randint(1, 2)],
        }  # fmt: skip
        return self._fleet(found)

    # -- nodes ----------------------------------------------------------------------------------------------------

    def _supply(self) -> Plain:
        random = self.random
        scaler = random.choice(
            [
                "none", "fixed", {"kind": "fixed", "nodes": 2}, {"kind": "cluster-autoscaler"},
                {"kind": "cluster-autoscaler", "scale_down_unneeded_time": "60 s",
                 "scale_down_delay_after_add": "60 s"},
                {"kind": "karpenter"}, {"kind": "karpenter", "budgets": [{"nodes": "100%"}], "interval": "5 s"},
                {"kind": "queue-length", "idle": "60 s", "cancel": True}, {"kind": "queue-length", "idle": "0 s"},
                {"kind": "slurm-power-saving", "suspend_time": "60 s"}, {"kind": "step-scaling"},
                {"kind": "target-tracking"},
            ]
        )  # fmt: skip
        cut = random.randint(1, self.nodes - 1)
        spans = [(0, self.nodes)] if maybe(random, 0.4) else [(0, cut), (cut, self.nodes - cut)]
        if maybe(random, 0.25) and len(spans) == 2:
            spans = spans[1:]
        return {
            "autoscaler": scaler,
            "node_groups": {f"g{number}": self._group(*span) for number, span in enumerate(spans)},
        }

    def _group(self, first: int, count: int) -> Plain:
        random = self.random
        least = random.choice([0, 0, 1]) if count > 1 else 0
        found: Plain = {"servers": {"first": first, "count": count}, "min": least, "price": "$3.6/h"}
        found["boot"] = random.choice(
            [
                "ec2", "30 s", "210 s", {"request": "5 s", "boot": {"kind": "exponential", "mean": "40 s"}},
                {"create": {"kind": "lognormal", "mean": "60 s", "sigma": 0.5}, "accelerators": "20 s"},
                {"boot": {"kind": "uniform", "low": "10 s", "high": "50 s"}}, "0 s",
            ]
        )  # fmt: skip
        if maybe(random, 0.4):
            found["initial"] = random.randint(least, count)
        if maybe(random, 0.25):
            found["max"] = random.randint(max(least, found.get("initial", 0)), count)
        if maybe(random, 0.2):
            found["quota"] = random.randint(max(1, least, found.get("initial", 0)), count)
        if maybe(random, 0.3) and count > least and found["boot"] != "0 s":
            found["warm"] = {"nodes": 1, "state": random.choice(["running", "stopped"])}
        if maybe(random, 0.4):
            found |= {"market": "spot", "interruptions": {"mean": seconds(random, 300, 1800, 7200)}}
        if maybe(random, 0.2):
            found["capacity"] = random.randint(0, count)
        if maybe(random, 0.4):
            found["notice"] = seconds(random, 0, 30, 120)
        if maybe(random, 0.4):
            found["grace"] = seconds(random, 0, 20, 600)
        return found

    # -- what goes wrong ------------------------------------------------------------------------------------------

    def _failures(self) -> Plain:
        random = self.random
        kinds = ["accelerator", "node"]
        if self.networked:
            kinds += ["nic", "link", "switch", *(["store"] if self.stores else [])]
        found: Plain = {}
        for number in range(random.randint(1, 3)):
            kind = random.choice(kinds)
            weight = {"accelerator": 32, "nic": 32, "link": 40}.get(kind, 4)
            source: Plain = {
                "component": kind, "mtbf": f"{random.choice([600, 3600, 20000]) * weight} s",
                "repair": random.choice(["0 s", "60 s", "600 s", {"kind": "lognormal", "mean": "5 min"}]),
            }  # fmt: skip
            if maybe(random, 0.3):
                source["shape"] = random.choice([0.7, 2])
            if kind in ("accelerator", "node") and maybe(random, 0.25):
                source |= {"effect": "slow", "pace": 0.5}
            elif maybe(random, 0.3):
                source["detection"] = seconds(random, 0, 10, 300)
            found[f"f{number}"] = source
        for key, chance, values in (
            ("detection", 0.4, ("0 s", "30 s", "200 s")), ("health_check", 0.3, ("60 s",)), ("spares", 0.3, (1, 2)),
            ("lemon", 0.15, ({"share": "30 %"},)),
        ):  # fmt: skip
            if maybe(random, chance):
                found[key] = random.choice(values)
        return found

    def _window(self) -> Plain:
        random = self.random
        begin = random.choice([0, 100, 900])
        return {
            "servers": {"first": random.randint(0, self.nodes - 1), "count": 1}, "from": f"{begin} s",
            "until": f"{begin + random.choice([50, 600])} s", "drain": seconds(random, 0, 60),
        }  # fmt: skip


class Loop(AssertionError):
    """A run that does not come to its end."""


class Watch(Part):
    """Looks after every scheduling pass whether what runs may run where it is."""

    def attach(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.passes = 0

    def passed(self) -> None:
        self.passes += 1
        simulation = self._simulation
        pool = simulation.pool
        held, jobs = np.zeros(len(simulation.nodes)), [0] * len(simulation.nodes)
        for job in simulation.view.running:
            assert job.state is State.RUNNING, f"{job.id} is among those that run, and {job.state}"
            for server, taken in job.placement:
                held[server] += taken
                jobs[server] += 1
                assert simulation.nodes.up[server], f"{job.id} runs on server {server}, which is down"
                if pool is not None and pool._pool.roster.owner.item(server) >= 0:
                    state = pool._pool.roster.state.item(server)
                    assert state in (NodeState.READY, NodeState.DRAINING), f"{job.id} is on a node in state {state}"
                    assert job in pool._pool.roster.residents[server]
        assert jobs == list(simulation.nodes.jobs), "what runs is not what has been placed"
        assert (held <= simulation.nodes.total + 1e-9).all(), "more is held than there is"
        for job in simulation.view.queue:
            assert job.state is State.QUEUED, f"{job.id} waits, and is {job.state}"


def counted(most: int) -> Any:
    """Let every run raise ``Loop`` at so many events."""
    fire, left = Clock._fire, [most]

    def limited(clock: Clock, event: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Loop(f"more than {most:,} events by {clock.now:g} s; now {event.function}")
        fire(clock, event)

    return mock.patch.object(Clock, "_fire", limited)


def ran(plain: Plain, most: int = EVENTS) -> tuple[Simulation, Record]:
    """Run a scenario once, and check all that must hold of it."""
    scenario = sim.Scenario.from_dict(plain)
    with counted(most):
        simulation = build(scenario)
        watch = Watch()
        watch.attach(simulation)
        simulation._parts = (*simulation._parts, watch)
        record = simulation.run()
    check(record)
    check_accounts(record)
    check_work(record, plain)
    check_money(record, plain)
    return simulation, record


def check_accounts(record: Record) -> None:
    """What every job did with its time adds up, those that did not end included."""
    jobs, end = record.tables["jobs"], float(record.facts["end"])
    until = np.where(np.isnan(jobs["end"]), end, jobs["end"])
    spent = np.sum([jobs[name] for name in SPENT], axis=0)
    counts = (jobs["state"] != "REJECTED") & (jobs["submit"] <= end)
    wrong = counts & (np.abs(spent - (until - jobs["submit"])) > 1e-6 * (1.0 + end))
    assert not wrong.any(), [(jobs["id"][row], jobs["state"][row], spent[row], (until - jobs["submit"])[row],
                              {name: jobs[name][row] for name in SPENT}) for row in np.flatnonzero(wrong)]  # fmt: skip
    assert not any((jobs[name][counts] < -1e-9 * (1 + end)).any() for name in SPENT)


def check_work(record: Record, plain: Plain) -> None:
    """Jobs that completed without a network computed their work, and failures stopped as many as they say."""
    jobs = record.tables["jobs"]
    resized = [job["id"] for job in plain["workload"].get("jobs", {}).get("jobs", ()) if "pace" in job]
    plainly = (
        ~np.isin(jobs["id"], resized)
        & np.isin(jobs["workload"], ("made", "jobs"))
        & (jobs["state"] == "COMPLETED")
        & (jobs["network"] == 0)
    )
    if '"slow"' not in str(plain.get("failures")).replace("'", '"'):
        wrong = plainly & (np.abs(jobs["compute"] - jobs["work"]) > 1e-6 * (1.0 + jobs["work"]))
        assert not wrong.any(), [
            (jobs["id"][row], jobs["compute"][row], jobs["work"][row]) for row in np.flatnonzero(wrong)
        ]
    stopped = (record.facts.get("failures") or {"stopped": 0})["stopped"]
    assert stopped == int(jobs["failures"].sum())
    assert (jobs["failures"] <= jobs["preemptions"]).all()


def check_money(record: Record, plain: Plain) -> None:
    """Nodes of a constant price cost their hours."""
    for name, facts in (record.facts.get("groups") or {}).items():
        group = plain["node_groups"][name]
        hours = facts["hours"]
        unpaid = hours.get("warm", 0.0) if (group.get("warm") or {}).get("state", "stopped") == "stopped" else 0.0
        price = float(group.get("price", "$0/h").strip("$/h"))
        expected = price * (math.fsum(hours.values()) - unpaid)
        assert abs(facts["paid"] - expected) <= 1e-6 * (1.0 + expected), (name, facts)
        count = group["servers"]["count"]
        assert math.fsum(hours.values()) <= count * float(record.facts["end"]) / 3600 * (1 + 1e-9) + 1e-9, (name, facts)
