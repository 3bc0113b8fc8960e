"""The command line: what each command prints and writes, its exit codes, and every way to use it wrongly."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from simulator.cli import main
from simulator.cli.listing import KINDS

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-c", "from simulator.cli import main; main(prog_name='simulator')"]
TINY = """\
name: a tiny queue
seed: 3
topology: {build: pool, accelerators: 4}
workload:
  batch:
    jobs:
      - {id: long, submit: 0, accelerators: 4, duration: 10 min}
      - {id: middle, submit: 1 min, accelerators: 4, duration: 5 min}
      - {id: short, submit: 2 min, accelerators: 4, duration: 1 min}
compare: {scheduler: [fifo, sjf]}
measure: [jct.mean, wait.mean]
expect: [sjf.wait.mean < fifo.wait.mean]
"""
FIFO_WAIT, SJF_WAIT = (0 + 540 + 780) / 3, (0 + 600 + 480) / 3
FILES = {"manifest.json", "summary.json", "report.html", "jobs.csv", "flows.csv", "series.csv", "events.csv"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder that holds ``tiny.yaml``."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the slow part, for tests that are not about the page."""
    monkeypatch.setattr("simulator.report.page.render", lambda results: f"<p>{results.name} {results.manifest['seed']}")


def simulator(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="simulator")


