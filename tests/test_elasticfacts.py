from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from simulator.cli import main
from simulator.models.checkpoint import daly, young

GROUPS = """
name: groups
seed: 1
topology: {build: servers, nodes: 24, node: aws/p5}
node_groups:
  od: {servers: {count: 8}, min: 1, max: 8, initial: 2, price: $98/h, boot: gpu-vm, warm: {nodes: 2}}
  spot:
    servers: {first: 8, count: 16}
    price: price.csv
    market: spot
    boot: {request: 5 s, pending: {kind: exponential, mean: 20 s}}
    interruptions: {mean: 6 h}
    capacity: 10
    quota: 12
autoscaler: {kind: cluster-autoscaler}
workload: {batch: {jobs: [{id: a, accelerators: 8, duration: 1 h}]}}
"""
FAILURES = """
name: failures
seed: 1
topology: {build: servers, nodes: 36, node: aws/p5}
stores: {fs: {bandwidth: 40 GB/s, stream: 1 GB/s, latency: 2 s}}
failures:
  gpu: {component: accelerator, mtbf: 2000 h, repair: {kind: lognormal, mean: 4 h, spread: 1}}
  host: {component: node, catalog: meta-rsc1-node, repair: 12 h, detection: 1 min, only: {count: 10}}
  hot: {component: node, mtbf: 100 h, effect: slow, pace: 0.7, repair: 1 h}
  told: {file: log.csv}
  detection: 10 min
  health_check: 30 min
  spares: 2
  lemon: {share: 10 %, times: 5}
workload:
  train:
    jobs:
      - {id: llm, accelerators: 256, duration: 5 d, checkpoint: {every: young, write: 60 s}}
      - {id: small, accelerators: 8, duration: 5 d, checkpoint: {every: 1 h, write: 60 s}}
  other:
    jobs: [{id: b, accelerators: 64, duration: 1 d, checkpoint: {every: daly, size: 560 GB, to: fs}}]
run: {until: 10 d, restart: 5 min}
"""
FLEETS = """
name: fleets
seed: 1
topology: {build: servers, nodes: 4, node: aws/p5}
stores: {registry: {bandwidth: 10 GB/s}}
workload:
  api:
    load: 100 /s
    duration: 1 h
    replica: {accelerators: 1, rate: 20 /s}
    replicas: {kind: hpa, metric: busy, target: 0.7, min: 1, max: 8}
    cold_start: {image: {size: 12 GB, from: registry, cache: node, time: 3 s}, engine: 20 s}
    monitoring: {scrape: 15 s, window: 60 s, lag: 5 s}
    disruption: {grace: 45 s, max_unavailable: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("price.csv").write_text("time,price\n0,30\n3600,45\n")
    Path("log.csv").write_text("time,component,name,repair\n100,node,node-3,60\n7200,node,node-4,60\n")
    return tmp_path


def checked(text: str) -> dict[str, dict[str, str]]:
    Path("file.yaml").write_text(text)
    done = CliRunner().invoke(main, ["check", "file.yaml", "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, dict[str, str]] = next(iter(json.loads(done.stdout)["alternatives"].values()))
    return found


def test_check_tells_what_groups_are() -> None:
    found = checked(GROUPS)
    assert found["autoscaler"] == {"kind": "cluster-autoscaler", "after": "Kubernetes Cluster Autoscaler 1.33"}
    assert found["group od"] == {
        "kind": "1 to 8 nodes of 8 accelerators, 2 at the start",
        "price": "$98.00/h a node",
        "boot": "3.5 min in the mean (gpu-vm)",
        "warm": "2 stopped, taken into service in 21.2 s, at 0 % of the price",
    }
    assert found["group spot"] == {
        "kind": "0 to 10 nodes of 8 accelerators",
        "price": "$30.00/h to $45.00/h a node, 2 changes",
        "boot": "25 s in the mean: request 5 s + pending 20 s",
        "market": "spot",
        "taken back": "after 6 h in the mean, with 2 min of notice",
        "the provider has": "10 nodes",
        "quota": "12 nodes",
    }


def test_check_tells_how_often_each_source_fails() -> None:
    found = checked(FAILURES)
    assert found["failures gpu"] == {
        "kind": "288 accelerators", "each every": "2,000 h", "any every": "6.94 h", "expected": "34.6 in 10 d",
        "repair": "4 h (lognormal)",
    }  # fmt: skip
    assert float(found["failures gpu"]["expected"].split()[0]) == pytest.approx(288 * 240 / 2000, rel=0.01)
    host = found["failures host"]
    assert host["kind"] == "10 nodes"
    assert host["by"] == "meta-rsc1-node"
    assert host["noticed after"] == "1 min"
    assert float(host["expected"].split()[0]) == pytest.approx(10 * 240 / 3692, rel=0.01)
    assert found["failures hot"]["effect"] == "slow, at a pace of 0.7"
    assert found["failures told"] == {"kind": "2 listed in log.csv, the last after 2 h"}
    assert found["failures"] == {
        "noticed": "after 10 min or by a check every 30 min", "spares": "2 servers",
        "lemons": "10 % of the servers fail 5 times as often",
    }  # fmt: skip


def test_check_tells_the_mtbf_of_the_largest_job_and_its_checkpoints() -> None:
    """32 servers of 8 accelerators, of which 10 may fail as hosts; what makes servers slow stops nobody."""
    found = checked(FAILURES)
    rate = 256 / (2000 * 3600) + 10 / (3692 * 3600)
    assert found["largest job"].startswith("256 accelerators on 32 servers: a failure every ")
    hours = float(re.findall(r"([\d.]+) h$", found["largest job"])[0])
    assert hours == pytest.approx(1 / rate / 3600, rel=0.005)
    train = found["train checkpoints"]
    assert train["kind"] == "synchronous"
    assert train["writing"] == train["standing still"] == "1 min"
    minutes = float(re.findall(r"^([\d.]+) min of work by young \(a failure every", train["every"])[0])
    assert minutes == pytest.approx(young(1 / rate, 60.0) / 60, rel=0.005)
    lost = 60 / (minutes * 60) + (minutes * 60 / 2 + 300) * rate
    assert float(train["expected loss"].split()[0]) == pytest.approx(100 * lost, rel=0.05)
    other = found["other checkpoints"]
    assert other["kind"] == "synchronous, 560 GB to fs"
    assert other["writing"] == "1.2 min"
    rate = 64 / (2000 * 3600) + 8 / (3692 * 3600)
    told, unit = re.findall(r"^([\d.]+) (min|h) of work by daly", other["every"])[0]
    assert float(told) * {"min": 60, "h": 3600}[unit] == pytest.approx(daly(1 / rate, 72.0), rel=0.01)


def test_without_failures_checkpoints_are_told_and_no_loss() -> None:
    plain = re.sub(r"(?ms)^failures:.*?^workload", "workload", FAILURES)
    plain = plain.replace("every: young", "every: 30 min").replace("every: daly", "every: 2 h")
    found = checked(plain)
    assert found["train checkpoints"]["every"] == "30 min of work"
    assert "expected loss" not in found["train checkpoints"]
    assert "largest job" not in found
    assert "failures" not in found


def test_check_tells_how_replicas_start_and_what_is_monitored() -> None:
    found = checked(FLEETS)
    assert found["api cold start"] == {"image": "12 GB from registry, kept by the node, 3 s besides", "engine": "20 s"}
    assert found["api monitoring"] == {"kind": "a sample every 15 s", "mean over": "1 min", "old by": "5 s"}
    assert found["api disruption"] == {"kind": "at most 1 unavailable", "grace": "45 s"}
    assert found["store registry"] == {"kind": "80 Gb/s"}


def test_lists_name_the_product_that_autoscalers_follow() -> None:
    for kind, name, product in (
        ("autoscalers", "cluster-autoscaler", "Kubernetes Cluster Autoscaler 1.33"),
        ("replica-autoscalers", "hpa", "Kubernetes 1.33 HorizontalPodAutoscaler (autoscaling/v2)"),
    ):
        rows = json.loads(CliRunner().invoke(main, ["list", kind, "--json"]).stdout)
        assert {row["name"]: row["after"] for row in rows}[name] == product
        assert all(row["after"] for row in rows)


def test_boots_are_listed_with_the_sum_of_their_phases() -> None:
    rows = json.loads(CliRunner().invoke(main, ["list", "boots", "--json"]).stdout)
    found = {row["boot"]: row for row in rows}
    assert found["ec2"]["phases"] == "request 4.8 s + pending 17.8 s + boot 3.22 s"
    assert found["ec2"]["in the mean"] == "25.8 s"
    assert found["gpu-vm"]["in the mean"] == "3.5 min"


def test_check_writes_carbon_per_kilowatt_hour() -> None:
    """What is a list of times has no comma without a word behind it."""
    Path("carbon.csv").write_text("time,g\n0,200\n3600,350\n")
    regions = "\nregions: {ca: {carbon: {file: carbon.csv, column: g}}, or: {carbon: 120 g/kWh}}\n"
    text = GROUPS.replace("    market: spot\n", "    market: spot\n    region: ca\n") + regions
    text = text.replace("od: {servers: {count: 8},", "od: {servers: {count: 8}, region: ca,")
    assert checked(text)["group spot"]["region"] == "ca (200 g/kWh to 350 g/kWh, 2 changes)"
    assert checked(text.replace("region: ca", "region: or"))["group spot"]["region"] == "or (120 g/kWh)"
