import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.models.serving import CalledTime, TableTime, read_table
from simulator.models.serving.api import Batch, Chunk

HEAD = "prefill_tokens,decode_sequences,context_tokens,seconds\n"


def law(prefill, sequences, context):
    return 0.01 + 2e-5 * prefill + 1e-4 * sequences + 3e-8 * context + 1e-9 * prefill * sequences


def grid(function=law, prefills=(0, 512, 2048), sequences=(0, 8, 64), contexts=(0, 1000, 100_000)):
    points = [(p, n, s) for p in prefills for n in sequences for s in contexts]
    return "".join(f"{p},{n},{s},{function(p, n, s)!r}\n" for p, n, s in points)


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "times.csv"
        path.write_text(text)
        return read_table(path)

    return write


@given(prefill=st.integers(0, 5000), sequences=st.integers(0, 100), context=st.integers(0, 300_000))
def test_a_multilinear_law_is_met_between_and_above_the_points(prefill, sequences, context):
    values = {(p, n, s): law(p, n, s) for p in (0.0, 512.0) for n in (0.0, 8.0, 64.0) for s in (0.0, 1e5)}
    time = TableTime([(0, 512), (0, 8, 64), (0, 1e5)], values)
    chunks = (Chunk(prefill, 0),) if prefill else ()
    found = time.seconds([Batch(chunks, sequences, float(context))])
    assert found == pytest.approx(law(prefill, sequences, context), rel=1e-9)


def test_rows_may_stand_in_any_order_and_nothing_running_may_be_absent(table):
    lines = [line for line in grid().splitlines() if not line.startswith("0,0,")]
    time = table(HEAD + "\n".join(reversed(lines)))
    assert time.seconds([Batch((Chunk(512, 488),), 8, 512.0)]) == pytest.approx(law(512, 8, 1000))


def test_columns_may_stand_in_any_order(table):
    time = table("seconds,context_tokens,decode_sequences,prefill_tokens\n0.5,0,1,0\n1.5,1000,1,0\n")
    assert time.seconds([Batch((), 1, 500.0)]) == 1.0
    assert time.seconds([Batch((), 7, 2000.0)]) == 2.5  # one point of an axis holds everywhere


def test_a_byte_order_mark_is_no_part_of_the_first_column(table, tmp_path):
    (tmp_path / "excel.csv").write_text("\ufeff" + HEAD + grid(), encoding="utf-8")
    batch = [Batch((Chunk(512, 488),), 8, 512.0)]
    assert read_table(tmp_path / "excel.csv").seconds(batch) == table(HEAD + grid()).seconds(batch)


def test_below_the_smallest_point_it_holds(table):
    time = table(HEAD + "0,4,1000,0.5\n0,8,1000,0.7\n0,4,2000,0.6\n0,8,2000,0.9\n")
    assert time.seconds([Batch((), 1, 10.0)]) == 0.5


@given(data=st.data())
def test_decoding_is_seconds_up_to_until(data):
    contexts = sorted(data.draw(st.sets(st.integers(0, 10_000), min_size=1, max_size=5)))
    times = st.floats(0.001, 1.0)
    values = {(0.0, float(n), float(s)): data.draw(times) for n in (1, 4, 9) for s in contexts}
    time = TableTime([(0.0,), (1.0, 4.0, 9.0), contexts], values)
    count, total = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 15_000))
    form = time.decoding([count], [float(total)])
    for context in (total, (total + min(form.until, 30_000)) / 2, min(form.until, 30_000)):
        if total <= context <= form.until:
            found = time.seconds([Batch((), count, float(context))])
            assert found == pytest.approx(form.base + form.context * context, rel=1e-9, abs=1e-12)
            assert found >= min(values.values()) * (1 - 1e-12)
    assert form.until >= total or total > contexts[-1]


def test_ranks_take_what_the_slowest_does(table):
    time = table(HEAD + grid())
    ranks = [Batch((), 8, 5000.0), Batch((), 30, 100.0)]
    slowest = max(law(0, 8, 5000), law(0, 30, 100))
    assert time.seconds(ranks) == pytest.approx(slowest)
    form = time.decoding([8, 30], [5000.0, 100.0])
    assert (form.base, form.context, form.until) == (pytest.approx(slowest), 0.0, 100.0)
    alike = time.decoding([8, 8], [5000.0, 7000.0])
    assert alike.base + alike.context * 7000 == pytest.approx(law(0, 8, 7000))
    assert alike.until == 100_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "times.csv: is empty\n    its columns are prefill_tokens, decode_sequences, context_tokens, seconds"),
        (HEAD, "times.csv: has no rows"),
        ("prefill_tokens,decode_sequences,context,seconds\n",
         "times.csv:1: has no column 'context_tokens'\n    Did you mean 'context'? Known: context, decode_sequences, "
         "prefill_tokens, seconds.\ntimes.csv:1: unknown column 'context'\n    Did you mean 'context_tokens'? Known: "
         "context_tokens, decode_sequences, prefill_tokens, seconds."),
        (HEAD + "0,1,100,fast\n0,1,200\n0,1,300,-1\n0,1,nan,1\n",
         "times.csv:2: seconds 'fast' is not a number\ntimes.csv:3: has 3 cells, not 4\n"
         "times.csv:4: seconds '-1' is not a finite number above 0\n"
         "times.csv:5: context_tokens 'nan' is not a finite number 0 or more"),
        (HEAD + "0,1,100,1\n\n0,1,1e2,2\n",
         "times.csv:4: repeats the point prefill_tokens 0, decode_sequences 1, context_tokens 100 of line 2"),
        (HEAD + "0,1,100,1\n0,2,200,1\n512,1,100,2\n",
         "times.csv: 5 of 8 points of the grid (2 x 2 x 2) are missing: prefill_tokens 0, decode_sequences 1, "
         "context_tokens 200; prefill_tokens 0, decode_sequences 2, context_tokens 100; prefill_tokens 512, "
         "decode_sequences 1, context_tokens 200; prefill_tokens 512, decode_sequences 2, context_tokens 100; "
         "prefill_tokens 512, decode_sequences 2, context_tokens 200\n"
         "    every combination of the values of the three columns needs a row"),
    ],
)  # fmt: skip
def test_bad_tables(table, tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        table(text)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read: No such file"):
        read_table(tmp_path / "none.csv")


def test_a_function_is_asked_for_each_rank():
    asked = []

    def told(prefill, sequences, context):
        asked.append((prefill, sequences, context))
        return 1e-3 * (1 + prefill + sequences)

    time = CalledTime(told)
    assert time.window == math.inf
    ranks = [Batch((Chunk(100, 50), Chunk(20, 0)), 3, 900.0), Batch(), Batch((), 7, 10.0)]
    assert time.seconds(ranks) == pytest.approx(0.124)
    assert asked == [(120, 3, 950.0), (0, 7, 10.0)]
    form = time.decoding([3, 0, 7], [900.0, 0.0, 10.0])
    assert (form.base, form.context, form.until) == (pytest.approx(0.008), 0.0, 10.0)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1", None, True])
def test_a_function_that_returns_no_time(value):
    def broken(prefill, sequences, context):
        return value

    with pytest.raises(InputError) as caught:
        CalledTime(broken).seconds([Batch((), 2, 30.0)])
    text = f"broken(0, 2, 30) returned {value!r}: an iteration time is a positive finite number of seconds"
    assert str(caught.value) == text
