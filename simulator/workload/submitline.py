"""What a Slurm command line says of a job that accounting has no field for: dependencies, array limits, a start time.

Options and kinds of dependency: SchedMD/slurm, doc/man/man1/sbatch.1 (``--dependency``, ``--array``, ``--begin``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DEPENDENCY = re.compile(r"(?<!\S)(?:--dependency(?:=|\s+)|-d\s*)((?:after|singleton|expand)\S*)")
_ARRAY = re.compile(r"(?<!\S)(?:--array(?:=|\s+)|-a\s*)[\d,:-]+%(\d+)(?!\S)")
_BEGIN = re.compile(r"(?<!\S)(?:--begin(?:=|\s+)\S|-b\s*(?:now|today|tomorrow|\d))")
_PENDING = re.compile(r"(\d+)_\[[^]]*%(\d+)\]?")
_TASK = re.compile(r"(\d+)_(\d+)(?:\D.*)?")
DONE = ("afterok", "afterany", "aftercorr", "afterburstbuffer")
"""Kinds that wait for the end of another job; that it must have failed, or only have begun, is not among them."""


class Dependencies(NamedTuple):
    """Jobs that must have ended: ``after`` by JobID, ``each`` by array, task by task; and ``other`` kinds, by name."""

    after: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


def dependencies(line: str) -> Dependencies:
    """Read the ``--dependency`` of a command line; where one of several would do (``?``), none is taken.

    >>> dependencies("sbatch --dependency=afterok:11:12,singleton train.sh")
    Dependencies(after=('11', '12'), each=(), other=('singleton',))
    """
    match = _DEPENDENCY.search(line)
    if match is None:
        return Dependencies()
    if "?" in match[1]:
        return Dependencies(other=("one of several (?)",))
    after: list[str] = []
    each: list[str] = []
    other: list[str] = []
    for part in filter(None, match[1].split(",")):
        kind, *jobs = part.split(":")
        if kind in DONE and jobs:
            (each if kind == "aftercorr" else after).extend(job.partition("+")[0] for job in jobs)
        else:
            other.append(kind)
    return Dependencies(tuple(after), tuple(each), tuple(other))


def array_limit(line: str) -> int:
    """Return how many tasks of an array may run at a time; 0 where the command line does not say.

    >>> array_limit("sbatch --array=0-99%4 train.sh"), array_limit("sbatch -a 0-99 train.sh")
    (4, 0)
    """
    match = _ARRAY.search(line)
    return int(match[1]) if match else 0


def has_begin(line: str) -> bool:
    """Whether the job was submitted for later (``--begin``)."""
    return _BEGIN.search(line) is not None


def task(job: str) -> tuple[str, str]:
    """Return the array of a JobID, and the number of the task in it; both empty for a job of its own.

    >>> task("123_7"), task("123")
    (('123', '7'), ('', ''))
    """
    match = _TASK.fullmatch(job)
    return (match[1], match[2]) if match else ("", "")


def pending_limit(job: str) -> tuple[str, int]:
    """Return the array, and its limit, of the row that stands for all tasks that wait; empty for other rows.

    >>> pending_limit("123_[0-9%4]"), pending_limit("123_4")
    (('123', 4), ('', 0))
    """
    match = _PENDING.fullmatch(job)
    return (match[1], int(match[2])) if match else ("", 0)
