"""Classes of jobs: each with its own tenant, sizes, durations and bursts; a workload is several laid over each other.

A class is a row of data: ``share`` of the jobs; ``accelerators`` (weights by number); ``durations`` (laws by number of
accelerators); ``arrivals`` (hour_of_day, day_of_week, step, swings); and where it has them ``sessions``, ``users``
(count, zipf, habit), ``shapes`` (cores, memory in MiB, weight), ``models`` (weights), ``throughputs`` (name of a table:
models and paces are drawn from it), ``priorities`` (weights), ``slack`` (law of deadline - submission over duration),
``states`` (by jobs and by time) and ``columns`` (what all its jobs have). It may have ``kinds``, drawn for whole
sessions: rows with a ``share`` and with what differs from the class but its arrivals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from simulator.core.errors import InputError
from simulator.workload.generate import weights
from simulator.workload.laws import law
from simulator.workload.presets import durations, rhythm, shapes
from simulator.workload.rows import as_objects
from simulator.workload.sampling import Draws, choose, pick, times_within
from simulator.workload.sessions import Sessions, Users
from simulator.workload.throughputs import Throughputs, table
from simulator.workload.trace import Columns
from simulator.workload.walltimes import requested

FILL: dict[str, Any] = {
    "tenant": "", "user": "", "model": "", "state": "", "array": "", "job_type": "", "gpu_model": "",
    "accelerator_types": (), "speedup": None, "priority": 0.0, "deadline": math.inf, "preemptible": True,
    "cores": 0.0, "memory": 0.0,
}  # fmt: skip
"""What the jobs of a class have in a column that only other classes speak of."""
_LONG = 0.95
"""Jobs with more work than this share of the others are the long ones, to which the time goes."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user chose for the whole workload; what is None is as fitted."""

    tenants: Mapping[str, float] | None = None
    users: int | None = None
    burstiness: float = 1.0
    requested: str | float = "exact"
    priorities: Mapping[float, float] | None = None
    slack: Mapping[float, float] | None = None
    longest: float = math.inf
    types: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Jobs of one class before they have times: their columns, and the session of each."""

    draws: Draws
    row: Mapping[str, Any]
    columns: Columns
    session: np.ndarray

    def times(self, span: float, start: datetime, burstiness: float) -> np.ndarray:
        """Return the submission (s) of each job in [0, span).

        Sessions come as the arrivals of the class say. What of a session lies beyond the end comes at the beginning, as
        if it had begun before: the rate is the same throughout.
        """
        starts = times_within(self.draws, _count(self.session), span, start, rhythm(self.row["arrivals"], burstiness))
        if "sessions" not in self.row:
            return starts
        offsets = Sessions.of(self.row["sessions"]).offsets(self.draws, self.session)
        times: np.ndarray = (starts[self.session] + offsets) % span
        return times


def counts(shares: Mapping[str, float], jobs: int) -> dict[str, int]:
    """Divide jobs by shares, exactly: whole parts, and what is left to the largest remainders.

    >>> counts({"a": 0.5, "b": 0.3, "c": 0.2}, 4)
    {'a': 2, 'b': 1, 'c': 1}
    """
    names, exact = list(shares), np.array(list(shares.values())) / sum(shares.values()) * jobs
    whole = np.floor(exact).astype(int)
    for index in np.argsort(whole - exact, kind="stable")[: jobs - int(whole.sum())]:
        whole[index] += 1
    return dict(zip(names, whole.tolist(), strict=True))


def draw(draws: Draws, jobs: int, row: Mapping[str, Any], choices: Choices) -> Drawn:
    """Draw the jobs of one class, one or more, without when they come."""
    session = np.arange(jobs)
    if "sessions" in row:
        session = Sessions.of(row["sessions"]).split(draws, jobs, choices.burstiness)
    columns = _kinds(draws, session, row, choices)
    if "sessions" in row:
        columns["array"] = _arrays(session, draws.prefix.strip("/"))
    if "states" in row:
        columns["state"] = _states(draws, columns, row["states"])
    if choices.requested != "exact":
        columns["estimate"] = requested(choices.requested, draws, columns["duration"], session)
    return Drawn(draws, row, columns, session)


def _kinds(draws: Draws, session: np.ndarray, row: Mapping[str, Any], choices: Choices) -> Columns:
    """Draw the kind of each session where the class has several, and the jobs of each kind."""
    if "kinds" not in row:
        return _jobs(draws, session, row, choices)
    rest = {key: each for key, each in row.items() if key != "kinds"}
    same = row.get("columns", {})
    kinds = {
        str(name): rest | kind | {"columns": same | kind.get("columns", {})} for name, kind in row["kinds"].items()
    }
    drawn = draws.stream("kinds").random(_count(session))
    chosen = choose(drawn, [kind["share"] for kind in kinds.values()])[session]
    places, parts = [], []
    for index, (name, kind) in enumerate(kinds.items()):
        place = np.flatnonzero(chosen == index)
        if not len(place):
            continue
        own = np.unique(session[place], return_inverse=True)[1]
        places.append(place)
        parts.append(_jobs(replace(draws, prefix=f"{draws.prefix}{name}/"), own, kind, choices))
    order = np.argsort(np.concatenate(places), kind="stable")
    return {name: column[order] for name, column in together(parts).items()}


def _jobs(draws: Draws, session: np.ndarray, row: Mapping[str, Any], choices: Choices) -> Columns:
    """Draw jobs of one kind: what is common to a session, and what is each job's own."""
    jobs, number = len(session), _count(session)
    gangs = pick(draws.stream("accelerators").random(number), row["accelerators"])[session]
    columns: Columns = {"accelerators": gangs}
    for name, value in row.get("columns", {}).items():
        columns[name] = filled(name, jobs, tuple(value) if isinstance(value, list) else value)
    _tenants(draws, columns, session, choices)
    common = _users(draws, columns, session, draws.stream("common").random(number), row, choices)
    uniform = common[session]
    if "sessions" in row:
        uniform = Sessions.of(row["sessions"]).scores(draws, session, common)
    columns["duration"] = durations(gangs, uniform, row["durations"], choices.longest)
    if "shapes" in row:
        columns |= shapes(gangs, draws.stream("shapes").random(number)[session], row["shapes"])
    _models(draws, columns, session, row, choices)
    _wishes(draws, columns, session, row, choices)
    return columns


