"""``simulator trace``: a trace described, and a trace in another format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from simulator.cli import main
from simulator.workload.conversion import Loss, compared, convert
from simulator.workload.formats import guess_format, read_trace, writers
from simulator.workload.rows import as_objects
from simulator.workload.trace import ServerRow, Trace
from tests.tracefiles import written

SWF = (
    "; UnixStartTime: 1027839845",
    "1 0 5 3600 4 -1 -1 4 7200 -1 1 7 2 -1 1 1 -1 -1",
    "2 0 5 -1 4 -1 -1 4 7200 -1 -1 7 2 -1 1 1 -1 -1",
    "3 7200 5 1800 16 -1 -1 16 1200 -1 0 8 3 -1 1 1 1 -1",
)
PHILLY = ("timestamp,duration,num_gpus,gpu_time,cluster", "2017-10-01 00:00:00,60,8,480,vc")


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["trace", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_a_file_is_described(tmp_path: Path) -> None:
    path = written(tmp_path, *SWF, name="log.swf")
    text = run(path, "--accelerators", 16).output
    assert text == run("show", path, "--format", "swf", "--accelerators", 16).output
    assert text == (
        "log.swf: 3 rows: 2 kept, 1 set aside\n"
        "  set aside 1: no run time (-1): it never started, or nobody knows how long it ran (row 2)\n"
        "  note: jobs that ran longer than they asked for, which may run that long again: 1\n"
        "\n"
        "format              swf\n"
        "jobs                2 over 2 h, from 2002-07-28 07:04:05+00:00\n"
        "run time            mean 45 min, p50 45 min, p90 57 min, p99 59.7 min, max 1 h\n"
        "accelerators a job  mean 10, most 16\n"
        "work                12 accelerator-hours\n"
        "demand              6 accelerators busy on average, if nothing waited\n"
        "states              COMPLETED 1, FAILED 1\n"
        "users               2\n"
        "says of jobs        estimate 2, tenant 2, user 2, partition 2, limit 2, after 1\n"
        "\n"
        "accelerators  jobs  of jobs  of work\n"
        "3-4              1   50.0 %   33.3 %\n"
        "9-16             1   50.0 %   66.7 %\n"
        "\n"
        "tenant  jobs  of jobs  of work\n"
        "3          1   50.0 %   66.7 %\n"
        "2          1   50.0 %   33.3 %\n"
        "\n"
        "dispersion of arrivals  1 in 1 s, 0.992 in 1 min, 0.5 in 1 h\n"
        "\n"
        "cluster           16 accelerators\n"
        "load              0.375 from the first submission to the last\n"
        "busiest hour      0.5 times what the cluster can do in an hour\n"
        "too large for it  0 jobs\n"
    )


def test_json(tmp_path: Path) -> None:
    path = written(tmp_path, *SWF, name="log.swf")
    facts = json.loads(run(path, "--json", "--topology", "two-servers").output)
    assert (facts["format"], facts["jobs"], facts["rows_read"], facts["span"]) == ("swf", 2, 3, 7200)
    assert facts["durations"]["max"] == 3600
    assert facts["sizes"] == {
        "3-4": {"jobs": 1, "accelerator_seconds": 14400},
        "9-16": {"jobs": 1, "accelerator_seconds": 28800},
    }
    assert facts["cluster"] == {
        "accelerators": 16, "load": 0.375, "hourly_peak": 0.5, "oversize": 0,
    }  # fmt: skip
    assert list(facts["set_aside"].values()) == [1]


def test_profiles_of_day_and_week(tmp_path: Path) -> None:
    monday = [f"2024-05-06 {hour:02}:00:00,60,1,60,vc" for hour in (9, 9, 9, 10)]
    path = written(tmp_path, PHILLY[0], *monday, "2024-05-13 08:59:59,60,1,60,vc", "2024-05-13 09:00:00,60,1,60,vc")
    lines = run(path).output.splitlines()[-3:]
    assert lines == [
        "dispersion of arrivals  2.2 in 1 s, 2.2 in 1 min, 2.17 in 1 h",
        "by hour                 00-04 0.00, 04-08 0.00, 08-12 6.00, 12-16 0.00, 16-20 0.00, 20-24 0.00",
        "by weekday              Mon 7.00, Tue 0.00, Wed 0.00, Thu 0.00, Fri 0.00, Sat 0.00, Sun 0.00",
    ]


def test_options(tmp_path: Path) -> None:
    path = written(tmp_path, *SWF, name="log.swf")
    facts = json.loads(run(path, "--json", "--option", "processors=cores", "--option", "tenant=user").output)
    assert (facts["accelerator_seconds"], list(facts["tenants"])) == (0, ["7", "8"])
    table = written(tmp_path, "at;run;gpus", "5;1.5;2", name="jobs.csv")
    words = ("--format", "generic", "--option", "delimiter=;", "--option", "units={duration: h}")
    columns = (
        "--option",
        "columns.submit=at",
        "--option",
        "columns.duration=run",
        "--option",
        "columns.accelerators=4",
    )
    facts = json.loads(run(table, "--json", *words, *columns).output)
    assert facts["accelerator_seconds"] == 4 * 5400


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--option", "processors"),
            "--option 'processors': write KEY=VALUE, or KEY.NAME=VALUE for one entry of several",
        ),
        (("--option", "=x"), "--option '=x': write KEY=VALUE, or KEY.NAME=VALUE for one entry of several"),
        (("--option", "a.=x"), "--option 'a.=x': write KEY=VALUE, or KEY.NAME=VALUE for one entry of several"),
        (("--option", "a=1", "--option", "a.b=x"), "--option 'a.b=x': 'a' has a value already"),
        (("--option", "a={b"), "--option: '{b' is not a list or mapping as YAML has them"),
        (
            ("--option", "processor=cores"),
            "format 'swf' has no option 'processor'. Did you mean 'processors'? Known: processors, size, tenant.",
        ),
        (
            ("--accelerators", "4", "--topology", "two-servers"),
            "--topology and --accelerators both say how large the cluster is; give one",
        ),
    ],
)
def test_wrong_words(tmp_path: Path, words: tuple[str, ...], text: str) -> None:
    path = written(tmp_path, *SWF, name="log.swf")
    assert run(path, *words, code=2).output == text + "\n"


def test_a_format_that_nobody_knows(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b", "1,2")
    lines = run(path, code=2).output.splitlines()
    assert lines[0] == f"{path}: no format is known by how this file begins"
    assert lines[1].startswith("    Say it: --format NAME, one of acme, ")
    assert run(path.with_name("tt.csv"), code=2).output == (
        f"there is no file {path.with_name('tt.csv')}. Did you mean 't.csv'?\n"
    )


def test_help_and_a_file_that_is_called_like_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "simulator trace convert jobs.swf jobs.csv --to generic" in run("--help").output
    monkeypatch.chdir(tmp_path)
    written(tmp_path, *SWF, name="convert")
    assert run("show", "convert").output.startswith("convert: 3 rows: 2 kept, 1 set aside\n")


@pytest.mark.parametrize(
    ("lines", "format"),
    [
        (SWF, "swf"),
        (SWF[1:], "swf"),
        (PHILLY, "philly"),
        (("submit,duration,accelerators,user", "0,1,1,a"), "generic"),
        (("ResNet-18 (batch size 64)\tpython3\tx\t-n\t1\t10\t1\t1\t-1.0\t0",), "gavel"),
        (("ResNet-18 (batch size 64)\tpython3\t-n\t1\t10\t6.0\t1",), "gavel"),
        (('[{"status": "Pass", "vc": "v", "attempts": [], "submitted_time": "2017-10-07 01:12:09"}]',), "philly-json"),
        (("a\tb",), None),
        (("1 2 3",), None),
        (("",), None),
    ],
)
def test_guesses(tmp_path: Path, lines: tuple[str, ...], format: str | None) -> None:
    assert guess_format(written(tmp_path, *lines)) == format
    assert guess_format(written(tmp_path, *lines, name="t.gz")) == format


# --- conversion --------------------------------------------------------------------------------------------------


def test_convert(tmp_path: Path) -> None:
    path, out = written(tmp_path, *SWF, name="log.swf"), tmp_path / "log.csv.gz"
    assert run("convert", path, out, "--to", "generic").output == (
        f"Wrote {out}: 2 jobs of log.swf, format generic\n"
        "\n"
        "not as in the trace  values\n"
        "queue                     2  left out\n"
        "dates                     1  left out: times count from the first job\n"
    )
    there = read_trace(out, "generic")
    assert there.columns["after"].tolist() == [(), ("1",)]
    assert run("convert", path, out, "--to", "generic", code=2).output == (
        f"{out}: is there already\n    name another file, or say --force to replace it\n"
    )
    facts = json.loads(run("convert", path, out, "--from", "swf", "--to", "philly", "--force", "--json").output)
    assert (facts["file"], facts["format"], facts["jobs"]) == (str(out), "philly", 2)
    assert {"what": "limit", "values": 2, "how": "left out"} in facts["lost"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.csv.gz", "log.swf"]


def test_a_conversion_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = written(tmp_path, "submit,duration,accelerators", "0,5,1", name="jobs.csv")
    out = written(tmp_path, "mine", name="out.csv")
    assert run("convert", path, out, "--to", "philly", "--force", code=2).output == (
        "trace 'jobs.csv' has no dates, and the philly format needs them: give it an origin\n"
    )
    assert out.read_text() == "mine\n"
    assert len(list(tmp_path.iterdir())) == 2
    assert "is the trace itself" in run("convert", path, path, "--to", "swf", "--force", code=2).output
    assert "there is no folder" in run("convert", path, tmp_path / "no/out.csv", "--to", "swf", code=2).output


def test_formats_that_can_only_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, *SWF, name="log.swf")
    text = run("convert", path, tmp_path / "o", "--to", "slurm", code=2).output
    assert text == f"--to: format 'slurm' can only be read. Known: {', '.join(writers())}.\n"
    assert run("convert", path, tmp_path / "o", "--to", "swff", code=2).output.startswith(
        "unknown format 'swff'. Did you mean 'swf'?"
    )


def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    columns = {
        "row": np.array([3, 5]),
        "submit": np.array([100.0, 101.4]),
        "duration": np.array([10.0, 0.7]),
        "accelerators": np.array([0.5, 2.0]),
        "deadline": np.array([130.0, np.inf]),
        "limit": np.array([np.inf, 60.0]),
        "estimate": np.array([-1.0, 30.0]),
        "tenant": as_objects(["a", "b"]),
        "mood": as_objects(["good", ""]),
    }
    trace = Trace("t", columns, servers=(ServerRow("n", 8),))
    assert convert(trace, tmp_path / "t.swf", "swf") == [
        Loss("submit", 1, "changed by up to 0.4"),
        Loss("duration", 1, "changed by up to 0.3"),
        Loss("accelerators", 1, "changed by up to 0.5"),
        Loss("deadline", 1, "left out"),
        Loss("limit", 1, "changed by up to 30"),
        Loss("tenant", 2, "changed"),
        Loss("mood", 1, "left out"),
        Loss("servers", 1, "left out"),
    ]
    assert convert(trace, tmp_path / "t.csv", "generic") == [
        Loss("mood", 1, "left out"),
        Loss("servers", 1, "left out"),
    ]


def test_what_is_gained_is_counted_too(tmp_path: Path) -> None:
    columns = {
        "submit": np.zeros(2),
        "duration": np.ones(2),
        "accelerators": np.ones(2),
        "estimate": np.array([5.0, -1]),
    }
    trace = Trace("t", columns)
    assert convert(trace, tmp_path / "t.swf", "swf") == [Loss("limit", 1, "filled where the trace does not say")]


def test_jobs_that_are_missing() -> None:
    columns = {"submit": np.zeros(2), "duration": np.ones(2), "accelerators": np.array([1.0, 2.0])}
    after = Trace("a", {name: column[1:] for name, column in columns.items()} | {"row": np.array([2])})
    assert compared(Trace("b", columns), after) == [Loss("jobs", 1, "not in the new file, or of 0 s there")]
