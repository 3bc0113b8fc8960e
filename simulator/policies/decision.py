"""What a controller decides, and why: a number that knows the rule it came from."""

from __future__ import annotations

from collections.abc import Mapping

_NOTHING: Mapping[str, float] = {}


class Decision(int):
    """A number of replicas or nodes, with the rule that fired, the numbers it went by, and the runner-up.

    It is an ``int`` in every respect, so a controller may also return a plain one. ``rule`` is a word or two in the
    product's own terms, such as "tolerance"; ``inputs`` the numbers behind it, by name; ``runner_up`` what would have
    been wanted had the rule not fired (None: there was no other choice).

    >>> wanted = Decision(4, "maximum", {"ratio": 2.5}, runner_up=10)
    >>> wanted + 1, wanted.rule, wanted.runner_up
    (5, 'maximum', 10)
    """

    rule: str
    inputs: Mapping[str, float]
    runner_up: int | None

    def __new__(
        cls, wanted: int, rule: str = "", inputs: Mapping[str, float] = _NOTHING, runner_up: int | None = None
    ) -> Decision:
        """Return the number with its reasons."""
        made = super().__new__(cls, wanted)
        made.rule, made.inputs, made.runner_up = rule, inputs, runner_up
        return made
