"""What a run records: append-only columns, declared once, with unit and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Column(NamedTuple):
    """One column of a table: its name, numpy dtype, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str


JOBS = (
    Column("id", "str", "", "name of the job"),
    Column("workload", "str", "", "workload of the scenario that it came from"),
    Column("tenant", "str", "", "user, team or virtual cluster"),
    Column("row", "int64", "", "row of the trace file, from 1 after the header; -1 without a file"),
    Column("submit", "float64", "s", "when it entered the queue for the first time"),
    Column("start", "float64", "s", "first start; empty when it never started"),
    Column("end", "float64", "s", "end of its last run; empty when it did not end within the run"),
    Column("wait", "float64", "s", "seconds in the queue, over all its stays"),
    Column("jct", "float64", "s", "job completion time: end - submit"),
    Column("slowdown", "float64", "", "jct over the seconds the job takes alone on what it was given last"),
    Column("accelerators", "float64", "", "accelerators of its gang"),
    Column("servers", "int64", "", "servers that its last run was spread over"),
    Column(
        "state", "str", "", "COMPLETED, REJECTED, FAILED, TIMEOUT (killed at its limit), or UNFINISHED at the horizon"
    ),
    Column("preemptions", "int64", "", "times it was stopped to make room"),
    Column("work", "float64", "s", "seconds it takes alone on what it was given last"),
    Column("compute", "float64", "s", "seconds of running on work other than the network"),
    Column("network", "float64", "s", "seconds of running on exposed communication"),
    Column("overhead", "float64", "s", "seconds of running lost to restarts"),
    Column("rework", "float64", "s", "seconds of running whose work was lost at a stop, back to the last checkpoint"),
    Column("checkpointing", "float64", "s", "seconds of running in which it stood still to write checkpoints"),
    Column("hung", "float64", "s", "seconds of running between a failure and its detection"),
    Column("service", "float64", "s", "accelerator-seconds that it held"),
    Column("moves", "int64", "", "times it was moved or resized while it ran"),
    Column("wait_capacity", "float64", "s", "of wait: too few accelerators were free"),
    Column("wait_fragmentation", "float64", "s", "of wait: enough were free, but scattered or not of the right kind"),
    Column("wait_order", "float64", "s", "of wait: enough were free, and the policy let others go first"),
    Column(
        "wait_policy", "float64", "s", "of wait: the policy held it back for a reason that it gave, such as a quota"
    ),
    Column("wait_held", "float64", "s", "of wait: until its begin, its dependencies, or a place in its array"),
    Column("user", "str", "", "user of the tenant, where the trace says"),
    Column("deadline", "float64", "s", "when it should have ended; infinite without a deadline"),
    Column("failures", "int64", "", "times that a failure of the hardware stopped it, counted in preemptions too"),
)
FLOWS = (
    Column("id", "str", "", "name of the transfer"),
    Column("workload", "str", "", "workload of the scenario that it came from"),
    Column("src", "str", "", "source vertex"),
    Column("dst", "str", "", "destination vertex"),
    Column("bytes", "float64", "B", "bytes carried"),
    Column("start", "float64", "s", "when it was asked for"),
    Column("end", "float64", "s", "arrival of the last byte; empty when it did not end within the run"),
)
SERIES = (
    Column("time", "float64", "s", "from this instant on, until the next row"),
    Column("queued", "int64", "", "jobs in the queue"),
    Column("running", "int64", "", "jobs running"),
    Column("allocated", "float64", "", "accelerators held by jobs"),
    Column("capacity", "float64", "", "accelerators that are up"),
    Column("provisioned", "float64", "", "accelerators paid for: up or booting"),
)
EVENTS = (
    Column("time", "float64", "s", "when it happened"),
    Column(
        "event",
        "str",
        "",
        "submit, start, preempt, resize, end, timeout, reject; scale-up, -down; node-boot, -up, -drain, -down, "
        "-warm; interruption, stock-out; capacity; of services "
        "cold-start, replica-ready, replica-drain, evict, resume; failure, detect, repair, straggle",
    ),
    Column("subject", "str", "", "job, node group, node, link, phase of the start of a replica or node, or request"),
    Column(
        "amount", "float64", "",
        "accelerators (of a resize, how many more), nodes, bytes/s; seconds of a phase or notice, replicas that are "
        "ready, requests that are left, or tokens that a request has",
    ),
)  # fmt: skip
LINKS = (
    Column("time", "float64", "s", "from this instant on, until the link's next row"),
    Column("link", "int64", "", "number of the link in the topology"),
    Column("src", "str", "", "vertex that it leaves"),
    Column("dst", "str", "", "vertex that it enters"),
    Column("tier", "str", "", "where in the network it lies; empty when the topology does not say"),
    Column("load", "float64", "B/s", "what it carries, mean over the time that the row holds"),
    Column("capacity", "float64", "B/s", "what it could carry, mean over the same time; 0 while it is down"),
)
REQUESTS = (
    Column("id", "str", "", "name of the request"),
    Column("workload", "str", "", "service that it was sent to"),
    Column("tenant", "str", "", "user or team that it came from"),
    Column("class", "str", "", "class of service"),
    Column("adapter", "str", "", "LoRA adapter that it needed"),
    Column("session", "str", "", "conversation or chain that it belongs to"),
    Column("row", "int64", "", "row of the log, from 1 after the header; -1 without a file"),
    Column("replica", "int64", "", "replica that it was on last, numbered within the service; -1 when on none"),
    Column("input", "int64", "tokens", "length of its prompt"),
    Column("output", "int64", "tokens", "tokens it was to generate"),
    Column("generated", "int64", "tokens", "tokens that it got"),
    Column("cached", "int64", "tokens", "of its prompt, found in the prefix cache when it was first let in"),
    Column("recomputed", "int64", "tokens", "thrown away at preemptions, to be computed again"),
    Column("preemptions", "int64", "", "times that it had to leave a batch"),
    Column("attempts", "int64", "", "times that it was sent to a replica"),
    Column("arrival", "float64", "s", "when the client sent it"),
    Column("start", "float64", "s", "when some of its prompt was first computed; empty when never"),
    Column("first_token", "float64", "s", "when its first token was there; empty when never"),
    Column("end", "float64", "s", "when it was through, rejected or given up; empty when it was not within the run"),
    Column("ttft", "float64", "s", "time to first token: first_token - arrival"),
    Column("tpot", "float64", "s", "time per output token after the first: (end - first_token) / (output - 1)"),
    Column("e2e", "float64", "s", "end-to-end latency: end - arrival; of finished requests"),
    Column("queue", "float64", "s", "of e2e: until its first start, all attempts"),
    Column("prefill", "float64", "s", "of e2e: from its first start to its first token"),
    Column("transfer", "float64", "s", "of e2e: until its keys and values had come to where it decodes"),
    Column("stalled", "float64", "s", "of e2e: preempted, after its first token, until the next one"),
    Column("decode", "float64", "s", "of e2e: the rest, generating tokens"),
    Column("slo_ttft", "float64", "s", "bound that its class sets on ttft; infinite without one"),
    Column("slo_tpot", "float64", "s", "bound that its class sets on tpot; infinite without one"),
    Column("slo_e2e", "float64", "s", "bound that its class sets on e2e; infinite without one"),
    Column("state", "str", "", "FINISHED, REJECTED, TIMEOUT (given up by its client), or UNFINISHED at the horizon"),
    Column("reason", "str", "", "why it was rejected; empty otherwise"),
)
DECISIONS = (
    Column("time", "float64", "s", "when it was decided"),
    Column("controller", "str", "", "who decided: the kind of an autoscaler, scheduler, placement, or disruption"),
    Column("subject", "str", "", "what about: a service, a group of nodes, a node, or a job"),
    Column("action", "str", "", "scale, grow, remove, replace, evict, place, preempt, or refuse"),
    Column("before", "float64", "", "how many there were: replicas, nodes; empty where nothing is counted"),
    Column("wanted", "float64", "", "how many the controller wanted"),
    Column("applied", "float64", "", "how many it was allowed by bounds, quotas and stock"),
    Column("rule", "str", "", "the rule that fired, in the product's own terms"),
    Column("runner_up", "str", "", "what would have been done had it not; empty when there was no other choice"),
    Column("inputs", "str", "", "the numbers behind it, as JSON"),
)
ITERATIONS = (
    Column("time", "float64", "s", "start of the first of a run of like iterations"),
    Column("workload", "str", "", "service"),
    Column("replica", "int64", "", "number of the replica within the service"),
    Column("count", "int64", "", "iterations in a row with the same sequences"),
    Column("first", "float64", "s", "duration of the first of them"),
    Column("growth", "float64", "s", "by how much each takes longer than the one before"),
    Column("sequences", "int64", "", "sequences that got their next token in each of them"),
    Column("prompt", "int64", "tokens", "prompt tokens that each computed"),
    Column("stalled", "int64", "", "of these sequences, those that had stood still while only prompts were computed"),
    Column("stall", "float64", "s", "time for which they had, mean over them; it adds to their first gap in this row"),
    Column("tokens", "int64", "tokens", "tokens generated in all of them, first tokens of requests included"),
    Column("waiting", "int64", "", "requests that waited at the replica when it began"),
    Column("held", "int64", "blocks", "KV blocks held by requests when it began"),
)
LOADS = (
    Column("time", "float64", "s", "from this instant on, until the next row of the workload"),
    Column("workload", "str", "", "load"),
    Column("demand", "float64", "1/s", "requests that come, per second"),
    Column("capacity", "float64", "1/s", "requests that the replicas which are ready serve, per second"),
    Column("ready", "int64", "", "replicas that are ready"),
    Column("wanted", "int64", "", "replicas that its autoscaler wants"),
    Column("coming", "int64", "", "replicas that wait for a place or are starting"),
    Column("backlog", "float64", "", "requests that wait"),
    Column("served", "float64", "", "requests that were served so far"),
    Column("dropped", "float64", "", "requests that gave up so far"),
    Column("wait", "float64", "s", "what comes now waits so long if the capacity stays; infinite without any"),
)
WAITS = (
    Column("workload", "str", "", "load"),
    Column("since", "float64", "s", "when the first of these requests came"),
    Column("until", "float64", "s", "when the last of them came"),
    Column("amount", "float64", "", "how many they are"),
    Column("first", "float64", "s", "how long the first of them waited; in between it follows a straight line"),
    Column("last", "float64", "s", "how long the last of them waited"),
    Column("chance", "float64", "", "share of them that waited because requests come at random"),
    Column("delay", "float64", "s", "mean time for which those did (exponential)"),
    Column("fate", "str", "", "served, dropped, or waiting (at the end of the run, for as long as it had waited then)"),
)
APPLICATIONS = (
    Column("name", "str", "", "name of the application"),
    Column("workload", "str", "", "workload that it is of"),
    Column("submit", "float64", "s", "when it was submitted"),
    Column("start", "float64", "s", "when its first task began; empty when none did"),
    Column("end", "float64", "s", "when its last task ended; empty when it did not within the run"),
    Column("jct", "float64", "s", "end - submit"),
    Column("tasks", "int64", "", "tasks of all its stages"),
    Column("done", "int64", "", "tasks that ended"),
    Column("reruns", "int64", "", "tasks that were run again because their executor was lost"),
    Column("task_seconds", "float64", "s", "seconds of the tasks that ended, summed"),
    Column("executor_seconds", "float64", "s", "seconds that executors had their places, summed"),
)
TABLES: dict[str, tuple[Column, ...]] = {"jobs": JOBS, "flows": FLOWS, "series": SERIES, "events": EVENTS}
"""Tables of every record."""
ON_REQUEST: dict[str, tuple[Column, ...]] = {
    "links": LINKS, "requests": REQUESTS, "iterations": ITERATIONS, "decisions": DECISIONS, "loads": LOADS,
    "waits": WAITS, "applications": APPLICATIONS,
}  # fmt: skip
"""Tables of records whose run was asked for them, or had services or controllers."""
DECLARED = TABLES | ON_REQUEST