def fine(*arguments: str) -> str:
    """Run a command that must succeed without a word on stderr; return its stdout."""
    done = simulator(*arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def refused(*arguments: str, code: int = 2) -> str:
    """Run a command that must fail without a word on stdout; return its stderr."""
    done = simulator(*arguments)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert "Traceback" not in done.stderr
    return done.stderr


def written(text: str, name: str = "file.yaml") -> str:
    Path(name).write_text(text)
    return name


def contents(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


# -- help ---------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_where_to_start() -> None:
    text = fine("--help")
    for command in ("check", "run", "show", "list", "report", "validate", "schema", "new"):
        assert f"\n  {command} " in text
    assert "simulator run quickstart" in text
    assert "..." not in text.partition("Commands:")[2]


def test_every_command_says_what_it_does_and_can_debug() -> None:
    for name, command in main.commands.items():
        assert command.help, name
        for each in command.commands.values() if isinstance(command, click.Group) else [command]:
            assert "--debug" in {option for parameter in each.params for option in parameter.opts}, name


def test_every_option_has_a_help_text() -> None:
    silent = [
        f"{name} {parameter.name}"
        for name, command in main.commands.items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_every_command_and_option_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name, command in main.commands.items():
        section = manual.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section, f"no section for {name}"
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if f"`{option}" not in section + manual.partition("\n## ")[0]] == []


def test_version() -> None:
    assert fine("--version") == "simulator 0.1.0\n"


def test_a_wrong_command_is_answered_with_the_nearest() -> None:
    error = refused("rnu")
    assert "No such command 'rnu'" in error
    assert "run" in error.partition("rnu")[2]


# -- run ----------------------------------------------------------------------------------------------------------


def test_run_prints_the_comparison_and_writes_the_results() -> None:
    text = fine("run", "tiny.yaml")
    assert text.startswith("a tiny queue\n")
    assert re.search(r"\nexpect sjf.wait.mean < fifo.wait.mean: 6 min < 7.33\d* min is true\n", text)
    assert text.endswith("\nPage: out/tiny/report.html\n")
    assert set(contents("out/tiny")) == FILES


@pytest.mark.usefixtures("no_figures")
def test_run_as_json_writes_nothing_else_to_stdout() -> None:
    found = json.loads(fine("run", "tiny.yaml", "--json", "--out", "here"))
    means = {(row["alternative"], row["measure"]): row["mean"] for row in found["summary"]}
    assert means["fifo", "wait.mean"] == pytest.approx(FIFO_WAIT)
    assert means["sjf", "wait.mean"] == pytest.approx(SJF_WAIT)
    assert found["expectations"][0]["ok"] is True
    assert found["page"] == "here/report.html"


@pytest.mark.usefixtures("no_figures")
def test_run_quietly_prints_nothing_and_writes_all() -> None:
    assert fine("run", "tiny.yaml", "--quiet") == ""
    assert set(contents("out/tiny")) == FILES


@pytest.mark.usefixtures("no_figures")
def test_the_default_folder_never_replaces_results() -> None:
    assert fine("run", "tiny.yaml").endswith("Page: out/tiny/report.html\n")
    assert fine("run", "tiny.yaml").endswith("Page: out/tiny-2/report.html\n")
    assert fine("run", "tiny.yaml", "--force").endswith("Page: out/tiny/report.html\n")


@pytest.mark.usefixtures("no_figures")
def test_a_folder_that_holds_results_is_replaced_only_by_force() -> None:
    fine("run", "tiny.yaml", "--out", "here")
    before = contents("here")
    error = refused("run", "tiny.yaml", "--seed", "4", "--out", "here")
    assert "here: already holds results\n    name another directory, or say --force" in error
    assert contents("here") == before
    fine("run", "tiny.yaml", "--seed", "4", "--out", "here", "--force")
    assert contents("here") != before


def test_a_folder_of_other_things_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.experiment.run.run", lambda *_, **__: pytest.fail("it ran"))
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("precious")
    assert "mine: is not empty and holds no results" in refused("run", "tiny.yaml", "--out", "mine", "--force")
    assert contents("mine") == {"thesis.tex": b"precious"}


@pytest.mark.usefixtures("no_figures")
def test_a_false_expectation_is_exit_code_3_with_all_results() -> None:
    written(TINY.replace("sjf.wait.mean < fifo", "sjf.wait.mean > fifo"))
    done = simulator("run", "file.yaml")
    assert done.exit_code == 3
    assert re.search(r"\nexpect sjf.wait.mean > fifo.wait.mean: 6 min > 7.33\d* min is false\n", done.stdout)
    assert set(contents("out/file")) == FILES


@pytest.mark.usefixtures("no_figures")
def test_options_change_the_scenario_and_stand_in_the_manifest() -> None:
    options = ["--set", "topology.accelerators=8", "--set", "seed=9", "--seed", "11", "--until", "4 min"]
    fine("run", "tiny.yaml", *options, "--replications", "2", "--set", "expect=[]", "--out", "here")
    manifest = json.loads(Path("here/manifest.json").read_text())
    assert manifest["seed"] == 11
    assert manifest["replications"] == 2
    assert manifest["overrides"][0] == "topology.accelerators=8"
    assert {run["facts"]["end"] for run in manifest["runs"]} == {240.0}
    assert {run["facts"]["accelerators"] for run in manifest["runs"]} == {8}


def test_results_do_not_depend_on_workers_or_hash_seed() -> None:
    for name, workers, hash_seed in (("a", "1", "1"), ("b", "2", "2")):
        command = [*PROGRAM, "run", "tiny.yaml", "--replications", "2", "--workers", workers, "--out", name, "--quiet"]
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": hash_seed}, check=True)
    assert contents("a") == contents("b")


@pytest.mark.usefixtures("no_figures")
def test_shipped_scenarios_run_by_name_from_anywhere() -> None:
    assert "two training jobs on one uplink" in fine("run", "shared-uplink")


# -- code in scenario files ---------------------------------------------------------------------------------------

CODE = """\
from pathlib import Path
from simulator import Start
Path("marker").touch()

def policy(view):
    for job in view.queue:
        if job.accelerators <= view.free:
            {body}
"""


def with_code(body: str) -> str:
    Path("mine.py").write_text(CODE.format(body=body))
    return written(TINY.replace("[fifo, sjf]", "{mine: {kind: 'mine.py:policy'}}").partition("expect")[0])


@pytest.mark.parametrize("command", ["run", "check", "show"])
def test_a_scenario_runs_no_code_by_itself(command: str) -> None:
    file = with_code("yield Start(job)")
    error = refused(command, file)
    assert "'mine.py:policy' is code, and a scenario file may not run code by itself" in error
    assert "--allow-code" in error
    assert not Path("marker").exists()


@pytest.mark.usefixtures("no_figures")
def test_code_runs_when_it_is_allowed() -> None:
    assert "mine" in fine("run", with_code("yield Start(job)"), "--allow-code")
    assert Path("marker").exists()


def test_a_policy_that_does_something_illegal_is_exit_code_1() -> None:
    error = refused("run", with_code("yield Start(job); yield Start(job)"), "--allow-code", code=1)
    assert "policy" in error
    assert "'long'" in error
    assert not Path("out").exists()


# -- wrong input --------------------------------------------------------------------------------------------------


def test_all_problems_of_a_file_are_shown_at_once_with_line_and_caret() -> None:
    text = TINY.replace("seed: 3", "sed: 3").replace("10 min", "10 parsecs").replace("wait.mean]", "wait.men]")
    assert re.sub(r" Known:.*|'parsecs'.*", "", refused("check", written(text))) == (
        "file.yaml:2:1 sed: unknown key 'sed'\n"
        "    sed: 3\n"
        "    ^\n"
        "    Did you mean 'seed'?\n"
        "file.yaml:7:58 workload.batch.jobs.0.duration: '10 parsecs' has unknown unit \n"
        "          - {id: long, submit: 0, accelerators: 4, duration: 10 parsecs}\n"
        "                                                             ^\n"
        "file.yaml:11:21 measure.1: unknown measure 'wait.men'\n"
        "    measure: [jct.mean, wait.men]\n"
        "                        ^\n"
        "    Did you mean 'wait.mean'?\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file.yaml: the file is empty\n"),
        (TINY[: TINY.index(", submit: 1 min")], "file.yaml:8:20: the file ends too early"),
        (TINY + "seed: 4\n", "file.yaml:13:1: the key 'seed' is repeated"),
        (TINY.replace("10 min", "-10 min"), "'-10 min' is negative; a time must be 0 or more"),
        (TINY.replace("10 min", ".nan"), "nan"),
        (TINY.replace("accelerators: 4}", "accelerators: no}", 1), "'no' is not a whole number"),
        ("include: file.yaml\n" + TINY, "the includes go in a circle: file.yaml -> file.yaml"),
        ("\x00\x01", "not a text file"),
    ],
    ids=["empty", "truncated", "repeated", "negative", "nan", "word", "circle", "binary"],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_bad_files_are_refused_with_a_message(command: str, text: str, message: str) -> None:
    assert message in refused(command, written(text))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quickstrat"], "Did you mean 'quickstart'?"),
        (["run", "tiny.yml"], "there is no file 'tiny.yml'\n    Did you mean 'tiny.yaml'?\n"),
        (["run", "."], "'.' is a folder"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "tiny.yaml", "--sed", "3"], "No such option '--sed'"),
        (["run", "tiny.yaml", "--seed", "x"], "'x' is not a valid integer"),
        (["run", "tiny.yaml", "--workers", "0"], "0 is not in the range x>=1"),
        (["run", "tiny.yaml", "--set", "topology"], "'topology' is not KEY=VALUE"),
        (["run", "tiny.yaml", "--set", "topologie.accelerators=8"], "topologie"),
        (["run", "tiny.yaml", "--set", "topology.acelerators=8"], "Did you mean 'accelerators'?"),
        (["run", "tiny.yaml", "--until", "4 fortnights"], "unknown unit 'fortnights' for a time"),
        (["run", "tiny.yaml", "--out", "tiny.yaml"], "tiny.yaml: is a file, not a directory"),
        (["list", "polices"], "there is no list 'polices'. Did you mean 'policies'?"),
        (["report", "nowhere", "--measure", "jct.mean"], "--measure is of the table of --by"),
        (["report", "nowhere", "--by", "tenant", "--out", "x"], "say one of them"),
        (["show", "tiny.yaml", "--format", "philli"], "unknown format 'philli'. Did you mean 'philly'?"),
        (["show", "nothing.csv", "--format", "philly"], "nothing.csv: there is no such file"),
        (["show", "tiny.yaml", "--format", "philly"], "tiny.yaml"),
        (["report", "nowhere"], "nowhere: there is no such directory"),
        (["report", "."], ".: holds no manifest.json, so it is no directory of results"),
        (["validate", "teory"], "Did you mean 'theory'?"),
        (["new", "no/where"], "there is no folder 'no'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_refused_with_a_message(arguments: list[str], message: str) -> None:
    assert message in refused(*arguments)
    assert not Path("out").exists()


# -- trouble on the way -------------------------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("simulator.experiment.run.run", fail)


def test_a_bug_of_ours_is_one_line_and_a_way_to_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, RuntimeError("boom\nmore"))
    assert refused("run", "tiny.yaml", code=1) == (
        "The simulator failed: RuntimeError: boom\nRun again with --debug for the traceback.\n"
    )
    done = simulator("run", "tiny.yaml", "--debug")
    assert done.exit_code == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert not Path("out").exists()


