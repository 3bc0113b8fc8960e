"""Records that contradict themselves say so."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from simulator.cluster import catalog
from simulator.cluster.records import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_records_have_no_fault(kind: str) -> None:
    assert [record.id for record in catalog.records(kind) if record.fault()] == []


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        catalog.accelerator("h100-sxm").memory = 1.0  # type: ignore[misc]


def test_price_is_the_middle_or_unknown() -> None:
    h100 = catalog.accelerator("h100-sxm")
    assert replace(h100, price_low=10.0, price_high=20.0).price == 15.0
    assert catalog.accelerator("tpu-v4").price is None


def test_faults() -> None:
    server = catalog.server("dgx-h100")
    assert replace(server, accelerator=None).fault() == "accelerator and accelerators must both be there, or neither"
    assert replace(server, accelerator=None, accelerators=0).fault() is None
    assert replace(server, nics=0).fault() == "nics and nic_bandwidth must both be there, or neither"
    assert replace(server, idle_power=11e3).fault() == "idle_power 11000 W is above power 10200 W"
    assert replace(catalog.link("infiniband-ndr"), efficiency=1.5).fault() == "efficiency 1.5 is above 1"
    assert replace(catalog.pue("world-average"), value=0.9).fault() == "a PUE of 0.9 is below 1"
    price = catalog.price("aws/p5.48xlarge")
    assert replace(price, prices={}).fault() == "prices is empty"
    fault = replace(price, prices={"ondemand": 1.0}).fault()
    assert fault is not None
    assert fault.startswith("unknown kind of price 'ondemand'. Did you mean 'on-demand'?")
