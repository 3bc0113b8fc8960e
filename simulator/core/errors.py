"""Errors that a user can act on: what is wrong, where it stands, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the input.

    ``text`` says what, with the offending value; ``hint`` what to do about it. ``file``, ``line`` and ``column``
    (both counted from 1) say where, ``path`` is the dotted key, ``source`` the text of that line.
    """

    text: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    source: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """Render as ``file:line:column path: text``, then the source line with a caret, then the hint."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        head = " ".join(part for part in (place, self.path) if part)
        lines = [f"{head}: {self.text}" if head else self.text]
        if self.source is not None:
            shown, caret = _window(self.source, (self.column or 1) - 1)
            lines.append(f"    {shown}".rstrip())
            if self.column is not None:
                lines.append("    " + " " * caret + "^")
        if self.hint:
            lines.append(f"    {self.hint}")
        # what a stranger wrote into a file must not steer the terminal that shows it
        return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in "\n".join(lines))


def _window(source: str, caret: int, width: int = 100) -> tuple[str, int]:
    """Return the part of a source line around ``caret`` that fits a terminal, and where the caret is in it."""
    text = "".join(char if char.isprintable() else " " for char in source)
    if len(text) <= width:
        return text, caret
    start = max(0, min(caret - width // 2, len(text) - width))
    before, after = "..." * (start > 0), "..." * (start + width < len(text))
    return before + text[start : start + width] + after, caret - start + len(before)


class SimulatorError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(SimulatorError):
    """The input is wrong. Carries every problem that was found, not only the first."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[Problem, ...]]:
        """Survive the way back from a worker process."""
        return type(self), self.problems


class PolicyError(SimulatorError):
    """A policy asked for something illegal; the message names policy, time, job and numbers."""


class InvariantError(SimulatorError):
    """The simulator contradicts itself (a bug of ours): something that must always hold did not."""


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like ``name``, or None when nothing comes close."""
    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def did_you_mean(name: str, choices: Iterable[str], limit: int = 12) -> str:
    """Say which choices there are, and which is nearest to ``name``."""
    known = sorted(choices)
    shown = ", ".join(known[:limit]) + (f", ... ({len(known)} in all)" if len(known) > limit else "")
    close = nearest(name, known)
    return f"Did you mean {close!r}? " * (close is not None) + f"Known: {shown or 'none'}."
