"""What a user, or a stranger, can get wrong: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import simulator as sim
from simulator.cli import main
from simulator.core.errors import InputError, PolicyError

TOPOLOGY = "topology: {build: pool, accelerators: 8}"
WORKLOAD = "workload: {w: {jobs: [{id: a, accelerators: 2, duration: 1 h}]}}"
BASE = f"name: t\n{TOPOLOGY}\n{WORKLOAD}\n"
PHILLY = "timestamp,duration,num_gpus,gpu_time,cluster\n2017-10-01 09:00:00,100,1,100,vc1\n"
DATA = {
    "name": "t",
    "topology": {"build": "servers", "nodes": 2, "node": "dgx-h100"},
    "workload": {"w": {"jobs": [{"id": name, "accelerators": 8, "duration": "1 h"} for name in "abc"]}},
}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run the command line in an empty folder; return exit code and all that it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        assert "simulator failed" not in result.output
        return result.exit_code, result.output

    return run


FILES = {
    "empty": ("", "s.yaml: the file is empty"),
    "truncated": (BASE[:-10], "the file ends too early"),
    "not UTF-8": (BASE.replace("name: t", "name: caf\xe9").encode("latin1"), "s.yaml:1: not a text file: byte 0xe9"),
    "UTF-16": (BASE.encode("utf-16"), "not UTF-8"),
    "zero byte": (b"name: a\x00b\n", "s.yaml:1:8: not a text file: it contains the control character 0x00"),
    "escape sequence": ('name: "\\e[31mred"\n' + BASE[8:], "s.yaml:1:7: the text holds the control character 0x1b"),
    "python object": ("name: !!python/object/apply:os.abort []\n" + BASE[8:], "'tag:yaml.org,2002:python/object/apply"),
    "code by itself": (BASE + "scheduler: mine.py:Y\n", "may not run code by itself"),
    "alias bomb": (
        BASE + "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{n}: &{n} [{', '.join(['*' + m] * 9)}]\n" for m, n in zip("abcdefg", "bcdefgh", strict=True)),
        "expand to more than 100,000 values",
    ),
    "deep": ("name: " + "[" * 5000, "nested deeper than 50 levels"),
    "too large": (BASE + "#" + "x" * 17_000_000, "16 MiB is too large for a scenario (limit 16)"),
    "many mistakes": (BASE + "".join(f"k{n}: 1\n" for n in range(2000)), "... and 1,900 more problems"),
    "includes itself": (BASE + "include: s.yaml\n", "the includes go in a circle: s.yaml -> s.yaml"),
    "two documents": (BASE + "---\n" + BASE, "a second document starts here"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_scenario(call, name):
    content, expected = FILES[name]
    Path("s.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, said = call("check", "s.yaml")
    assert code == 2
    assert expected in said


def test_line_ends_and_byte_order_marks_do_not_matter(call):
    Path("s.yaml").write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert call("check", "s.yaml")[0] == 0


def test_ten_thousand_mistakes_are_told(call):
    Path("s.yaml").write_text(BASE + "".join(f"k{n}: 1\n" for n in range(10_000)))
    assert call("check", "s.yaml")[0] == 2


LINES = {
    "seed: 1\nseed: 2": "s.yaml:5:1: the key 'seed' is repeated",
    "run: {until: 5 parsecs}": "unknown unit 'parsecs'",
    "run: {until: -1 s}": "'-1 s' is negative",
    "run: {until: nan s}": "'nan s' is not finite",
    "run: {until: 1e300 y}": "run.until: '1e300 y' is too long: at most 1e+12 s",
    "run: {replications: 0}": "it must be at least 1",
    "run: {replications: 1e30}": "it must be at most 10000",
    "run: {workers: 100000}": "it must be at most 256",
    "compare: {scheduler: [fifo, fifo]}": "the alternative 'fifo' is repeated",
    "compare: {scheduler: {}}": "there is not a single alternative",
    "measure: [jct.mean, wait.mean, jct.mean]": "measure.2: the measure 'jct.mean' is repeated",
    "measure: [jct.men]": "Did you mean 'jct.mean'?",
    "expect: ['__import__(\"os\").abort() <= 1']": "names no measure",
    "scheduler: /etc/passwd:Y": "unknown scheduler '/etc/passwd:Y'",
    "schedular: fifo": "Did you mean 'scheduler'?",
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_makes_no_sense(call, line):
    Path("s.yaml").write_text(BASE + line + "\n")
    code, said = call("check", "s.yaml")
    assert code == 2
    assert LINES[line] in said
    assert "s.yaml:" in said


LINKS = (
    "{build: links, links: [{src: a, dst: b, capacity: 1 Gb/s}, {src: b, dst: c, capacity: 1 Gb/s}, "
    "{src: d, dst: c, capacity: 1 Gb/s}]}"
)
WORK = {
    "{transfers: [{route: [], bytes: 1 GB}]}": "workload.w.transfers.0.route: must not be empty",
    "{transfers: [{route: [0, 2], bytes: 1 GB}]}": "is not connected: link 0 ends at 'b', link 2 starts at 'd'",
    "{transfers: [{route: [7], bytes: 1 GB}]}": "there is no link 7; links are 0 to 2",
    "{transfers: [{src: b, dst: c, route: [0], bytes: 1 GB}]}": "route [0] starts at 'a', not at 'b'",
    "{transfers: [{src: c, dst: a, bytes: 1 GB}]}": "there is no route from 'c' to 'a'",
    "{jobs: [{accelerators: 4, duration: 1 h}], oversize: error}": "more than the 0 accelerators of the cluster",
    "{jobs: [{accelerators: 1, duration: 1 h, accelerator_types: [nvidia/h10-sxm]}]}": "'nvidia/h100-sxm'?",
    "{jobs: [{accelerators: 1, duration: 1e300 y}]}": "is too long",
    "{trace: /dev/zero, format: philly}": "workload.w.trace: '/dev/zero' is not a regular file",
    "{trace: ., format: philly}": "workload.w.trace: '.' is a folder",
    "{trace: nope.csv, format: phily}": "Did you mean 'philly'?",
}


@pytest.mark.parametrize("work", WORK)
def test_work_that_does_not_fit(call, work):
    Path("s.yaml").write_text(f"name: t\ntopology: {LINKS}\nworkload:\n  w: {work}\n")
    code, said = call("run", "s.yaml", "--out", "o")
    assert code == 2
    assert WORK[work] in said
    assert "s.yaml:4:" in said
    assert os.listdir() == ["s.yaml"]


def test_pipes_and_devices_are_not_waited_for(call):
    os.mkfifo("pipe")
    Path("s.yaml").write_text(BASE.replace("{build: pool, accelerators: 8}", "{build: node-list, nodes: pipe}"))
    assert "topology.nodes: 'pipe' is not a regular file" in call("check", "s.yaml")[1]
    Path("t.yaml").write_text(f"name: t\n{TOPOLOGY}\nworkload:\n  w: {{trace: pipe, format: philly}}\n")
    assert "'pipe' is not a regular file" in call("check", "t.yaml")[1]
    assert call("check", "pipe")[0] == call("run", "/dev/zero")[0] == call("show", "/dev/zero")[0] == 2


TRACES = {
    "empty": ("philly", b"", "the file is empty"),
    "header alone": ("philly", PHILLY.splitlines()[0].encode(), "there is a header, but no row below it"),
    "of another format": ("slurm", PHILLY.encode(), "this looks like a trace of format 'philly', not 'slurm'"),
    "negative": ("philly", PHILLY.replace(",100,1", ",-5,1").encode(), "x.csv:2 duration: '-5' is negative"),
    "not a number": ("philly", PHILLY.replace(",100,1", ",nan,1").encode(), "duration: 'nan' is not a number"),
    "beyond time": ("philly", PHILLY.replace(",100,1,100", ",1e300,1,1e300").encode(), "are the units right?"),
    "row breaks off": ("philly", (PHILLY + "2017-10-01 09").encode(), "x.csv:3: 1 cells, but the header has 5"),
    "quote never closed": (
        "philly", (PHILLY.replace("vc1", '"vc1') + PHILLY.splitlines()[1]).encode(), "ends inside a quoted text",
    ),
    "truncated gzip": ("philly", gzip.compress(PHILLY.encode() * 99)[:60], "the gzip data break off"),
    "compressed zeros": ("philly", gzip.compress(bytes(1 << 24)), "this line is longer than 1,048,576 characters"),
    "endless GPUs": (
        "slurm",
        b"JobID|Submit|State|ElapsedRaw|AllocTRES\n1|2024-01-01T00:00:00|COMPLETED|5|gres/gpu=" + b"9" * 400,
        "x.csv:2 AllocTRES:",
    ),
    "endless limit": (
        "slurm",
        b"JobID|Submit|State|ElapsedRaw|AllocTRES|TimelimitRaw\n1|2024-01-01T00:00:00|COMPLETED|5|gres/gpu=1|"
        + b"9" * 400,
        "x.csv:2 TimelimitRaw:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_that_cannot_be_read(call, name):
    format, content, expected = TRACES[name]
    Path("x.csv").write_bytes(content)
    code, said = call("show", "x.csv", "--format", format)
    assert code == 2
    assert expected in said


def test_blocks_that_are_too_short_to_draw():
    columns = {"submit": np.array([0.0, 1e6]), "duration": np.ones(2), "accelerators": np.ones(2)}
    with pytest.raises(InputError, match=r"long enough: 1e.15 blocks, at most 1,000,000"):
        sim.Trace("x", columns).resample(1e-9, np.random.default_rng(0))


PLACES = {
    "a file": ("s.yaml", "is a file, not a directory"),
    "under a file": ("s.yaml/x", "results cannot be written there: Not a directory"),
    "too long a name": ("x" * 250, "results cannot be written there: File name too long"),
    "not empty": (".", "is not empty and holds no results"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_that_cannot_take_results_is_refused_before_the_run(call, monkeypatch, name):
    where, expected = PLACES[name]
    Path("s.yaml").write_text(BASE)
    monkeypatch.setattr("simulator.experiment.run._run_cell", lambda *_: pytest.fail("it ran"))
    code, said = call("run", "s.yaml", "--out", where)
    assert code == 2
    assert expected in said
    assert os.listdir() == ["s.yaml"]


def test_a_name_cannot_lead_out_of_the_folder_of_results(call):
    Path("s.yaml").write_text(BASE.replace("name: t", "name: ../../../evil/x"))
    assert call("run", "s.yaml", "--quiet")[0] == 0
    assert sorted(os.listdir()) == ["out", "s.yaml"]
    assert os.listdir("out") == ["s"]


def test_results_are_back_in_place_when_the_last_step_is_interrupted(tmp_path, monkeypatch):
    results = sim.run(DATA)
    folder = results.save(tmp_path / "out")
    (folder / "gone").symlink_to("nowhere")
    results.save(folder, force=True)
    before = sorted(os.listdir(folder))
    rename = Path.rename

    def interrupted(self, to):
        if self.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        results.save(folder, force=True)
    assert os.listdir(tmp_path) == ["out"]
    assert sorted(os.listdir(folder)) == before
    assert "gone" in before


DAMAGE = {
    "files": ({"files": []}, "files is []"),
    "measures": ({"measures": [["x"]]}, "measures is [['x']]"),
    "expect": ({"expect": 5}, "expect is 5"),
    "versions": ({"versions": "x"}, "versions is 'x'"),
    "facts": (
        {"runs": [{"alternative": "t", "replication": 0, "rows": {}, "facts": {"end": "x"}}]}, "facts.end is 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_manifest_that_was_tampered_with(call, name):
    changes, expected = DAMAGE[name]
    sim.run(DATA).save("out", report=False)
    path = Path("out/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    code, said = call("report", "out")
    assert code == 2
    assert expected in said
    assert "is damaged" in said
    assert not [name for name in os.listdir("out") if "partial" in name]


def test_a_manifest_of_brackets(call):
    Path("out").mkdir()
    Path("out/manifest.json").write_text("[" * 100_000)
    assert "is not JSON" in call("report", "out")[1]


def test_a_page_shows_names_and_never_runs_them(tmp_path):
    evil = "<script>alert(1)</script>"
    data = {**DATA, "name": evil, "description": f"</pre>{evil}", "compare": {"scheduler": {"<b onload=x>": "fifo"}}}
    data["workload"] = {f"w{evil.replace('/', '')}": {"jobs": [{"id": evil, "tenant": evil, "accelerators": 99,
                                                               "duration": "1 h"}]}}  # fmt: skip
    page = sim.run(data).to_html()
    assert evil not in page
    assert "<b onload" not in page
    assert "&lt;script&gt;" in page


def test_names_in_other_alphabets_pass_without_a_word(recwarn):
    sim.run({**DATA, "compare": {"scheduler": {"先进先出": "fifo", "最短": "sjf"}}}).to_html()
    assert [str(one.message) for one in recwarn] == []


POLICIES = {
    "not actions": lambda view: ["x"],
    "too many": lambda view: [sim.Start(job) for job in view.queue],
    "twice": lambda view: [sim.Start(job) for job in view.queue for _ in range(2)],
    "wrong": lambda view: 1 / 0,
    "nothing iterable": lambda view: 5,
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_misbehaves(name):
    with pytest.raises(PolicyError, match=r"policy .* at 0 s"):
        sim.run({**DATA, "scheduler": POLICIES[name]})


RUNS = {
    "seed": ({"seed": "a"}, "seed is 'a'; it must be a whole number"),
    "negative seed": ({"seed": -1}, "seed is -1"),
    "half a replication": ({"replications": 1.5}, "replications is 1.5; it must be a whole number"),
    "endless replications": ({"replications": 10**9}, "it must be 1 to 10000"),
    "no workers": ({"workers": 0}, "workers is 0; it must be 1 to 256"),
}


@pytest.mark.parametrize("name", RUNS)
def test_numbers_given_from_python(name):
    given, expected = RUNS[name]
    with pytest.raises(InputError, match=expected):
        sim.run(DATA, **given)


def test_alternatives_need_names():
    for names in ({"": "fifo"}, {5: "fifo"}, {"a\x1b[31m": "fifo"}):
        with pytest.raises(InputError, match="is not a name for an alternative"):
            sim.compare(DATA, names)
    with pytest.raises(InputError, match="are a mapping of names"):
        sim.compare(DATA, ["fifo"])


def test_data_that_contains_itself():
    data = dict(DATA)
    data["compare"] = data
    with pytest.raises(InputError, match="does a list or mapping contain itself"):
        sim.run(data)


@pytest.mark.parametrize("garbage", ["", "=", "seed", "seed=abc", "seed={", "a.b=1", ".=1", "workload.w.jobs.5.id=x"])
def test_garbage_in_settings(call, garbage):
    Path("s.yaml").write_text(BASE)
    code, said = call("check", "s.yaml", "--set", garbage)
    assert code == 2
    assert len(said) < 400


def test_ctrl_c_with_workers_leaves_nothing_behind(tmp_path):
    Path(tmp_path, "s.yaml").write_text(
        "name: t\ntopology: {build: servers, nodes: 16, node: dgx-h100}\n"
        "workload: {w: {generate: philly-like, jobs: 50000, load: 0.7}}\nrun: {replications: 8}\n"
    )
    command = [sys.executable, "-c", "from simulator.cli import main; main()", "run", "s.yaml", "--workers", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes)
    time.sleep(2.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    # the interpreter may add a word before, when it is hit in the middle of an import, and loky's tracker of semaphores
    # one after, when workers are killed that are still starting
    assert (process.returncode, out) == (130, "")
    assert "Interrupted." in err.splitlines()
    assert "KeyboardInterrupt" not in err
    assert os.listdir(tmp_path) == ["s.yaml"]


def test_a_short_name_of_an_accelerator_is_the_one_of_the_cluster():
    job = {"accelerators": 8, "duration": "1 h", "accelerator_types": ["h100-sxm"]}
    results = sim.run({**DATA, "workload": {"w": {"jobs": [job]}}})
    assert results.jobs["state"].tolist() == ["COMPLETED"]
