"""The catalog: what it holds, how names are found, and what it says about wrong files."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import pytest

from simulator.cluster import catalog
from simulator.cluster.catalog import HARDWARE, KINDS, PRECISIONS, Accelerator, Catalog, Server
from simulator.core.errors import InputError

ROW = """\
version: "mine"
accelerators:
  - id: acme/brain-1
    vendor: Acme
    kind: asic
    year: 2026
    flops: {bf16: 500 TFLOP/s}
    memory: 64 GB
    memory_bandwidth: 2 TB/s
    date: 2026-11
    source: the offer of November
    confidence: secondary
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path) -> str:
    with pytest.raises(InputError) as error:
        catalog.load(path)
    return str(error.value).replace(str(path), path.name)


# ------------------------------------------------------------------------------------------------ what it holds
def test_holds_enough_of_every_kind() -> None:
    kinds = [record.kind for record in catalog.records("accelerator") if isinstance(record, Accelerator)]
    assert len(kinds) >= 30
    assert set(kinds) == {"gpu", "tpu", "asic", "fpga", "cpu"}
    assert len(catalog.names("server")) >= 8
    assert len(catalog.names("link")) >= 10
    assert len(catalog.names("switch")) >= 4
    families = {catalog.link(name).family for name in catalog.names("link")}
    assert families >= {"infiniband", "rocev2", "tcp", "nvlink", "pcie", "ici", "efa"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_sourced_dated_and_versioned(kind: str) -> None:
    for record in catalog.records(kind):
        assert record.source
        assert record.date
        assert record.version
        assert record.confidence in ("datasheet", "secondary", "memory-unverified")


def test_hardware_names_are_unique_over_all_kinds() -> None:
    names = [
        name
        for kind in HARDWARE
        for record in catalog.records(kind)
        for name in dict.fromkeys((record.id, record.short, *record.aliases))
    ]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("kind", KINDS)
def test_every_reference_is_the_full_id_of_a_record(kind: str) -> None:
    for record in catalog.records(kind):
        for key, target in record.references.items():
            name = getattr(record, key)
            assert name is None or name in catalog.names(target), record.id


def test_numbers_are_si() -> None:
    h100 = catalog.accelerator("nvidia/h100-sxm")
    assert h100.flops["bf16"] == pytest.approx(989.4e12)
    assert h100.memory == 80e9
    assert h100.memory_bandwidth == 3.35e12
    assert h100.scale_up_bandwidth == 450e9
    assert h100.power == 700
    assert h100.price == (28_750 + 37_080) / 2
    dgx = catalog.server("nvidia/dgx-h100")
    assert (dgx.accelerator, dgx.accelerators, dgx.nics) == ("nvidia/h100-sxm", 8, 8)
    assert dgx.nic_bandwidth == 50e9
    assert dgx.memory == 2048 * 2**30
    ndr = catalog.link("infiniband-ndr")
    assert ndr.bandwidth == 50e9
    assert ndr.goodput == pytest.approx(47.5e9)
    assert ndr.latency == pytest.approx(200e-9)
    assert ndr.end_latency == pytest.approx(1.2e-6)
    assert catalog.price("aws/p5.48xlarge").rate() * 3600 == pytest.approx(6.88)
    assert catalog.electricity("us-default").price * 3.6e6 == pytest.approx(0.10)
    assert catalog.carbon("world").intensity * 3.6e6 == pytest.approx(0.475)
    assert catalog.pue("world-average").value == 1.56


def test_dense_peaks_keep_their_order_of_magnitude() -> None:
    for record in catalog.records("accelerator"):
        assert isinstance(record, Accelerator)
        for precision, flops in record.flops.items():
            assert precision in PRECISIONS
            assert 1e12 < flops < 20e15, record.id
        narrow, wide = record.flops.get("fp8"), record.flops.get("bf16")
        assert narrow is None or wide is None or narrow <= 4 * wide, record.id
        assert record.measured_bf16 is None or record.measured_bf16 <= record.flops["bf16"], record.id
        pair, all_pairs = record.pair_bandwidth, record.scale_up_bandwidth
        assert pair is None or all_pairs is None or pair <= all_pairs, record.id


def test_agrees_with_the_collected_facts(shared: Path) -> None:
    with (shared / "catalog" / "accelerators.csv").open(encoding="utf-8") as file:
        facts = {row["id"]: row for row in csv.DictReader(file)}
    names = {name: record for record in catalog.records("accelerator") for name in (record.short, *record.aliases)}
    compared = 0
    for name, row in facts.items():
        record = names.get(name)
        if record is None:
            continue
        assert isinstance(record, Accelerator)
        assert record.memory == pytest.approx(float(row["mem_gb"]) * 1e9), name
        assert record.memory_bandwidth == pytest.approx(float(row["mem_bw_gbs"]) * 1e9), name
        if row["bf16_tflops"]:
            assert record.flops["bf16"] == pytest.approx(float(row["bf16_tflops"]) * 1e12), name
        if row["tdp_w"]:
            assert record.power == float(row["tdp_w"]), name
        compared += 1
    assert compared >= 35


# ------------------------------------------------------------------------------------------------ finding a record
def test_found_by_id_short_name_and_alias() -> None:
    assert catalog.get("nvidia/h100-sxm") is catalog.get("h100-sxm")
    assert catalog.get("dgx-h100").id == "nvidia/dgx-h100"
    assert catalog.link("ib-ndr").id == catalog.get("link", "infiniband-ndr").id == "infiniband-ndr"
    assert catalog.switch("qm9700").id == "nvidia/qm9700"


def test_unknown_names_say_what_is_near() -> None:
    with pytest.raises(InputError, match=r"unknown accelerator 'h100-smx'. Did you mean 'nvidia/h100-sxm'\? Known: "):
        catalog.accelerator("h100-smx")
    with pytest.raises(
        InputError, match=r"unknown hardware 'dgxh100'. Did you mean 'dgx-h100'\? The catalog has \d+ acc"
    ):
        catalog.get("dgxh100")
    with pytest.raises(InputError, match=r"unknown kind of record 'servers'. Did you mean 'server'\?"):
        catalog.names("servers")


def test_the_short_name_of_a_price_is_not_a_name() -> None:
    with pytest.raises(InputError, match=r"unknown price 'h100-sxm'\. Did you mean 'runpod/h100-sxm'\?"):
        catalog.price("h100-sxm")


def test_prices_by_accelerator_and_provider() -> None:
    rows = catalog.prices(accelerator="h100-sxm", provider="aws")
    assert [row.id for row in rows] == ["aws/p5.48xlarge", "aws/p5.48xlarge@2025-03"]
    assert len(catalog.prices()) == len(catalog.names("price"))
    with pytest.raises(InputError, match=r"unknown provider 'asw'. Did you mean 'AWS'"):
        catalog.prices(provider="asw")


def test_a_price_that_is_not_quoted_is_an_error() -> None:
    with pytest.raises(InputError, match=r"aws/p5.48xlarge has no 'spot' price. Known: on-demand\."):
        catalog.price("aws/p5.48xlarge").rate("spot")


def test_records_survive_a_process_border() -> None:
    record = catalog.get("h100-sxm")
    copy = pickle.loads(pickle.dumps(record))
    assert copy == record
    assert hash(copy) == hash(record)


# ------------------------------------------------------------------------------------------------ files of one's own
def test_one_row_adds_an_accelerator(tmp_path: Path) -> None:
    mine = catalog.load(write(tmp_path, ROW))
    brain = mine.accelerator("brain-1")
    assert (brain.id, brain.version, brain.flops) == ("acme/brain-1", "mine", {"bf16": 500e12})
    assert brain.price is None
    assert mine.server("dgx-h100") == catalog.server("dgx-h100")
    assert "acme/brain-1" not in catalog.names("accelerator")


def test_files_add_up_and_may_refer_to_each_other(tmp_path: Path) -> None:
    node = """
version: "mine"
servers:
  - {id: acme/node, vendor: Acme, accelerator: brain-1, accelerators: 4, cores: 64, memory: 512 GiB, date: 2026,
     source: the offer, confidence: secondary}
"""
    path = write(tmp_path, node, "node.yaml")
    both = catalog.load(write(tmp_path, ROW)).with_file(path)
    assert both.server("node").accelerator == "acme/brain-1"
    assert message(path).startswith("node.yaml:4 acme/node: unknown accelerator 'brain-1'. ")


def test_an_id_that_is_taken_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ROW.replace("acme/brain-1", "nvidia/h100-sxm"))
    assert message(path) == (
        "mine.yaml:3: accelerator 'nvidia/h100-sxm' already stands for nvidia/h100-sxm\n"
        "    choose another id, as 'mine/h100-sxm'"
    )
    path = write(tmp_path, ROW.replace("acme/brain-1", "h100-sxm"))
    assert "accelerator 'h100-sxm' already stands for nvidia/h100-sxm" in message(path)


def test_a_short_name_of_two_records_must_be_written_in_full(tmp_path: Path) -> None:
    mine = catalog.load(write(tmp_path, ROW.replace("acme/brain-1", "acme/h100-sxm")))
    assert mine.accelerator("nvidia/h100-sxm").vendor == "NVIDIA"
    with pytest.raises(InputError, match="'h100-sxm' may be 'nvidia/h100-sxm' or 'acme/h100-sxm': write one of them"):
        mine.accelerator("h100-sxm")


def test_an_empty_catalog_argument_is_the_shipped_one() -> None:
    assert Catalog().names("server") == catalog.names("server")
    assert isinstance(Catalog().get("server", "dgx-h100"), Server)


def test_a_record_is_read_once() -> None:
    assert catalog.link("infiniband-ndr") is catalog.link("infiniband-ndr")
