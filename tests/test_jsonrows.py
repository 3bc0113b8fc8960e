"""Lists of objects in JSON: element by element, strict, with the line of what is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload import jsonrows
from simulator.workload.jsonrows import json_objects

FOREIGN = "FILE: this is a zip or Excel file, not JSON\n    Traces are read from JSON, plain or gzip-compressed."
CUT = "FILE:{}: the file ends inside the list of jobs: it is cut short"


def put(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def wrong(folder: Path, text: str | bytes) -> str:
    path = put(folder, text)
    with pytest.raises(InputError) as error:
        list(json_objects(path, "jobs"))
    return str(error.value).replace(str(path), "FILE")


def test_objects_come_with_the_line_on_which_they_begin(tmp_path: Path) -> None:
    path = put(tmp_path, '\ufeff[\r\n  {"a": 1},\r\n\r\n  {"b":\n [2, null]} ,{}]\n\n')
    assert list(json_objects(path, "jobs")) == [(2, {"a": 1}), (4, {"b": [2, None]}), (5, {})]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "FILE:1: this file is empty; a list [...] of jobs is wanted"),
        (" \n\n", "FILE:3: this file is empty; a list [...] of jobs is wanted"),
        ('{"a": 1}', "FILE:1: this file is a single JSON object; a list [...] of jobs is wanted"),
        ("a,b\n1,2", "FILE:1: this file is not JSON; a list [...] of jobs is wanted"),
        ("\n[ ]", "FILE:2: the list holds no jobs"),
        ("[", CUT.format(1)),
        ('[{"a": 1}', CUT.format(1)),
        ('[{"a": 1},\n', CUT.format(2)),
        ('[{"a": 1},\n{"b": "x', CUT.format(2)),
        ('[\n{"a":\n', CUT.format(3)),
        ('[{"a": 1},\n]', "FILE:2: one of the jobs begins with ']'; each is an object {...}"),
        ("[\n7]", "FILE:2: one of the jobs begins with '7'; each is an object {...}"),
        ('[{"a": 1}\n{"b": 1}]', "FILE:2: '{' stands where a comma or the end of the list should"),
        ('[{"a": 1}]\n[]', "FILE:2: there is more text after the end of the list"),
        ('[{"a": 1},\n{"b": 1, "b": 2}]', "FILE:2: this is not JSON: key 'b' stands there twice"),
        ('[{"a": NaN}]', "FILE:1: this is not JSON: NaN is no number"),
        ('[{"a": -Infinity}]', "FILE:1: this is not JSON: -Infinity is no number"),
        ('[{"a": 1,\n"b": ?,\n"c": "' + "x" * 100 + '"}]', "FILE:2: this is not JSON: expecting value"),
        ("[" + '{"a":' * 200_000 + "1" + "}" * 200_000 + "]", "FILE:1: lists and objects are nested too deeply here"),
        (b'[{"a": "\xff"}]', "FILE:1: this is not UTF-8 text (byte 0xff)\n    Save it as UTF-8."),
        (b"PK\x03\x04", FOREIGN),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert wrong(tmp_path, text) == told


def test_a_number_too_long_for_anything(tmp_path: Path) -> None:
    assert wrong(tmp_path, '[{"a": ' + "9" * 5000 + "}]").startswith("FILE:1: this is not JSON: Exceeds the limit")


def test_an_element_has_a_greatest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonrows, "_LONGEST", 1 << 17)
    path = put(tmp_path, '[{"a": 1},\n{"b": "' + "x" * (1 << 16) + '"}]')
    assert len(list(json_objects(path, "jobs"))) == 2
    assert wrong(tmp_path, '[{"a": 1},\n{"b": "' + "x" * (1 << 22) + '"}]') == (
        "FILE:2: one of the jobs is longer than 131,072 characters"
    )


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    text = json.dumps([{"n": n, "x": str(hash(n))} for n in range(9999)]).encode()
    assert "the gzip data break off" in wrong(tmp_path, gzip.compress(text)[:-2000])


def test_a_tar_archive(tmp_path: Path) -> None:
    path = put(tmp_path, "x").rename(tmp_path / "trace-data.tar.gz")
    with pytest.raises(InputError, match=r"this is a tar archive\n    Unpack it and name the file inside\.$"):
        list(json_objects(path, "jobs"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    found=st.lists(st.dictionaries(st.text(), VALUES, max_size=4), min_size=1, max_size=6),
    indent=st.sampled_from([None, 0, 2]),
    plain=st.booleans(),
    pad=st.integers(0, 70),
)
def test_what_was_written_is_read(
    tmp_path: Path, found: list[dict[str, Any]], indent: int | None, plain: bool, pad: int
) -> None:
    """However the pieces fall that are read at a time: these are 64 characters long here."""
    text = " " * pad + json.dumps(found, indent=indent, ensure_ascii=plain)
    path = put(tmp_path, text.encode("utf-8", "surrogatepass"))
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonrows, "_LEAST", 64)
        patch.setattr("simulator.workload.files._LONGEST_LINE", 64)
        read = list(json_objects(path, "jobs"))
    assert [entry for _, entry in read] == found
    if indent is None:
        assert {line for line, _ in read} == {1}


def strictly(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["[", "]", "{", "}", '"a"', '"b"', ":", ",", "7", "-1e3", "tru", "e", "null", "\n", '"']))
)
def test_it_takes_what_the_standard_library_takes_and_no_more(tmp_path: Path, parts: list[str]) -> None:
    text = "[{" + "".join(parts)
    path = put(tmp_path, text)
    try:
        found = [entry for _, entry in json_objects(path, "jobs")]
    except InputError:
        try:
            there = json.loads(text, object_pairs_hook=strictly)
        except ValueError:
            return
        assert not all(isinstance(entry, dict) for entry in there)
    else:
        assert found == json.loads(text)