def test_debug_shows_where_a_mistake_of_the_user_was_found() -> None:
    done = simulator("check", written(""), "--debug")
    assert done.exit_code == 2
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("InputError: file.yaml: the file is empty\n")


def test_an_error_of_the_file_system_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, PermissionError(13, "Permission denied", "/readonly/jobs.csv"))
    assert refused("run", "tiny.yaml", code=1) == "/readonly/jobs.csv: Permission denied\n"


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, KeyboardInterrupt())
    assert refused("run", "tiny.yaml", code=130) == "Interrupted.\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_nothing_half_written(folder: Path, workers: str) -> None:
    endless = with_code("yield Start(job)")
    Path("mine.py").write_text(CODE.format(body="import time; Path('running').touch(); time.sleep(60)"))
    command = [*PROGRAM, "run", endless, "--allow-code", "--replications", "2", "--workers", workers]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not Path("running").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    assert running.communicate(timeout=30) == (b"", b"Interrupted.\n")
    assert running.returncode == 130
    assert not (folder / "out").exists()


@pytest.mark.parametrize("arguments", [["list", "accelerators"], ["run", "tiny.yaml"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    running = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(30) in (0, 1)


def test_a_terminal_that_knows_ascii_only_is_served() -> None:
    written(TINY.replace("a tiny queue", "a tiny queue in µs"))
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*PROGRAM, "run", "file.yaml"], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"a tiny queue in ?s\n")


def test_progress_is_drawn_on_a_terminal_only() -> None:
    reader, terminal = pty.openpty()
    done = subprocess.run([*PROGRAM, "run", "tiny.yaml"], stdout=subprocess.PIPE, stderr=terminal, check=True)
    os.close(terminal)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(reader, 100_000).decode())
    os.close(reader)
    assert re.search(r"/2 runs .*sjf", drawn)
    assert done.stdout.startswith(b"a tiny queue\n")
    piped = subprocess.run([*PROGRAM, "run", "tiny.yaml"], capture_output=True, check=True)
    assert piped.stderr == b""


