"""The kinds of records that the catalog holds: hardware, prices, and what power costs and emits.

A field added here is a key that the YAML rows may have: its annotation says how the reader parses and checks it.

What the numbers mean: FLOP/s (and int8 operations/s) are dense peaks; bandwidth is one direction, per device or per
port; prices are US dollars of ``date``; everything is SI. ``confidence`` says how a row was found: ``datasheet`` (the
vendor's or author's own text), ``secondary`` (someone else's table), ``memory-unverified`` (no source: check it first).
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cluster.records.base import Record
from simulator.cluster.records.engine import Engine
from simulator.cluster.records.failure import Failure
from simulator.cluster.records.framework import Framework
from simulator.cluster.records.hardware import PRECISIONS, Accelerator, Link, Server, Switch
from simulator.cluster.records.model import Model
from simulator.cluster.records.money import PRICE_KINDS, Carbon, CloudPrice, Electricity, Pue
from simulator.cluster.records.protocol import MODES, Protocol

__all__ = [
    "HARDWARE",
    "KINDS",
    "MODES",
    "PRECISIONS",
    "PRICE_KINDS",
    "Accelerator",
    "Carbon",
    "CloudPrice",
    "Electricity",
    "Engine",
    "Failure",
    "Framework",
    "Link",
    "Model",
    "Protocol",
    "Pue",
    "Record",
    "Server",
    "Switch",
]

KINDS: Mapping[str, type[Record]] = {
    "accelerator": Accelerator,
    "server": Server,
    "link": Link,
    "switch": Switch,
    "price": CloudPrice,
    "pue": Pue,
    "electricity": Electricity,
    "carbon": Carbon,
    "model": Model,
    "framework": Framework,
    "engine": Engine,
    "protocol": Protocol,
    "failure": Failure,
}
HARDWARE = ("accelerator", "server", "link", "switch")
