"""The twin of serving, by hand: what one iteration after the other does to a request or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reference.serving_blocks import Ask
from reference.serving_case import EVEN, Case, ask, by_twin


def hand(*asks: dict[str, Any], **more: Any) -> tuple[list[Ask], list[Any]]:
    return by_twin(Case(**{"asks": asks, "time": EVEN, "block": 1, "blocks": 100} | more))


def test_a_request_alone() -> None:
    (one,), _ = hand(ask(1.5, 5, 3))
    assert (one.state, one.start, one.first_token, one.end) == ("FINISHED", 1.5, 2.5, 4.5)
    assert one.tokens == [2.5, 3.5, 4.5]


def test_a_prompt_is_cut_by_what_decodes_leave() -> None:
    """The second one gets 3 tokens a second beside the first one: 4 iterations for 10, from 1 s on."""
    (one, two), (replica,) = hand(
        ask(0.0, 4, 9), ask(0.5, 10, 2), batching=("vllm", {"max_tokens": 4, "async_scheduling": False})
    )
    assert one.tokens == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert (two.start, two.tokens) == (1.0, [5.0, 6.0])
    assert [step.prompt for step in replica.steps] == [4, 3, 3, 3, 1, 0, 0, 0, 0]
    assert [step.sequences for step in replica.steps] == [0, 1, 1, 1, 1, 2, 1, 1, 1]


def test_who_came_last_makes_room_and_computes_again() -> None:
    """Two need 3 + 3 of 6 blocks at 1 s, and 4 + 4 at 2 s: the second one goes, and computes 4 tokens at 3 s."""
    (one, two), (replica,) = hand(ask(0.0, 2, 3), ask(0.0, 2, 3), blocks=6)
    assert one.tokens == [1.0, 2.0, 3.0]
    assert two.tokens == [1.0, 2.0, 4.0]
    assert (two.preemptions, two.recomputed, one.preemptions) == (1, 3, 0)
    assert [step.held for step in replica.steps] == [4, 6, 4, 4]


def test_the_same_by_swapping_takes_time() -> None:
    """3 tokens of 8 B at 16 B/s out in the third iteration, and back in the fourth."""
    (one, two), _ = hand(ask(0.0, 2, 3), ask(0.0, 2, 3), blocks=6, kv_bytes=8.0, swap=16.0)
    assert one.tokens == [1.0, 2.0, 4.5]
    assert two.tokens == [1.0, 2.0, 7.0]
    assert (two.preemptions, two.recomputed) == (1, 0)


def test_prefixes_are_found_and_thrown_out_from_the_end() -> None:
    """Units of 2 blocks: 6 stay after the first request; the second one needs 2 empty blocks and 1 unit of others."""
    first, other = ask(0.0, 6, 1, hashes=(1, 2, 3), hash_block=2), ask(10.0, 3, 1)
    again = ask(20.0, 6, 1, hashes=(1, 2, 3), hash_block=2)
    (_, _, third), _ = hand(first, other, again, blocks=8, prefix_cache=True)
    assert third.cached == 4
    (_, _, third), _ = hand(first, other | {"input": 2}, again, blocks=8, prefix_cache=True)
    assert third.cached == 5  # all but the token that the first output token is computed from


def test_whole_prompts_first_and_batches_that_nobody_joins() -> None:
    asks = ask(0.0, 2, 3), ask(0.5, 2, 2)
    (one, two), _ = hand(*asks, batching=("prefill-first", {"max_tokens": 64}))
    assert (one.tokens, two.tokens) == ([1.0, 3.0, 4.0], [2.0, 3.0])
    (one, two), _ = hand(*asks, batching=("decode-first", {"max_tokens": 64}))
    assert (one.tokens, two.tokens) == ([1.0, 2.0, 3.0], [4.0, 5.0])


def test_a_client_gives_up_in_the_queue_and_in_the_batch() -> None:
    (one, two), _ = hand(ask(0.0, 2, 9), ask(0.0, 2, 9), max_batch=1, timeout=3.5)
    assert (one.state, one.end, one.tokens) == ("TIMEOUT", 3.5, [1.0, 2.0, 3.0])
    assert (two.state, two.end, two.tokens) == ("TIMEOUT", 3.5, [])


def test_a_follower_is_sent_after_its_delay_and_rejected_with_its_parent() -> None:
    (_, two), _ = hand(ask(0.0, 2, 2), ask(1.0, 2, 1, after=0, delay=0.5))
    assert (two.arrival, two.end) == (2.5, 3.5)
    asks, _ = hand(ask(0.0, 0, 2), ask(1.0, 2, 1, after=0), ask(1.0, 2, 1, after=1))
    assert [each.state for each in asks] == ["REJECTED"] * 3


def test_ranks_wait_for_each_other() -> None:
    """One rank computes 10 tokens at 1 s each, the other one 1; both end their first iteration at 10 s."""
    time = replace(EVEN, base=0.0, token=1.0, sequence=1.0)
    (one, two), _ = hand(ask(0.0, 10, 2), ask(0.0, 1, 2), time=time, ranks=2)
    assert (one.tokens, two.tokens) == ([10.0, 11.0], [10.0, 11.0])


def test_more_than_one_token_an_iteration() -> None:
    (one,), _ = hand(ask(0.0, 2, 7), advance=2.5)
    assert one.tokens == [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0]
