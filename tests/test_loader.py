"""Reading scenario files: YAML with marks, includes, shipped files, overrides, and everything that can be wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.errors import InputError, Problem
from simulator.scenario import shipped
from simulator.scenario.loader import MAX_FILES, read_source
from simulator.scenario.nodes import from_python, merge
from simulator.scenario.overrides import apply, settings
from simulator.scenario.yamltext import MAX_ALIASED, MAX_DEPTH, parse, resolve


def message(text: str, file: str = "f.yaml") -> str:
    with pytest.raises(InputError) as caught:
        parse(text, file)
    return str(caught.value)


SCALARS = [
    ("1e3", "1e3"),
    ("6214e9", "6214e9"),
    ("1.0e3", 1000.0),
    ("1_000", 1000),
    ("010", "010"),
    ("0", 0),
    ("0.5", 0.5),
    ("12.", 12.0),
    ("0x1F", 31),
    ("0o17", 15),
    ("-3", -3),
    (".5", 0.5),
    ("12:30:45", "12:30:45"),
    ("2017-10-03", "2017-10-03"),
    ("no", "no"),
    ("on", "on"),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("5 min", "5 min"),
    ("$0.11/kWh", "$0.11/kWh"),
    ("-", "-"),
    ("+.inf", float("inf")),
    ("1" * 400, "1" * 400),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=lambda value: repr(value)[:20])
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quotes_and_tags_make_text() -> None:
    assert parse("a: '1e3'\nb: !!str 1e3\nc: ! 7\nd: \"no\"").plain() == {"a": "1e3", "b": "1e3", "c": "7", "d": "no"}


def test_marks_stand_at_keys_and_values() -> None:
    root = parse("a:\n  - b: {c: 3}\n", "f.yaml", "/base")
    node = root.find(("a", 0, "b", "c"))
    assert node is not None
    assert node.key is not None
    assert (node.mark.line, node.mark.column, node.key.line, node.key.column) == (2, 12, 2, 9)
    assert (node.mark.file, node.mark.source, node.mark.base) == ("f.yaml", "  - b: {c: 3}", "/base")


def test_anchors_and_merge_keys() -> None:
    text = "x: &x {a: 1, b: 2}\ny: *x\nz: {<<: *x, b: 3}\nw: {<<: [{a: 5}, *x], c: 4}"
    assert parse(text).plain() == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 2},
        "z": {"a": 1, "b": 3},
        "w": {"a": 5, "b": 2, "c": 4},
    }


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc<_1", max_size=3), inner),
    max_leaves=15,
)


@given(st.dictionaries(st.text("abcxyz", min_size=1), plain, min_size=1), st.booleans())
def test_what_pyyaml_writes_reads_back(data: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True)
    assert parse(text).plain() == data


def problems_in(text: str) -> tuple[Problem, ...]:
    """What is wrong with a text; anything but a clear message comes out as the exception that it is."""
    try:
        parse(text, "f.yaml").plain()
    except InputError as error:
        return error.problems
    return ()


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert all(problem.file == "f.yaml" for problem in problems_in(text))


@given(st.text("[]{}&*a:,-! \n\"'#|>?%@`\t", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    assert all(problem.file == "f.yaml" for problem in problems_in(text))


BROKEN = {
    "repeated key": (
        "a: 1\nb: {c: 1, c: 2}\n",
        "f.yaml:2:11: the key 'c' is repeated\n"
        "    b: {c: 1, c: 2}\n"
        "              ^\n"
        "    it stands in line 2 already; keep one of the two",
    ),
    "two repeated keys": (
        "a: 1\na: 2\na: 3\n",
        "f.yaml:2:1: the key 'a' is repeated\n    a: 2\n    ^\n    it stands in line 1 already; keep one of the two\n"
        "f.yaml:3:1: the key 'a' is repeated\n    a: 3\n    ^\n    it stands in line 1 already; keep one of the two",
    ),
    "tab": (
        "a:\n\t- b\n",
        "f.yaml:2:1: not valid YAML: found character that cannot start any token\n"
        "     - b\n"
        "    ^\n"
        "    indent with spaces, not with tabs",
    ),
    "colon": (
        "a: b: c\n",
        "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context\n"
        "    a: b: c\n"
        "        ^\n"
        "    a value that contains ': ' needs quotes",
    ),
    "special character": (
        "a: @b\n",
        "f.yaml:1:4: not valid YAML: found character that cannot start any token\n"
        "    a: @b\n"
        "       ^\n"
        "    put text that starts with a special character in quotes",
    ),
    "truncated list": (
        "a: 1\nb: [1,\n",
        "f.yaml:2:7: the file ends too early: did not find expected node content (while parsing a flow node)\n"
        "    b: [1,\n"
        "          ^\n"
        "    is the file truncated?",
    ),
    "truncated text": (
        'a: "b\nc: d\n',
        "f.yaml:2:5: the file ends too early: found unexpected end of stream (while scanning a quoted scalar that "
        "starts in line 1)\n    c: d\n        ^\n    is the file truncated?",
    ),
    "empty": ("", "f.yaml: the file is empty"),
    "comments only": ("# nothing\n", "f.yaml: the file is empty"),
    "null": ("---\n", "f.yaml: the file is empty"),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        "f.yaml:2:1: a second document starts here\n    ---\n    ^\n    one file holds one scenario: remove '---'",
    ),
    "code": (
        "a: !!python/object/apply:os.system [ls]\n",
        "f.yaml:1:4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed\n"
        "    a: !!python/object/apply:os.system [ls]\n"
        "       ^\n"
        "    a scenario holds plain data only",
    ),
    "unknown anchor": ("a: *b\n", "f.yaml:1:4: there is no anchor &b\n    a: *b\n       ^"),
    "anchor in itself": ("a: &b [*b]\n", "f.yaml:1:8: *b stands inside its own anchor\n    a: &b [*b]\n           ^"),
    "mapping as a key": (
        "{a: 1}: 2\n",
        "f.yaml:1:1: a key must be a plain word\n    {a: 1}: 2\n    ^\n    put text that starts with { or [ in quotes",
    ),
    "merge of text": (
        "a: {<<: b}\n",
        "f.yaml:1:5: '<<' takes a mapping or a list of mappings\n    a: {<<: b}\n        ^",
    ),
    "control character": ("a: 1\nb: \x07\n", "f.yaml:2:4: not a text file: it contains the control character 0x07"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_text(name: str) -> None:
    text, expected = BROKEN[name]
    assert message(text) == expected


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_quickly(opening: str) -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in message(opening * 100_000)


def test_a_billion_laughs_are_refused_quickly() -> None:
    laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    laughs += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    assert f"expand to more than {MAX_ALIASED:,} values" in message(laughs)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def failure(source: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        read_source(source)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, so that messages show short paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_that_are_not_scenarios(folder: Path) -> None:
    (folder / "binary.yaml").write_bytes(b"name: x\n\xff\xfe\x00")
    (folder / "zero.yaml").write_bytes(b"name: x\x00")
    (folder / "huge.yaml").write_bytes(b"#" * (17 * 2**20))
    (folder / "sub").mkdir()
    assert failure("binary.yaml") == (
        "binary.yaml:2: not a text file: byte 0xff in line 2 is not UTF-8\n    a scenario is a YAML file in UTF-8"
    )
    assert failure("zero.yaml") == "zero.yaml:1:8: not a text file: it contains the control character 0x00"
    assert failure("huge.yaml") == "huge.yaml: 17 MiB is too large for a scenario (limit 16)"
    assert failure("sub") == "'sub' is a folder\n    a scenario is a YAML file"
    assert failure("zerro.yaml") == "there is no file 'zerro.yaml'\n    Did you mean 'zero.yaml'?"
    assert failure("nowhere/x.yaml") == "there is no file 'nowhere/x.yaml'\n    there is no folder 'nowhere'"
    assert failure("") == "no scenario is named\n    give a file or the name of a shipped scenario"
    assert failure("x" * 5000).startswith("there is no scenario file or shipped scenario")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(folder: Path) -> None:
    write(folder, secret="name: x\n")
    (folder / "secret.yaml").chmod(0)
    assert failure("secret.yaml") == "secret.yaml: cannot be read: Permission denied"


def test_a_byte_order_mark_is_no_part_of_the_first_key(folder: Path) -> None:
    (folder / "bom.yaml").write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_source("bom.yaml").root.plain() == {"name": "x"}


def test_text_path_and_name(folder: Path) -> None:
    write(folder, mine="name: mine\n")
    assert read_source("mine.yaml").root.plain() == {"name": "mine"}
    assert read_source(folder / "mine.yaml").path == str(folder / "mine.yaml")
    assert read_source("name: text\n").root.plain() == {"name": "text"}
    assert read_source("{name: text}").root.plain() == {"name": "text"}
    assert read_source("name: text\nname: x\n").problems[0].file == "<text>"


def test_shipped_scenarios_go_by_name(folder: Path) -> None:
    assert "quickstart" in shipped.names("scenarios")
    assert read_source("quickstart").path == str(shipped.shipped("scenarios", "quickstart"))
    assert read_source("quickstart.yaml").path == read_source("quickstart").path
    assert failure("quickstrat").startswith(
        "there is no scenario file or shipped scenario 'quickstrat'\n    Did you mean 'quickstart'? Known: "
    )
    assert (
        failure("quikstart.yaml") == "there is no file 'quikstart.yaml'\n    There is a shipped scenario 'quickstart'."
    )


def test_a_wheel_ships_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_shipped" / "topologies").mkdir(parents=True)
    (tmp_path / "_shipped" / "topologies" / "pod.yaml").write_text("build: pool\naccelerators: 8\n")
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path)
    assert shipped.names("topologies") == ["pod"]
    assert shipped.shipped("topologies", "pod") == tmp_path / "_shipped" / "topologies" / "pod.yaml"
    assert shipped.names("scenarios") == []
    with pytest.raises(InputError, match="no topology file or shipped topology 'pdo'"):
        shipped.shipped("topologies", "pdo")


def test_includes_lie_under_the_file_that_names_them(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder / "sub", deep="cost: {pue: 1.5, life: 3 y}\nseed: 1\n")
    write(folder, base="include: sub/deep.yaml\nseed: 2\nrun: {until: 1 d}\n", extra="run: {until: 2 d, warmup: 1 h}\n")
    write(folder, top="include: [base.yaml, extra.yaml]\nname: top\nrun: {replications: 3}\n")
    assert read_source("top.yaml").root.plain() == {
        "name": "top",
        "seed": 2,
        "cost": {"pue": 1.5, "life": "3 y"},
        "run": {"until": "2 d", "warmup": "1 h", "replications": 3},
    }
    pue = read_source("top.yaml").root.find(("cost", "pue"))
    assert pue is not None
    assert (pue.mark.file, pue.mark.line, pue.mark.base) == ("sub/deep.yaml", 1, str((folder / "sub").resolve()))


def test_another_kind_replaces_the_parameters_of_the_old_one(folder: Path) -> None:
    write(folder, base="scheduler: {kind: las, quantum: 5 min}\nworkload: {a: {generate: poisson, jobs: 5, load: 1}}\n")
    write(folder, kind="include: base.yaml\nscheduler: {kind: fifo}\nworkload: {a: {jobs: 7}}\n")
    write(
        folder, source="include: base.yaml\nscheduler: {quantum: 9 min}\nworkload: {a: {trace: x.csv, format: slurm}}\n"
    )
    assert read_source("kind.yaml").root.plain() == {
        "scheduler": {"kind": "fifo"},
        "workload": {"a": {"generate": "poisson", "jobs": 7, "load": 1}},
    }
    assert read_source("source.yaml").root.plain() == {
        "scheduler": {"kind": "las", "quantum": "9 min"},
        "workload": {"a": {"trace": "x.csv", "format": "slurm"}},
    }


def test_includes_that_go_in_a_circle(folder: Path) -> None:
    write(folder, a="name: a\ninclude: b.yaml\n", b="include: c.yaml\n", c="include: [a.yaml]\n")
    assert failure("a.yaml") == (
        "c.yaml:1:11: the includes go in a circle: a.yaml -> b.yaml -> c.yaml -> a.yaml\n"
        "    include: [a.yaml]\n"
        "              ^"
    )
    write(folder, me="include: me.yaml\n")
    assert "the includes go in a circle: me.yaml -> me.yaml" in failure("me.yaml")


def test_includes_that_are_wrong(folder: Path) -> None:
    write(folder, base="a: 1\n", list="- 1\n", broken="a: [\n")
    write(folder, missing="include: bsae.yaml\n", number="include: 3\n", not_mapping="include: list.yaml\n")
    write(folder, syntax="include: broken.yaml\n", twice="include: twin.yaml\n", twin="a: 1\na: 2\n")
    assert failure("missing.yaml") == (
        "missing.yaml:1:10: there is no file 'bsae.yaml' to include\n"
        "    include: bsae.yaml\n"
        "             ^\n"
        "    Did you mean 'base.yaml'?"
    )
    assert failure("number.yaml").startswith("number.yaml:1:1: include takes a file name or a list of file names")
    assert failure("not_mapping.yaml").startswith("list.yaml:1:1: an included file must be a mapping of scenario keys")
    assert failure("syntax.yaml").startswith("broken.yaml:1:5: the file ends too early")
    assert [problem.file for problem in read_source("twice.yaml").problems] == ["twin.yaml"]


def test_includes_that_multiply_are_refused(folder: Path) -> None:
    for level in range(12):
        write(folder, **{f"f{level}": f"include: [f{level + 1}.yaml, f{level + 1}.yaml]\n"})
    write(folder, f12="a: 1\n")
    assert f"more than {MAX_FILES} included files" in failure("f0.yaml")


@given(plain, plain)
def test_merging_is_idempotent_and_the_upper_one_wins(under: Any, over: Any) -> None:
    a, b = from_python({"x": under}), from_python({"x": over})
    once = merge(a, b)
    assert merge(a, once).plain() == once.plain()
    assert merge(once, b).plain() == once.plain()
    assert merge(b, b).plain() == b.plain()
    assert merge(from_python({}), b).plain() == b.plain()


def changed(text: str, *overrides: Any) -> Any:
    return apply(parse(text), settings(overrides)).plain()


def test_overrides_set_values_of_all_types() -> None:
    text = "topology: {build: pool, accelerators: 8}\nworkload: {a: {jobs: [{submit: 0}, {submit: 0}]}}\n"
    assert changed(text, "topology.accelerators=16")["topology"] == {"build": "pool", "accelerators": 16}
    assert changed(text, "topology={build: pool, accelerators: 1}")["topology"] == {"build": "pool", "accelerators": 1}
    assert changed(text, "run.until=30 d", "run.warmup= 1 h")["run"] == {"until": "30 d", "warmup": "1 h"}
    assert changed(text, "cost.cloud.provider=AWS")["cost"] == {"cloud": {"provider": "AWS"}}
    assert changed(text, "workload.a.jobs.1.submit=5 s")["workload"]["a"]["jobs"] == [{"submit": 0}, {"submit": "5 s"}]
    assert changed(text, "seed=")["seed"] is None
    assert changed(text, {"seed": 4, "scheduler": "las"}, "scheduler.quantum=1 min") == changed(
        text, "seed=4", "scheduler={kind: las, quantum: 1 min}"
    )
    assert changed(text, "cost.electricity=$0.2/kWh")["cost"] == {"electricity": "$0.2/kWh"}


def test_overrides_leave_the_original_alone() -> None:
    root = parse("run: {until: 1 d}\n")
    apply(root, settings("run.until=2 d"))
    assert root.plain() == {"run": {"until": "1 d"}}


WRONG_OVERRIDES = [
    ("seed", "--set 'seed' is not KEY=VALUE\n    write for example --set topology.link=NAME"),
    ("=3", "--set '=3' is not KEY=VALUE\n    write for example --set topology.link=NAME"),
    ("a..b=3", "'a..b' is not a key path\n    write for example topology.link"),
    (
        "run={until",
        "the value of --set is not YAML: the file ends too early: did not find expected ',' or '}'\n"
        "    --set run={until",
    ),
    ("include=x.yaml", "'include' cannot be overridden: it is read before\n    --set include=x.yaml"),
    (
        "workload.b.limit=3",
        "'workload.b.limit' cannot be set: workload has no 'b'\n    --set workload.b.limit=3\n    Known: a.",
    ),
    (
        "workload.a.jobs.7.submit=3",
        "'workload.a.jobs.7.submit' cannot be set: workload.a.jobs has no '7'\n"
        "    --set workload.a.jobs.7.submit=3\n    Known: 0.",
    ),
    ("seed.x=3", "'seed.x' cannot be set: seed is not a mapping\n    --set seed.x=3"),
]


@pytest.mark.parametrize(("override", "expected"), WRONG_OVERRIDES, ids=[case[0] for case in WRONG_OVERRIDES])
def test_wrong_overrides(override: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        changed("seed: 1\nworkload: {a: {jobs: [{submit: 0}]}}\n", override)
    assert str(caught.value) == expected


def test_all_wrong_overrides_are_reported_together() -> None:
    problems: list[Problem] = []
    apply(parse("seed: 1\n"), settings(["seed.x=3", "include=x", "seed=4"]), problems)
    assert [problem.text.split(" ")[0] for problem in problems] == ["'seed.x'", "'include'"]
