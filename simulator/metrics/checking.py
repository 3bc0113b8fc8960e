"""What checks of a record share: how far sums may miss, and how a row that breaks a rule is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.core.errors import InvariantError
from simulator.metrics.window import Window

RELATIVE = 1e-9
"""Share of a duration by which sums of its parts may miss it."""
CLOCK = 1e-12
"""Share of the time on the clock that rounding may cost on top: differences of large times are no more exact."""

Check = Callable[[Window], None]


def require(holds: np.ndarray, tell: Callable[[int], str]) -> None:
    """Raise ``InvariantError`` telling of the first row of which ``holds`` is false, and of how many there are."""
    if not holds.all():
        row = int(np.argmin(holds))
        raise InvariantError(f"{tell(row)} ({np.count_nonzero(~holds):,} of {holds.size:,} rows)")
