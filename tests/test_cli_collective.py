"""``simulator collective`` and ``sim.collective``: tables, sweeps, figures and the words for mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import simulator as sim
from simulator.cli import main
from simulator.core.errors import InputError
from simulator.experiment.collectives import in_bytes, sweep

PARTS = ("--accelerator", "h100-sxm", "--nodes", "2", "--per-node", "8", "--link", "infiniband-ndr")


def simulator(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["collective", *arguments])


def fine(*arguments: str) -> str:
    done = simulator(*arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def wrong(*arguments: str) -> str:
    done = simulator(*arguments)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_prints_the_columns_of_nccl_tests() -> None:
    lines = fine("all-reduce", *PARTS, "--sweep", "1KiB:4KiB").splitlines()
    assert lines[0] == "all-reduce: 16 ranks in 2 domains, NVLink inside, InfiniBand verbs between"
    assert lines[2].split("  ")[0] == "size (B)"
    assert [line.split()[0] for line in lines[3:]] == ["1024", "2048", "4096"]
    assert lines[3].split()[4:] == ["double-tree", "LL"]


def test_a_sweep_runs_from_a_kibibyte_to_a_gibibyte_unless_said() -> None:
    rows = json.loads(fine("all-gather", *PARTS, "--json"))["rows"]
    assert [rows[0]["size"], rows[-1]["size"], len(rows)] == [2**10, 2**30, 21]
    rows = json.loads(fine("all-gather", *PARTS, "--json", "--bytes", "5000"))["rows"]
    assert [row["size"] for row in rows] == [1024, 2048, 4096, 5000]


def test_json_is_in_si_and_says_what_joins_the_ranks() -> None:
    facts = json.loads(fine("all_reduce", *PARTS, "--bytes", "1GiB", "--json"))
    assert {key: facts[key] for key in ("collective", "ranks", "domains", "inside", "between")} == {
        "collective": "all-reduce", "ranks": 16, "domains": 2, "inside": "nvlink", "between": "infiniband-verbs",
    }  # fmt: skip
    last = facts["rows"][-1]
    assert last["busbw"] == pytest.approx(last["size"] / last["time"] * 2 * 15 / 16)


def test_a_measured_row_is_checked_in_one_line() -> None:
    """2 x 8 H100 over InfiniBand: 4.51 ms for 1 GiB (dstackai/dstack, Nebius)."""
    rows = json.loads(fine("all-reduce", *PARTS, "--bytes", "1GiB", "--json"))["rows"]
    assert rows[-1]["time"] == pytest.approx(4.512e-3, rel=0.1)


def test_all_algorithms_stand_side_by_side() -> None:
    text = fine("all-reduce", *PARTS, "--all", "--sweep", "1MiB:2MiB")
    head = text.splitlines()[2]
    for name in ("ring", "double-tree", "nvls-tree", "collnet", "hierarchical"):
        assert f"{name} (us)" in head
    assert "nvls: it needs one scale-up domain; over several there is nvls-tree" in text
    assert text.splitlines()[3].split()[-1] in head


def test_a_topology_gives_the_same_as_its_parts_and_a_narrow_one_less(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("name: t\nbuild: leaf-spine\nnodes: 4\nnode: dgx-h100\nlink: infiniband-ndr\nnodes_per_leaf: 2\n")
    wide = sim.collective("all-to-all", "1 GiB", topology=file)
    file.write_text(file.read_text() + "oversubscription: 8\n")
    narrow = sim.collective("all-to-all", "1 GiB", topology=file)
    assert narrow["time"].item() > 3 * wide["time"].item()
    alone = sim.collective("all-reduce", "1 GiB", accelerator="dgx-h100", nodes=2, link="infiniband-ndr")
    there = sim.collective("all-reduce", "1 GiB", topology=file, ranks=16)
    assert there["time"].item() == pytest.approx(alone["time"].item())


def test_placement_names_servers_in_order() -> None:
    text = fine("all-reduce", "--topology", "two-servers", "--json", "--bytes", "1MiB", "--ranks", "2")
    assert json.loads(text)["ranks"] == 2
    error = wrong("all-reduce", "--topology", "superpod-h100-4su", "--placement", "node-0,nod-5")
    assert error.startswith("unknown server 'nod-5'. Did you mean 'node-5'?")


def test_protocols_can_be_tried() -> None:
    quick, slow = (
        json.loads(fine("all-reduce", *PARTS, "--bytes", "1KiB", "--json", *more))["rows"][0]["time"]
        for more in ((), ("--protocol", "efa-srd"))
    )
    assert slow > quick + 100e-6


def test_what_has_no_effect_is_said() -> None:
    text = fine("all-reduce", "--accelerator", "h100-sxm", "--per-node", "8", "--link", "roce-400g", "--bytes", "1KiB")
    assert text.endswith("note: link has no effect: all ranks are in one scale-up domain\n")
    text = fine("all-reduce", "--accelerator", "h100-sxm", "--per-node", "1", "--bytes", "1KiB")
    assert "note: one rank: all-reduce has nothing to exchange, and no input changes its time" in text


def test_the_figure_is_the_same_every_time(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.svg")]
    for file in files:
        fine("all-reduce", *PARTS, "--all", "--bytes", "1MiB", "--plot", str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "Bus bandwidth (GB/s)" in files[0].read_text()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("all-reduse", *PARTS), "unknown collective 'all-reduse'. Did you mean 'all-reduce'?"),
        (("all-reduce",), "name either a topology, or an accelerator (or server) of the catalog"),
        (("all-reduce", *PARTS, "--topology", "two-servers"), "name either a topology, or an accelerator"),
        (("all-reduce", "--topology", "two-serves"), "Did you mean 'two-servers'?"),
        (("all-reduce", "--topology", "two-servers", "--link", "roce-25g"), "leave out link"),
        (("all-reduce", "--topology", "two-servers", "--ranks", "99"), "99 ranks: there are 1 to 16 in the topology"),
        (("all-reduce", *PARTS, "--algorithm", "rong"), "unknown collective algorithm 'rong'. Did you mean 'ring'?"),
        (("all-gather", *PARTS, "--algorithm", "nvls"), "algorithm 'nvls' cannot run all-gather"),
        (("all-reduce", *PARTS, "--protocol", "tpc"), "unknown protocol 'tpc'. Did you mean 'tcp'?"),
        (("all-reduce", *PARTS, "--protocol", "nvlink"), "protocol 'nvlink' joins accelerators, not servers."),
        (("all-reduce", *PARTS[:-1], "infiniband-ndx"), "unknown link 'infiniband-ndx'. Did you mean 'infiniband-"),
        (("all-reduce", *PARTS[:6]), "16 ranks in 2 domains need a link between them: name one"),
        (("all-reduce", *PARTS, "--bytes", "1 GIb"), "size '1 GIb' has unknown unit"),
        (("all-reduce", *PARTS, "--sweep", "1MiB"), "--sweep '1MiB' has no colon; write for example 1KiB:1GiB"),
        (("all-reduce", *PARTS, "--sweep", "2MiB:1MiB"), "the first must be 1 or more, the second not below it"),
        (("all-reduce", *PARTS, "--sweep", "1:2", "--bytes", "3"), "give one of them"),
        (("all-reduce", *PARTS, "--nodes", "0"), "0 nodes: there must be 1 or more"),
        (("all-reduce", *PARTS, "--placement", "a"), "servers are those of a topology: name one"),
        (("all-reduce", *PARTS, "--plot", "a.png"), "the figure is an SVG file; call it 'a.svg'"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], text: str) -> None:
    assert text in wrong(*arguments)


def test_python_takes_sizes_as_text_numbers_or_a_list() -> None:
    frame = sim.collective("all-reduce", ["1 MiB", 2048, "4096"], accelerator="h100-sxm", per_node=8)
    assert frame["size"].tolist() == [2**20, 2048, 4096]
    assert list(frame.columns) == ["size", "time", "algbw", "busbw", "algorithm", "protocol"]


def test_sizes() -> None:
    assert sweep(1024, 1024) == [1024]
    assert len(sweep(1, 2.0**300)) <= 65
    assert in_bytes("64 MiB") == 64 * 2**20
    with pytest.raises(InputError, match="size 'x' is not an amount of data"):
        in_bytes("x")