def together(parts: list[Columns]) -> Columns:
    """Lay columns end to end; a part that lacks one has the default there."""
    lengths = [len(part["duration"]) for part in parts]
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: np.concatenate(
            [part[name] if name in part else filled(name, length) for part, length in zip(parts, lengths, strict=True)]
        )
        for name in names
    }


def _count(session: np.ndarray) -> int:
    return int(session[-1]) + 1


def filled(name: str, jobs: int, value: Any = None) -> np.ndarray:
    """Return a column of one value, the default unless given."""
    value = FILL[name] if value is None else value
    if isinstance(value, bool):
        return np.full(jobs, value)
    if isinstance(value, int | float):
        return np.full(jobs, float(value))
    return as_objects(value for _ in range(jobs))


def _tenants(draws: Draws, columns: Columns, session: np.ndarray, choices: Choices) -> None:
    if choices.tenants is None:
        return
    columns.pop("tenant", None)
    if choices.tenants:
        names = list(choices.tenants)
        chosen = choose(draws.stream("tenants").random(_count(session)), list(choices.tenants.values()))[session]
        columns["tenant"] = as_objects(names[index] for index in chosen.tolist())


def _users(
    draws: Draws, columns: Columns, session: np.ndarray, common: np.ndarray, row: Mapping[str, Any], choices: Choices
) -> np.ndarray:
    """Give sessions to users; return their uniform numbers after their users' habits."""
    given = dict(row.get("users", {}))
    if choices.users is not None:
        given["count"] = choices.users
    if not given.get("count"):
        return common
    users = Users(**given)
    chosen = users.draw(draws, len(common))
    tenants = columns.get("tenant", filled("tenant", len(session))).tolist()
    numbers = (chosen[session] + 1).tolist()
    columns["user"] = as_objects(f"{tenant or 'user'}-{user}" for tenant, user in zip(tenants, numbers, strict=True))
    return users.habits(draws, chosen, common)


