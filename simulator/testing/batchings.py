"""What every way of batching must do."""

from __future__ import annotations

from typing import Any

from simulator.policies.batching import RESERVES
from simulator.policies.serving import Batching, batchings
from simulator.testing.running import made, run_all

_SEQUENCES = (0, 1, 2, 7, 64, 256, 1000, 100_000)


def check_batching(batching: Any) -> None:
    """Put a way of batching (a name, an object or a class) through everything that ``BatchingContract`` promises.

    >>> check_batching("vllm")
    """

    class Given(BatchingContract):
        def make(self) -> Any:
            return batching

    run_all(Given())


class BatchingContract:
    """What every way of batching must do; subclass it, and say in ``make`` which one."""

    def make(self) -> Any:
        """Return the way of batching: a name, an object or a class."""
        raise NotImplementedError("return your batching from make()")

    def test_says_what_it_is(self) -> None:
        """``mixed``, ``chunked`` and ``reserve`` are there, and ``imitates`` names a product and its version."""
        batching = self._batching()
        for name in ("mixed", "chunked"):
            value = getattr(batching, name, None)
            assert isinstance(value, bool), f"{name} is {value!r}; it must be True or False"
        reserve = getattr(batching, "reserve", None)
        assert reserve in RESERVES, f"reserve is {reserve!r}; it must be one of {', '.join(RESERVES)}"
        imitates = getattr(batching, "imitates", None)
        assert isinstance(imitates, str), f"imitates is {imitates!r}; name the product and its version, or leave it ''"

    def test_computes_prompts_when_idle(self) -> None:
        """With nobody in the batch it lets somebody in, and has tokens for a prompt."""
        batching = self._batching()
        budget = batching.budget(0)
        assert budget >= 1, f"budget(0) is {budget!r}: with nobody decoding no prompt would ever be computed"
        assert batching.admits(0), "admits(0) is false: nobody would ever be let in"

    def test_answers_with_tokens(self) -> None:
        """``budget`` is a whole number and does not grow with those who decode; ``admits`` is true or false."""
        batching = self._batching()
        budgets = []
        for decoding in _SEQUENCES:
            budget = batching.budget(decoding)
            whole = hasattr(budget, "__index__") and not isinstance(budget, bool)
            assert whole, f"budget({decoding}) is {budget!r}; it must be a whole number of tokens"
            budgets.append(budget)
            admits = batching.admits(decoding)
            assert isinstance(admits, bool), f"admits({decoding}) is {admits!r}; it must be True or False"
        assert budgets == sorted(budgets, reverse=True), (
            f"beside {', '.join(map(str, _SEQUENCES))} sequences it has {budgets} tokens for prompts; more sequences "
            "cannot leave more"
        )

    def test_gives_the_same_answers_again(self) -> None:
        """It is a rule, and keeps nothing."""
        batching = self._batching()
        first, again = (
            [(batching.budget(count), batching.admits(count)) for count in (*_SEQUENCES, *reversed(_SEQUENCES))]
            for _ in range(2)
        )
        assert first == again, "the same questions lead to other answers the second time: it must keep no state"

    def _batching(self) -> Batching:
        batching: Batching = made(self.make(), batchings)
        return batching
