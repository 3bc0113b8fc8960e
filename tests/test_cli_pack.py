"""``simulator pack``: what it prints, and the words for mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulator.cli import main
from simulator.core.errors import InputError
from simulator.experiment.packing import compare, inflate
from simulator.workload.jobs import BatchJob

NODES = "sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,4,G2\nb,64000,262144,4,T4\n"
PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli
p0,4000,1024,1,500
p1,4000,1024,1,1000
p2,8000,1024,2,1000
p3,2000,1024,0,0
"""
SPECS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,4000,1024,1,1000,G2,LS,Pending,0,10,
p1,4000,1024,1,1000,A10|G2,LS,Running,0,10,0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with lists of nodes and pods, in which the command runs."""
    for name, text in (("nodes.csv", NODES), ("pods.csv", PODS), ("specs.csv", SPECS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulator(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pack", *arguments])


def fine(*arguments: str) -> str:
    done = simulator(*arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def wrong(*arguments: str) -> str:
    done = simulator(*arguments)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_list_without_times_is_packed_by_the_six_placements_of_the_paper(folder: Path) -> None:
    lines = fine("pods.csv", "--nodes", "nodes.csv").splitlines()
    assert lines[0] == "4 jobs of pods.csv on 2 servers with 8 accelerators, 130 % of them asked for, 3 runs"
    assert lines[2].split() == ["placement", "allocated,", "%", "sd", "passed", "over"]
    names = [line.split()[0] for line in lines[3:]]
    assert names == ["random", "dot-product", "gpu-clustering", "gpu-packing", "best-fit", "fgd"]


def test_json_has_every_run_and_the_curve(folder: Path) -> None:
    told = json.loads(fine("pods.csv", "--nodes", "nodes.csv", "--placement", "fgd", "--ratio", "0.5", "--json"))
    assert {key: told[key] for key in ("pods", "jobs", "servers", "accelerators", "ratio")} == {
        "pods": "pods.csv", "jobs": 4, "servers": 2, "accelerators": 8, "ratio": 0.5,
    }  # fmt: skip
    (result,) = told["placements"]
    # 3.5 accelerators are asked for, half a one more is too much for 4 unless it comes as 0.5; all of it fits
    assert result["placement"] == "fgd"
    assert result["passed_over"] == 0
    assert len(result["runs"]) == 3
    assert all(run in (3.5 / 8, 4.0 / 8) for run in result["runs"])
    assert result["allocated"] == pytest.approx(sum(result["runs"]) / 3)
    assert all(point["asked"] == pytest.approx(point["allocated"], abs=0.0051) for point in result["curve"])


def test_pods_go_where_their_types_are_and_those_never_scheduled_come_too(folder: Path) -> None:
    told = json.loads(fine("specs.csv", "--nodes", "nodes.csv", "--placement", "pack", "--ratio", "1", "--json"))
    assert told["jobs"] == 2
    assert [(run, told["placements"][0]["passed_over"]) for run in told["placements"][0]["runs"]] == [(0.5, 4)] * 3
    scheduled = ("--option", "pending=set aside")
    told = json.loads(fine("specs.csv", "--nodes", "nodes.csv", "--placement", "pack", *scheduled, "--json"))
    assert told["jobs"] == 1


def test_a_seed_is_a_run(folder: Path) -> None:
    common = ("pods.csv", "--nodes", "nodes.csv", "--placement", "random", "--json")
    several = json.loads(fine(*common, "--seeds", "2", "--seed", "7"))["placements"][0]["runs"]
    alone = [json.loads(fine(*common, "--seeds", "1", "--seed", str(seed)))["placements"][0] for seed in (7, 8)]
    assert several == [each["runs"][0] for each in alone]
    assert alone[0]["sd"] is None


def test_mistakes_are_told(folder: Path) -> None:
    (folder / "cpu.csv").write_text("sn,cpu_milli,memory_mib,gpu,model\na,1,1,0,\n", encoding="utf-8")
    (folder / "none.csv").write_text(PODS.splitlines()[0] + "\np,1000,1,0,0\n", encoding="utf-8")
    assert wrong("pods.csv", "--nodes", "node.csv") == "there is no file node.csv. Did you mean 'nodes.csv'?"
    assert wrong("pods.csv", "--nodes", "cpu.csv") == "cpu.csv: none of these servers has an accelerator"
    assert wrong("pods.csv", "--nodes", "nodes.csv", "--placement", "bestfit").startswith(
        "unknown placement 'bestfit'. Did you mean 'best-fit'?"
    )
    assert wrong("none.csv", "--nodes", "nodes.csv") == (
        "no job asks for an accelerator, so there is nothing to fill the servers with"
    )
    assert "Missing option '--nodes'" in wrong("pods.csv")
    assert "0.0 is not in the range 0<x<=100" in wrong("pods.csv", "--nodes", "nodes.csv", "--ratio", "0")


def test_jobs_without_accelerators_do_not_hang_the_inflation() -> None:
    jobs = [BatchJob(id="a", submit=0, duration=1, accelerators=0, cores=1)]
    with pytest.raises(InputError, match="no job asks for an accelerator"):
        inflate(jobs, 8)


def test_progress_is_told_of_every_run() -> None:
    from simulator.cluster.topology import Server

    told: list[tuple[int, int, str]] = []
    jobs = [BatchJob(id="a", submit=0, duration=1, accelerators=1)]
    compare(jobs, [Server("s", 4)], ("pack", "spread"), seeds=(1, 2), progress=lambda *row: told.append(row))
    assert told == [(1, 4, "pack"), (2, 4, "spread"), (3, 4, "pack"), (4, 4, "spread")]
