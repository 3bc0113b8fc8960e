"""What happens when flows pick their paths by hash: some paths get more of them than others."""

from __future__ import annotations

import math


def fullest_path(flows: float, paths: float) -> float:
    """Return how many of ``flows`` the fullest of ``paths`` equal paths gets when each picks one at random.

    F / P + sqrt(2 F / P ln P): the load of the fullest bin to leading order, for F well above P ln P (Raab and Steger,
    "Balls into bins - a simple and tight analysis", RANDOM 1998); for few paths the mean is somewhat lower. Spread
    evenly it would be F / P; the quotient is what hash collisions cost flows that fill their path.

    >>> round(fullest_path(256, 16), 1), 256 / 16
    (25.4, 16.0)
    """
    if paths <= 1:
        return flows
    return flows / paths + math.sqrt(2.0 * flows / paths * math.log(paths))
