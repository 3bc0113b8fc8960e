"""Reading rows of YAML: traps that do not bite, and every message."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cluster.records import Accelerator, Carbon
from simulator.cluster.rows import read_rows
from simulator.core.errors import InputError

ROW = """\
version: 1.10
accelerators:
  - id: acme/brain-1
    vendor: no
    kind: asic
    year: 2026
    flops: {bf16: 500 TFLOP/s}
    memory: 64 GB
    memory_bandwidth: 2 TB/s
    date: 2026-11-01
    source: the offer
    confidence: secondary
"""


def read(folder: Path, text: str | bytes) -> list[Accelerator]:
    path = folder / "mine.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_rows(path).of(Accelerator))


def message(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as error:
        read(folder, text)
    return str(error.value).replace(f"{folder}/", "")


def test_scalars_are_what_was_written(tmp_path: Path) -> None:
    (record,) = read(tmp_path, ROW)
    assert (record.vendor, record.version, record.date) == ("no", "1.10", "2026-11-01")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "memory: 64 GB",
            "memory: 64",
            "mine.yaml:8:13 accelerators[0] acme/brain-1.memory: '64' has no unit",
        ),
        (
            "64 GB",
            "-64 GB",
            "mine.yaml:8:13 accelerators[0] acme/brain-1.memory: '-64 GB' is negative",
        ),
        (
            "memory: 64 GB",
            "memory: 0 GB",
            "mine.yaml:8:13 accelerators[0] acme/brain-1.memory: '0 GB' is zero; leave the key out when it is not "
            "known\n        memory: 0 GB\n                ^",
        ),
        (
            "memory_bandwidth",
            "memory_bandwith",
            "mine.yaml:9:5 accelerators[0] acme/brain-1: unknown key 'memory_bandwith'\n"
            "        memory_bandwith: 2 TB/s\n"
            "        ^\n"
            "    Did you mean 'memory_bandwidth'? Known: aliases, attention_share, confidence, ",
        ),
        ("kind: asic", "kind: fgpa", ".kind: unknown kind 'fgpa'. Did you mean 'fpga'? Known: asic, cpu, fpga, gpu,"),
        ("confidence: secondary", "confidence: sure", ".confidence: unknown confidence 'sure'."),
        ("year: 2026", "year: 2e3", ".year: '2e3' is not a whole number of 1 or more"),
        ("year: 2026", "year:", ".year: has no value\n"),
        ("date: 2026-11-01", "date: November", ".date: 'November' will not do: a date is 2025, 2025-03 or 2025-03-31"),
        ("acme/brain-1", "Acme Brain", ".id: 'Acme Brain' will not do: an id has lower-case letters, digits and "),
        ("{bf16: 500 TFLOP/s}", "{bf32: 500 TFLOP/s}", ": unknown precision 'bf32'. Did you mean 'tf32'?"),
        ("{bf16: 500 TFLOP/s}", "500 TFLOP/s", ".flops: must be 'key: value' pairs"),
        ("{bf16: 500 TFLOP/s}", "{bf16: 500 TB}", ".flops.bf16: '500 TB' has unknown unit 'TB'"),
        ("source: the offer", "source: [a, b]", ".source: must be a single value, not a list or a mapping"),
        ("source: the offer", "vendor: Acme", "accelerators[0]: key 'vendor' stands here twice"),
        ("    source: the offer\n", "", "mine.yaml:3:5 accelerators[0] acme/brain-1: there is no 'source'"),
        ("version: 1.10\n", "", "there is no 'version'"),
        ("accelerators:", "acelerators:", "unknown section 'acelerators'"),
        ("year: 2026", "price_low: $9\n    year: 2026", ": price_low and price_high must both be there, or neither"),
        (
            "year: 2026",
            "price_low: $9\n    price_high: $8\n    year: 2026",
            ": price_low $9 is above price_high $8",
        ),
        (
            "year: 2026",
            "power: 100 W\n    idle_power: 101 W\n    year: 2026",
            ": idle_power 101 W is above power 100 W",
        ),
    ],
)
def test_messages(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in ROW
    assert expected in message(tmp_path, ROW.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml: is empty"),
        ("hello", "mine.yaml:1:1: must be 'key: value' pairs"),
        ("version: 1\naccelerators: {}", "mine.yaml:2:15 accelerators: must be a list"),
        ("version: 1\naccelerators: [8]", "mine.yaml:2:16 accelerators[0]: must be 'key: value' pairs"),
        ("version: 1\naccelerators:\n  - id: x\n   kind: y", "mine.yaml:4:4: is not YAML: did not find expected"),
        ("version: 1\n--- \nversion: 2", "mine.yaml:2:1: is not YAML: but found another document"),
        (b"version: \xff", "mine.yaml: is not UTF-8 text (byte 9)"),
        (b"version: \x00", "mine.yaml: is not YAML: "),
        ("version: &a 1\n? [x]\n: 2", "mine.yaml:2:3: a key must be plain text"),
    ],
)
def test_files_that_are_no_catalog(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert message(tmp_path, text).startswith(expected)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.yaml: cannot be read: No such file or directory"):
        read_rows(tmp_path / "gone.yaml")


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = ROW.replace("64 GB", "64").replace("asic", "npu") + "  - id: acme/two\n"
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert [problem.line for problem in error.value.problems] == [5, 8, 13]
    assert error.value.problems[2].text == (
        "there is no 'source', 'confidence', 'date', 'vendor', 'kind', 'year', 'memory', 'memory_bandwidth'"
    )


def test_an_id_must_be_unique_in_its_section(tmp_path: Path) -> None:
    twice = ROW + ROW[ROW.index("  - id") :]
    assert "mine.yaml:13:5 accelerators: id 'acme/brain-1' is already taken in line 3" in message(tmp_path, twice)


@given(value=st.floats(min_value=1e-3, max_value=1e6))
def test_a_number_comes_back_as_it_was_written(value: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rows")
    row = f"{{id: x, region: here, date: 2026, source: us, confidence: secondary, intensity: {value!r} g/kWh}}"
    path = folder / "carbon.yaml"
    path.write_text(f"version: 1\ncarbon: [{row}]", encoding="utf-8")
    (record,) = read_rows(path).of(Carbon)
    assert record.intensity * 3.6e9 == pytest.approx(value, rel=1e-12)


@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "any.yaml"
    path.write_bytes(f"version: 1\npue:\n  - id: {text}".encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError):
        read_rows(path)
