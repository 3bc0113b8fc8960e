"""Tables of measured throughputs, and the paces that jobs get from them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.speedup import Given
from simulator.workload.throughputs import table, tables

GAVEL = table("gavel")
ROWS = [(model, count) for model, counts in GAVEL.packed.items() for count in counts]


def test_what_the_table_holds() -> None:
    assert tables() == ["gavel"]
    assert (GAVEL.types, GAVEL.reference) == (("k80", "p100", "v100"), "v100")
    assert [len(GAVEL.models(count)) for count in (1, 2, 4, 8)] == [26, 19, 19, 19]
    assert GAVEL.rate("A3C", 1, "k80") == 3.4387678290723933
    assert GAVEL.rate("LM (batch size 5)", 8, "v100") == 698.773292956699
    assert GAVEL.rate("LM (batch size 5)", 8, "v100", spread=True) == 73.11997842291213
    assert GAVEL.rate("ResNet-50 (batch size 128)", 2, "k80") == 0


def test_every_number_is_the_sources(shared: Path) -> None:
    path = shared / "traces/gavel_generated/isolated_throughputs_steps_per_s.json.gz"
    theirs = json.loads(gzip.decompress(path.read_bytes()))
    for kind in GAVEL.types:
        assert len(theirs[kind]) == len(ROWS)
        for model, count in ROWS:
            key = f"('{model}', {count})"
            assert GAVEL.rate(model, count, kind) == theirs[kind][key]
            assert GAVEL.rate(model, count, kind, spread=True) == theirs[f"{kind}_unconsolidated"].get(key, 0.0)


@given(st.sampled_from(ROWS), st.floats(1.0, 1e7), st.sampled_from(GAVEL.types), st.floats(0.0, 1.0))
def test_a_pace_takes_steps_over_steps_per_second(row: tuple[str, int], steps: float, kind: str, part: float) -> None:
    model, count = row
    pace = GAVEL.speedup(model, count, steps)
    for servers in (1, 2) if count > 1 else (1,):
        given = Given(count, servers, kind)
        rate = GAVEL.rate(model, count, kind, spread=servers > 1)
        if rate:
            assert pace.seconds(given, part) == pytest.approx(part * steps / rate)
            assert pace.fraction(given, pace.seconds(given, part)) == pytest.approx(part)
        else:
            assert pace.seconds(given, 1.0) == float("inf")
    assert GAVEL.steps(model, count, pace.duration) == pytest.approx(steps)


def test_types_can_be_renamed() -> None:
    pace = GAVEL.speedup("CycleGAN", 1, 1000, names={"v100": "nvidia/v100-sxm2-32"})
    assert list(pace.pace) == ["k80", "p100", "nvidia/v100-sxm2-32"]
    assert pace.pace["nvidia/v100-sxm2-32"] == 1.0
    assert pace.spread is None


def refused(call: object, *args: object) -> str:
    with pytest.raises(InputError) as wrong:
        call(*args)  # type: ignore[operator]
    return str(wrong.value)


def test_refusals() -> None:
    assert refused(table, "gavl").startswith("unknown throughputs 'gavl'. Did you mean 'gavel'?")
    assert refused(GAVEL.rate, "A3D", 1, "k80").startswith(
        "throughputs 'gavel' have no model 'A3D'. Did you mean 'A3C'?"
    )
    assert refused(GAVEL.rate, "A3C", 2, "k80") == "throughputs 'gavel' have no 2 accelerators for 'A3C'; they have 1"
    assert refused(GAVEL.rate, "A3C", 1, "a100").startswith("throughputs 'gavel' have no type 'a100'. Did you mean")
    assert refused(GAVEL.speedup, "A3C", 1, 0) == "steps: 0 is not a number above 0"