def _arrays(session: np.ndarray, name: str) -> np.ndarray:
    """Name the sessions of several jobs, as arrays."""
    many = np.bincount(session)[session] > 1
    return as_objects(
        f"{name}-{number + 1}" if several else ""
        for number, several in zip(session.tolist(), many.tolist(), strict=True)
    )


def _models(draws: Draws, columns: Columns, session: np.ndarray, row: Mapping[str, Any], choices: Choices) -> None:
    """Models of what is trained, and what follows from the model of accelerator where the user says which that is."""
    if choices.types and "gpu_model" in row.get("columns", {}):
        wanted = choices.types.get(row["columns"]["gpu_model"])
        columns["accelerator_types"] = filled("accelerator_types", len(session), (wanted,) if wanted else ())
    uniform = draws.stream("models").random(_count(session))
    if "throughputs" in row:
        _paces(columns, uniform[session], table(row["throughputs"]), choices.types)
    elif "models" in row:
        names = list(row["models"])
        chosen = choose(uniform, list(row["models"].values()))[session]
        columns["model"] = as_objects(names[index] for index in chosen.tolist())


def _paces(columns: Columns, uniform: np.ndarray, paces: Throughputs, types: Mapping[str, str] | None) -> None:
    """Draw a model that was measured on so many accelerators, all equally often, and give each job its pace."""
    gangs, seconds = columns["accelerators"].tolist(), columns["duration"].tolist()
    known = {size: paces.models(int(size)) for size in dict.fromkeys(gangs)}
    models = [known[size][int(part * len(known[size]))] for size, part in zip(gangs, uniform.tolist(), strict=True)]
    unit = {
        key: paces.speedup(*key, paces.rate(*key, paces.reference), types)
        for key in dict.fromkeys(zip(models, gangs, strict=True))
    }
    columns["model"] = as_objects(models)
    columns["speedup"] = as_objects(
        replace(unit[key], duration=duration)
        for key, duration in zip(zip(models, gangs, strict=True), seconds, strict=True)
    )


def _wishes(draws: Draws, columns: Columns, session: np.ndarray, row: Mapping[str, Any], choices: Choices) -> None:
    """Priorities, and slack times duration, from which deadlines come once the submission is known."""
    wanted = choices.priorities or row.get("priorities")
    if wanted:
        columns["priority"] = pick(draws.stream("priorities").random(_count(session)), wanted)[session]
    uniform = draws.stream("slack").random(_count(session))
    if choices.slack:
        columns["deadline"] = pick(uniform, choices.slack)[session] * columns["duration"]
    elif "slack" in row:
        columns["deadline"] = law(row["slack"])(uniform)[session] * columns["duration"]


def _states(draws: Draws, columns: Columns, states: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Draw how jobs end: the long ones by the shares of time, the others so that the shares of jobs come out."""
    names = list(states["jobs"])
    jobs, time = (np.array([states[of][name] for name in names]) for of in ("jobs", "time"))
    jobs, time = jobs / jobs.sum(), time / time.sum()
    short = np.maximum((jobs - (1 - _LONG) * time) / _LONG, 0.0)
    work = np.maximum(columns["accelerators"], 1e-3) * columns["duration"]
    uniform = draws.stream("states").random(len(work))
    long = work > np.quantile(work, _LONG)
    chosen = np.where(long, choose(uniform, time.tolist()), choose(uniform, short.tolist()))
    return as_objects(names[index] for index in chosen.tolist())


def checked_weights(what: str, given: Mapping[Any, float] | None) -> dict[float, float] | None:
    """Return weights by number, or None; raises ``InputError`` for keys that are no numbers."""
    if given is None:
        return None
    try:
        return {float(key): share for key, share in weights(what, given).items()}
    except (TypeError, ValueError):
        raise InputError(f"{what}: {dict(given)!r} are not weights by number") from None
