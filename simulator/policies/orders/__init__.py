"""Orders of the queue: who goes first."""

from __future__ import annotations

from collections.abc import Callable

from simulator.core.registry import Registry
from simulator.policies.order import Order

orders: Registry[Callable[..., Order]] = Registry("order", "simulator.policies.orders")