# -- the other commands -------------------------------------------------------------------------------------------


def test_check_says_what_would_run_and_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.runtime.simulation.Simulation.run", lambda _: pytest.fail("it ran"))
    assert fine("check", "tiny.yaml") == (
        "tiny.yaml is fine: a tiny queue\n"
        "\n"
        "runs            2 = 2 alternatives x 1 replication, seed 3\n"
        "until           all work is done\n"
        "measure         jct.mean, wait.mean\n"
        "expect          sjf.wait.mean < fifo.wait.mean\n"
        "topology        pool, accelerators 4\n"
        "cluster         1 servers, 4 accelerators, 0 switches, 0 links\n"
        "workload batch  3 jobs, listed in the file\n"
        "placement       pack\n"
        "network         contention max-min\n"
        "cost            not asked for\n"
        "\n"
        "alternative  scheduler\n"
        "fifo         fifo\n"
        "sjf          sjf\n"
    )
    assert list(contents(".")) == ["tiny.yaml"]


def test_check_reads_traces_and_counts_what_is_set_aside() -> None:
    written("submit,duration,accelerators\n0,60,1\n10,,1\n20,60,2\n", "trace.csv")
    source = "{trace: trace.csv, format: generic}"
    file = written(f"name: x\ntopology: {{build: pool, accelerators: 4}}\nworkload: {{mine: {source}}}\n")
    assert "2 jobs of trace.csv (1 of 3 rows set aside)" in fine("check", file)
    found = json.loads(fine("show", file, "--json"))["workloads"]["mine"]
    assert (found["jobs"], found["rows_read"], sum(found["set_aside"].values())) == (2, 3, 1)


def test_check_finds_what_only_building_finds() -> None:
    file = written(TINY.replace("{build: pool, accelerators: 4}", "{build: servers, nodes: 2, node: dgx-h1000}"))
    assert "dgx-h100" in refused("check", file)