@dataclass
class Record:
    """What one run leaves behind: plain arrays and plain facts, ready to cross a process border.

    ``tables`` maps table name -> column name -> array (``str`` columns hold Python strings in object arrays). ``facts``
    holds what is true of the run as a whole: ``end`` (s, when the simulation stopped), ``warmup`` (s),
    ``accelerators``, ``seed``, ``replication``, ``energy`` (J), ``cost`` (dict of US dollars by part), ``power`` (W of
    one accelerator with its share of the servers, ``idle`` and ``busy``), ``notes`` (list of sentences a reader must
    know), ``set_aside`` (reason -> count), ``invariants`` (list of those checked), ``services`` (name -> dict:
    ``accelerators`` of a replica, tokens of a KV ``block``, KV ``blocks`` of each replica by number, ``classes``,
    ``accelerator_seconds`` that replicas held and ``busy_accelerator_seconds`` in which they computed, ``requests``),
    ``carbon`` (kgCO2e, PUE included), ``groups`` (name of a node group -> dict: ``price`` ($/s of a node, mean over the
    run), ``accelerators`` of a node, ``paid`` (US dollars), ``hours`` of nodes by state, ``nodes_mean``,
    ``interrupted`` and ``missing`` nodes).
    """

    tables: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Table:
    """Append-only rows of one declared table, packed into arrays as they pile up.

    ``add`` takes a row as a tuple in declared order; it is the ``append`` of a list, for the sake of the hot path, so
    whoever adds many rows calls ``pack`` now and then.
    """

    __slots__ = ("_declared", "_packed", "_rows", "add")

    def __init__(self, declared: Sequence[Column]) -> None:
        self._declared = declared
        self._rows: list[tuple[Any, ...]] = []
        self._packed: list[list[np.ndarray]] = [[] for _ in declared]
        self.add = self._rows.append

    def pack(self) -> None:
        """Turn the rows added so far into machine words."""
        if self._rows:
            columns = zip(*self._rows, strict=True)
            for declared, chunks, values in zip(self._declared, self._packed, columns, strict=True):
                chunks.append(np.array(values, dtype=object if declared.dtype == "str" else declared.dtype))
            self._rows.clear()

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns as numpy arrays; texts as object arrays."""
        self.pack()
        return {
            declared.name: _joined(declared, chunks)
            for declared, chunks in zip(self._declared, self._packed, strict=True)
        }


def _joined(declared: Column, chunks: list[np.ndarray]) -> np.ndarray:
    """One array of the chunks, which give way to it: a column is never held twice."""
    if chunks:
        chunks[:] = [np.concatenate(chunks)]
        return chunks[0]
    return np.empty(0, dtype=object if declared.dtype == "str" else declared.dtype)


class Recorder:
    """The tables of one run while they grow."""

    def __init__(self) -> None:
        self.jobs = Table(JOBS)
        self.flows = Table(FLOWS)
        self.series = Table(SERIES)
        self.events = Table(EVENTS)

    def pack(self) -> None:
        """Pack the rows of all tables."""
        for name in TABLES:
            getattr(self, name).pack()

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """All tables as arrays."""
        return {name: getattr(self, name).arrays() for name in TABLES}
