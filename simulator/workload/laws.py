"""Laws of positive quantities, written as rows of data and drawn from by inversion of uniform numbers.

A law is a mapping with one key that names its family, or a quantile table ``{p: [...], v: [...]}``. All families but
the table are mixtures: their parameters are numbers, or lists of equal length with ``weights``.

>>> import numpy as np
>>> law({"lognormal": {"mu": 0.0, "sigma": 2.0}})(np.array([0.5])).tolist()
[1.0]
>>> law({"exponential": {"weights": [0.9, 0.1], "mean": [10, 1000]}})(np.array([0.2, 0.95])).round(1).tolist()
[2.5, 693.1]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.core.errors import InputError, did_you_mean
from simulator.workload.sampling import choose, from_quantiles

Law = Callable[[np.ndarray], np.ndarray]
"""From uniform numbers in [0, 1) to values."""
_INSIDE = 1e-12
"""How near to 0 and 1 a uniform number comes where the inverse is infinite there."""


def lognormal(uniform: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Exponential of a normal variable of mean ``mu`` and standard deviation ``sigma``."""
    from scipy.special import ndtri

    return np.asarray(np.exp(mu + sigma * ndtri(np.clip(uniform, _INSIDE, 1 - _INSIDE))))


def exponential(uniform: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Exponential; with weights, hyperexponential."""
    return np.asarray(-np.log1p(-np.minimum(uniform, 1 - _INSIDE)) * mean)


def weibull(uniform: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Weibull: ``scale`` times an exponential variable of mean 1 to the power of 1 / ``shape``."""
    return np.asarray(scale * exponential(uniform, np.ones_like(scale)) ** (1 / shape))


def gamma(uniform: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Gamma of mean ``shape`` x ``scale``."""
    from scipy.special import gammaincinv

    return np.asarray(scale * gammaincinv(shape, np.minimum(uniform, 1 - _INSIDE)))


def log_uniform(uniform: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Uniform on a logarithmic scale from ``low`` to ``high``."""
    return np.asarray(low * (high / low) ** uniform)


def constant(uniform: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Always ``value``."""
    return value + 0.0 * uniform


FAMILIES: dict[str, Callable[..., np.ndarray]] = {
    inverse.__name__: inverse for inverse in (lognormal, exponential, weibull, gamma, log_uniform, constant)
}
"""Inverses of the distribution functions by the name that a row of data calls them."""


def law(row: Mapping[str, Any]) -> Law:
    """Return the law that a row of data describes.

    ``{p, v}`` is a quantile table, geometric between its points. Otherwise ``{family: {parameter: number or list}}``.
    ``at_least`` and ``at_most`` beside either cut the values. Raises ``InputError`` for what is no law.
    """
    limits = row.get("at_least", 0.0), row.get("at_most", np.inf)
    rest = {key: value for key, value in row.items() if key not in ("at_least", "at_most", "up_to")}
    if rest.keys() == {"p", "v"}:
        p, v = rest["p"], rest["v"]
        return lambda uniform: np.clip(from_quantiles(uniform, p, v), *limits)
    if len(rest) != 1:
        raise InputError(f"a law has one family, or p and v; this one has {', '.join(map(str, rest)) or 'nothing'}")
    ((family, parameters),) = rest.items()
    if family not in FAMILIES:
        raise InputError(f"unknown law {family!r}. {did_you_mean(family, FAMILIES)}")
    mixed = _mixture(family, dict(parameters))
    return lambda uniform: np.clip(mixed(uniform), *limits)


def _mixture(family: str, parameters: dict[str, float | Sequence[float]]) -> Law:
    """Return the law of a mixture: a uniform number picks the component, and what is left of it the value."""
    weights = np.atleast_1d(np.asarray(parameters.pop("weights", 1.0), dtype=np.float64))
    columns = {key: np.atleast_1d(np.asarray(value, dtype=np.float64)) for key, value in parameters.items()}
    for key, column in columns.items():
        if column.shape != weights.shape:
            raise InputError(f"{family}: {key} has {len(column)} numbers for {len(weights)} weights")
    upper = np.cumsum(weights / weights.sum())
    lower = upper - weights / weights.sum()

    def draw(uniform: np.ndarray) -> np.ndarray:
        index = choose(uniform, weights.tolist())
        left = np.clip((uniform - lower[index]) / (upper[index] - lower[index]), 0.0, 1.0)
        return FAMILIES[family](left, **{key: column[index] for key, column in columns.items()})

    return draw