def test_check_as_json() -> None:
    found = json.loads(fine("check", "infiniband-or-ethernet", "--json"))
    links = {name: facts["topology"]["link"] for name, facts in found["alternatives"].items()}
    assert links == {
        "infiniband-ndr": "infiniband-ndr",
        "roce-400g": "roce-400g",
        "ethernet-100g": "ethernet-100g-tcp",
    }


def test_show_a_scenario() -> None:
    text = fine("show", "quickstart")
    for line in ("servers       16", "accelerators  128 (nvidia/h100-sxm)", "switches      8"):
        assert line in text
    assert "bill of materials" in text
    assert "workload research: sample.csv" in text


def test_show_bisection_and_bill_as_numbers() -> None:
    found = json.loads(fine("show", "infiniband-or-ethernet", "--json"))["topologies"]
    assert list(found) == ["infiniband-ndr", "roce-400g", "ethernet-100g"]
    ndr = 400e9 / 8 * 0.95
    assert found["infiniband-ndr"]["bisection"] == pytest.approx(32 / 2 * 8 * ndr)
    servers = [line for line in found["infiniband-ndr"]["bill"] if line["kind"] == "server"]
    assert [(line["item"], line["count"]) for line in servers] == [("nvidia/dgx-h100", 32)]


def test_show_a_topology_file() -> None:
    file = written("build: fat-tree\nk: 4\nnode: dgx-h100\nlink: infiniband-ndr\n")
    assert "servers       16\n" in fine("show", file)
    assert "Did you mean 'link'?" in refused("show", written("build: fat-tree\nk: 4\nnode: dgx-h100\nlik: x\n"))


def test_show_a_trace() -> None:
    text = fine("show", str(ROOT / "scenarios" / "data" / "sample.csv"), "--format", "philly")
    assert "0 set aside" in text
    assert "accelerator-hours" in text


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_list_has_rows_that_say_something(kind: str) -> None:
    rows = json.loads(fine("list", kind, "--json"))
    assert rows
    text = fine("list", kind).splitlines()
    assert len(text) == len(rows) + 1
    names = [next(iter(row.values())) for row in rows]
    assert len({(row.get("kind", ""), name) for row, name in zip(rows, names, strict=True)}) == len(names) == len(rows)
    assert all(line.startswith(name) and len(line) > len(name) for name, line in zip(names, text[1:], strict=True))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("schedulers", {"fifo", "sjf", "srtf", "easy-backfill", "las"}),
        ("placements", {"pack", "spread", "topology"}),
        ("autoscalers", {"target-tracking"}),
        ("formats", {"generic", "philly", "openb", "slurm"}),
        ("builders", {"pool", "single-switch", "leaf-spine", "fat-tree", "links"}),
        ("links", {"infiniband-ndr", "ethernet-100g-tcp"}),
        ("scenarios", {"quickstart", "shared-uplink", "elastic-pool", "infiniband-or-ethernet"}),
        ("measures", {"jct.p99", "wait.mean", "utilization", "cost.total", "energy.kwh"}),
    ],
)
def test_lists_have_what_is_promised(kind: str, names: set[str]) -> None:
    rows = json.loads(fine("list", kind, "--json"))
    assert names <= {row.get("name") or row.get("id") or next(iter(row.values())) for row in rows}


def test_the_catalog_is_as_large_as_promised() -> None:
    sizes = {
        kind: len(json.loads(fine("list", kind, "--json"))) for kind in ("accelerators", "servers", "links", "switches")
    }
    assert sizes["accelerators"] >= 16
    assert sizes["servers"] >= 8
    assert sizes["links"] >= 10
    assert sizes["switches"] >= 4


def test_list_without_a_kind_names_the_kinds() -> None:
    assert [line.split()[0] for line in fine("list").splitlines()[1:]] == list(KINDS)


def test_check_shows_the_parts_of_a_scheduler_and_its_placement() -> None:
    parts = "scheduler={order: {kind: las, quantum: 5 min}, backfill: easy, placement: fgd}"
    text = fine("check", "tiny.yaml", "--set", "compare=", "--set", "expect=", "--set", parts)
    assert re.search(r"\nscheduler +order las \(quantum 5 min\), backfill easy\nplacement +fgd\n", text)


