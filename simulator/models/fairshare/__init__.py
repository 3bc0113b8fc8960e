"""Max-min fair rates of flows on shared links: from nothing (``solve``), or as flows change (``sweep``)."""

from simulator.models.fairshare.solve import LIMIT, fill, max_min

__all__ = ["LIMIT", "fill", "max_min"]
