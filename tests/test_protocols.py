"""Protocol rows of the catalog: every link has one, and nonsense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cluster import catalog
from simulator.cluster.records import Link, Protocol
from simulator.core.errors import InputError

ROW = """
version: "1"
protocols:
  - id: mine/fast
    name: Fast
    reach: network
    ring_step: {Simple: 5 us}
    tree_step: {Simple: 5 us}
    share: {Simple: 1}
    ramp: 2
    gpudirect: true
    date: 2026-01
    source: a test
    confidence: memory-unverified
"""


def protocols() -> list[Protocol]:
    return [record for record in catalog.records("protocol") if isinstance(record, Protocol)]


def test_every_link_names_a_protocol_that_reaches_as_far_as_it_does() -> None:
    inside = {"nvlink", "pcie", "infinity-fabric", "ici"}
    for link in catalog.records("link"):
        assert isinstance(link, Link)
        assert link.protocol is not None, link.id
        reach = "scale-up" if link.family in inside else "network"
        assert catalog.protocol(link.protocol).reach == reach, link.id


def test_protocols_of_all_kinds_are_there() -> None:
    assert {record.id for record in protocols()} >= {
        "infiniband-verbs", "rocev2", "efa-srd", "tcp", "gpudirect-tcpx", "gpudirect-tcpxo",
        "nvlink", "pcie-p2p", "xgmi", "ici",
    }  # fmt: skip


def test_only_protocols_without_gpudirect_copy_through_the_host() -> None:
    copies = {record.id: record.host_copy for record in protocols() if not record.gpudirect}
    assert list(copies) == ["tcp"]
    assert copies["tcp"] == pytest.approx(20e9)


def test_rdma_loses_less_to_incast_than_tcp() -> None:
    incast = {record.id: record.incast for record in protocols()}
    assert incast["infiniband-verbs"] <= incast["rocev2"] < incast["tcp"]


def test_a_protocol_is_one_row_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(ROW)
    assert catalog.load(file).protocol("fast").ring_step == {"Simple": 5e-6}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("share: {Simple: 1}", "share: {Simple: 1.5}"), "share of Simple is above 1"),
        (("share: {Simple: 1}", "share: {LL: 1}"), "ring_step, tree_step and share must have the same modes"),
        (("{Simple: 5 us}", "{Smple: 5 us}"), r"unknown mode 'Smple'. Did you mean 'Simple'\?"),
        (("gpudirect: true", "gpudirect: true\n    host_copy: 1 GB/s"), "host_copy is for protocols without gpudirect"),
        (("reach: network", "reach: scale-up"), "a scale-up protocol needs ring_base and tree_base for every mode"),
        (("gpudirect: true", "gpudirect: perhaps"), "'perhaps' is neither true nor false"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(ROW.replace(*change))
    with pytest.raises(InputError, match=text):
        catalog.load(file)


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown protocol 'rocev3'. Did you mean 'rocev2'\?"):
        catalog.protocol("rocev3")


def test_goodput_shares_are_with_the_links() -> None:
    rates = {name: catalog.link(name).goodput / 1e9 for name in ("nvlink4", "infiniband-hdr", "infiniband-ndr")}
    # NCCL's maintainer: 24 of 25, 46 to 48 of 50 GB/s; H200 rings measured 361 to 367 of 450
    assert rates["infiniband-hdr"] == pytest.approx(24, rel=0.02)
    assert 46 <= rates["infiniband-ndr"] <= 48
    assert 361 <= rates["nvlink4"] <= 368