def test_a_list_is_known_by_one_of_its_things() -> None:
    assert fine("list", "accelerator") == fine("list", "accelerators")


def test_report_writes_the_page_again() -> None:
    fine("run", "tiny.yaml", "--out", "here")
    before = contents("here")
    Path("here/report.html").unlink()
    assert fine("report", "here") == "Page: here/report.html\n"
    assert contents("here") == before
    assert fine("report", "here", "--out", "page.html") == "Page: page.html\n"
    assert Path("page.html").read_bytes() == before["report.html"]


@pytest.mark.usefixtures("no_figures")
def test_report_refuses_a_table_that_was_changed() -> None:
    fine("run", "tiny.yaml", "--out", "here")
    page = Path("here/report.html").read_bytes()
    with Path("here/jobs.csv").open("a") as file:
        file.write("x")
    assert "here/jobs.csv: is truncated or was changed" in refused("report", "here")
    assert Path("here/report.html").read_bytes() == page


@pytest.fixture
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    from simulator.experiment.validate import row

    rows = [row("theory", "x", "wait", "s", 2.0, "a book", value, 0.1)._asdict() for value in (2.1, 3.0)]
    monkeypatch.setattr("simulator.experiment.validate.rows", lambda area: rows)


@pytest.mark.usefixtures("two_rows")
def test_validate_is_exit_code_3_when_a_model_is_off() -> None:
    done = simulator("validate")
    assert done.exit_code == 3
    assert done.stderr == "1 of 2 rows are beyond their bound.\n"
    assert done.stdout == (
        "area    case  measure  reference  simulated  error  bound  ok\n"
        "theory  x     wait           2 s      2.1 s   0.05    0.1  yes\n"
        "theory  x     wait           2 s        3 s    0.5    0.1  NO\n"
    )


@pytest.mark.usefixtures("two_rows")
def test_validate_as_json_has_all_columns() -> None:
    done = simulator("validate", "--json")
    assert done.exit_code == 3
    columns = ["area", "case", "measure", "unit", "reference", "source", "simulated", "error", "bound", "ok"]
    assert [list(row) for row in json.loads(done.stdout)] == [columns, columns]


def test_schema_is_a_json_schema_of_scenario_files() -> None:
    schema = json.loads(fine("schema"))
    assert schema["type"] == "object"
    assert {"name", "seed", "topology", "workload", "scheduler", "compare", "expect"} <= set(schema["properties"])
    assert {"name", "topology", "workload"} <= {*schema["required"], "topology", "workload"}


def test_new_writes_a_scenario_that_is_fine_and_replaces_nothing() -> None:
    assert fine("new", "my-first") == (
        "Wrote my-first.yaml. Next: simulator check my-first.yaml, then simulator run my-first.yaml\n"
    )
    assert fine("check", "my-first.yaml").startswith("my-first.yaml is fine: my first\n")
    before = Path("my-first.yaml").read_bytes()
    assert refused("new", "my-first.yaml") == "my-first.yaml: exists already\n    choose another name\n"
    assert Path("my-first.yaml").read_bytes() == before


@pytest.mark.usefixtures("no_figures")
def test_what_new_writes_runs_and_keeps_what_it_expects() -> None:
    fine("new", "starter")
    fine("run", "starter.yaml", "--set", "workload.research.jobs=500", "--quiet")


def test_check_says_what_has_no_price_and_no_power(tmp_path: Path) -> None:
    path = tmp_path / "cost.yaml"
    groups = "[{name: node, count: COUNT, accelerators: 8, accelerator: h100-sxm}]"
    path.write_text(
        f"name: cost\ntopology: {{build: fleet, groups: {groups.replace('COUNT', '2')}}}\n"
        "workload: {t: {jobs: [{id: a, accelerators: 8, duration: 2 h}]}}\n"
        "cost: {capex: catalog, electricity: $0.1/kWh}\n"
        "compare: {topology.groups.0.count: [2, 3]}\n"
    )
    output = simulator("check", str(path)).output
    assert output.count("The catalog has no price for servers that name no record") == 1
    assert output.count("is not known, so electricity is not counted") == 1
    assert "or write capex: $3M." in output
