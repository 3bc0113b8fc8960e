"""Speculative decoding: a draft guesses tokens, the model checks them all in one iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.core.errors import InputError

if TYPE_CHECKING:
    from simulator.models.serving.analytic import AnalyticTime


@dataclass(frozen=True, slots=True)
class Speculation:
    """``tokens`` guessed in each iteration, each right with probability ``acceptance`` given that those before were."""

    tokens: int
    acceptance: float
    draft: AnalyticTime | None = None
    """What a draft model takes, one iteration for each token, without its host time; guesses cost nothing without it
    (n-grams)."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` for numbers out of range."""
        if self.tokens < 1:
            raise InputError(f"speculative tokens {self.tokens} is below 1")
        if not 0 <= self.acceptance <= 1:
            raise InputError(f"acceptance {self.acceptance:g} is not from 0 to 1")

    @property
    def advance(self) -> float:
        """Expected tokens of an iteration, (1 - a^(s+1)) / (1 - a) (Leviathan et al., arXiv 2211.17192, equation 1)."""
        if self.acceptance == 1:
            return self.tokens + 1.0
        return (1 - self.acceptance ** (self.tokens + 1)) / (1 - self.acceptance)
