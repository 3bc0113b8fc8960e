"""The section ``failures:`` of a scenario: what fails how often, who notices when, how long it takes to repair."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator

from simulator.cluster import catalog
from simulator.core.errors import InputError, did_you_mean, nearest
from simulator.core.units import parse
from simulator.runtime.failures import COMPONENTS, REPAIRS, LoggedFailure, Repair
from simulator.scenario.failurelog import read_log, read_rows
from simulator.scenario.jobs import Name
from simulator.scenario.loader import is_file
from simulator.scenario.plugins import Context, no_file
from simulator.scenario.quantities import Number, Share, Time, Whole
from simulator.scenario.serverkeys import Servers
from simulator.scenario.validation import Strict, at, complaint, each, keys, show

YEAR = 8766 * 3600.0
"""Seconds of a mean year of 365.25 days, in which annual failure rates count."""
_NAME = re.compile(r"[^\s./]+")


class RepairKeys(Strict):
    """A law of repair times."""

    kind: str = Field("exponential", description="fixed, exponential, lognormal or weibull")
    mean: Time = Field(description="mean time of a repair")
    spread: Number | None = Field(
        None, description="of lognormal: deviation of the logarithm; of weibull: shape; default: 1"
    )


def _repair(value: Any) -> Repair:
    """Read a time, or a law of times."""
    if not isinstance(value, Mapping):
        seconds = parse(value, "time")
        if seconds < 0:
            raise complaint(f"a repair of {seconds:g} s is not allowed: it takes 0 s or more")
        return Repair(seconds)
    read = RepairKeys.model_validate(value)
    if read.kind not in REPAIRS:
        raise at("kind", complaint(f"unknown law {read.kind!r}", did_you_mean(read.kind, REPAIRS)), read.kind)
    if read.spread is not None and read.kind not in ("lognormal", "weibull"):
        raise at("spread", complaint(f"a {read.kind} law has no spread", at_key=True))
    try:
        return Repair(read.mean, read.kind, 1.0 if read.spread is None else read.spread)
    except ValueError as error:
        raise at(str(error).partition(" ")[0], complaint(str(error))) from None


class SourceKeys(Strict):
    """A kind of component that fails by chance."""

    component: str = Field(description="accelerator, node, nic, link, switch, rack, domain or store")
    mtbf: Time | None = Field(None, description="mean time between failures of one component")
    afr: Share | None = Field(None, description="share of the components that fail within a year")
    catalog: Name | None = Field(None, description="a row of simulator list failures")
    repair: Annotated[Any, PlainValidator(_repair)] = Field(
        description="from the detection until it is up again: a time, or {kind, mean, spread}"
    )
    shape: Number = Field(1.0, description="of a Weibull life: below 1 infant mortality, above 1 ageing")
    detection: Time | None = Field(None, description="until anybody notices; default: that of all sources")
    effect: Literal["down", "slow"] = Field("down", description="whether it is gone, or its servers are slow")
    pace: Number | None = Field(None, description="of slow servers, over that of healthy ones")
    only: Servers | None = Field(None, description="only components of these servers")

    @model_validator(mode="after")
    def _makes_sense(self) -> SourceKeys:
        if self.component not in COMPONENTS:
            hint = did_you_mean(self.component, COMPONENTS)
            raise at("component", complaint(f"unknown component {self.component!r}", hint), self.component)
        given = [key for key in ("mtbf", "afr", "catalog") if getattr(self, key) is not None]
        if len(given) != 1:
            found = f"both {' and '.join(map(repr, given))}" if given else "none"
            raise complaint(f"a source has one of mtbf, afr and catalog; this one has {found}")
        self._check_rate()
        if not self.shape >= 0.1:
            raise at("shape", complaint(f"a shape of {self.shape:g} is not allowed: it must be at least 0.1"))
        if self.effect == "slow" and self.pace is None:
            raise complaint("'pace' is missing: how fast are slow servers?", "write for example pace: 0.7")
        if self.effect == "down" and self.pace is not None:
            raise at("pace", complaint("'pace' means nothing for what is down", "write effect: slow", at_key=True))
        if self.pace is not None and not 0 < self.pace < 1:
            raise at("pace", complaint(f"a pace of {self.pace:g} is not allowed: it must be above 0 and below 1"))
        if self.effect == "slow" and self.component not in ("accelerator", "node", "rack", "domain"):
            raise at("component", complaint(f"a {self.component} cannot be slow: take node, or accelerator"))
        if self.effect == "slow" and self.detection is not None:
            raise at("detection", complaint("'detection' means nothing for slow servers", at_key=True))
        return self

    def _check_rate(self) -> None:
        if self.mtbf is not None and not self.mtbf > 0:
            raise at("mtbf", complaint(f"an mtbf of {self.mtbf:g} s is not allowed: it must be above 0"))
        if self.afr is not None and not 0 < self.afr < 1:
            text = (
                f"an afr of {100 * self.afr:g} % is not allowed: it is the share of components that fail within a year"
            )
            hint = "above 0 and below 100 %: the rate, -ln(1 - afr) a year, is infinite there; give mtbf instead"
            raise at("afr", complaint(text, hint))
        if self.catalog is None:
            return
        try:
            row = catalog.failure(self.catalog)
        except InputError as error:
            hint = did_you_mean(self.catalog, catalog.names("failure"))
            raise at("catalog", complaint(error.problems[0].text.partition(". ")[0], hint), self.catalog) from None
        if row.component not in ("other", self.component):
            text = f"{row.id!r} counts failures per {row.component}, and component is {self.component!r}"
            raise at("catalog", complaint(text, f"write component: {row.component}, or give an mtbf"), self.catalog)

    @property
    def rate(self) -> float:
        """Failures of one component per second."""
        if self.mtbf is not None:
            return 1.0 / self.mtbf
        if self.afr is not None:
            return -math.log1p(-self.afr) / YEAR
        assert self.catalog is not None
        return catalog.failure(self.catalog).rate


class LogKeys(Strict):
    """Failures that are known one by one: a file with the columns time, component, name, repair, or such rows."""

    file: Name | None = Field(None, description="path, relative to the file that names it")
    rows: list[Any] | None = Field(None, description="the failures themselves: {time, component, name, repair}")
    detection: Time | None = Field(None, description="until anybody notices; default: that of all sources")


class LemonKeys(Strict):
    """Servers that fail more often than others."""

    share: Share = Field(description="share of the servers")
    times: Number = Field(12.3, description="how often they fail, over the others")

    @model_validator(mode="after")
    def _some(self) -> LemonKeys:
        if not 0 < self.share < 1:
            raise at("share", complaint(f"a share of {100 * self.share:g} % is not allowed: above 0 and below 100 %"))
        if not self.times > 1:
            raise at("times", complaint(f"{self.times:g} times as many failures: lemons need more than 1"))
        return self


class FailureKeys(Strict):
    """What holds for all sources of failures; they stand beside these keys, each under a name of its own."""

    detection: Time | None = Field(None, description="until a failure is noticed; jobs hang meanwhile")
    health_check: Annotated[Time, Field(gt=0)] | None = Field(
        None, description="interval of the checks by which failures are noticed"
    )
    spares: Annotated[Whole, Field(ge=0)] = Field(0, description="servers that are kept back for those that fail")
    lemon: LemonKeys | None = Field(None, description="servers that fail more often: {share: 1.2 %, times: 12.3}")


@dataclass(frozen=True, slots=True)
class FailureSection:
    """The section: common keys, sources by name, and the files of those that are lists."""

    keys: FailureKeys
    sources: dict[str, SourceKeys | LogKeys] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def logged(self, name: str) -> tuple[LoggedFailure, ...]:
        """Return the failures that a list has; raise ``InputError`` for what is wrong with it."""
        source = self.sources[name]
        assert isinstance(source, LogKeys)
        return read_rows(source.rows or ()) if source.file is None else read_log(self.files[name], source.file)


def failures(value: Any, context: Context) -> FailureSection | None:
    """Return what the section says; None for ``none``. Raises pydantic errors placed at its keys."""
    if value is None or value == "none":
        return None
    if not isinstance(value, Mapping):
        hint = "write failures: {gpu: {component: accelerator, catalog: llama3-gpu-all, repair: 4 h}}"
        raise complaint(f"{show(value)} is not a mapping of sources of failures", hint)
    common = keys(FailureKeys)
    own = FailureKeys.model_validate({key: item for key, item in value.items() if key in common})
    named = {name: item for name, item in value.items() if name not in common}
    files: dict[str, Path] = {}

    def one(name: str, item: Any) -> SourceKeys | LogKeys:
        item = _listed(item)
        if not isinstance(item, Mapping):
            close = nearest(name, common)
            hint = (
                f"Did you mean {close!r}?" if close else f"a source is a mapping; beside them stand {', '.join(common)}"
            )
            raise complaint(f"{name!r} is no source of failures: {show(item)} is not a mapping", hint, at_key=True)
        if not _NAME.fullmatch(name):
            raise complaint(f"{name!r} is not a name for a source", "no spaces, dots or slashes", at_key=True)
        if "file" not in item and "rows" not in item:
            return SourceKeys.model_validate(item)
        read = LogKeys.model_validate(item)
        if read.file is not None and read.rows is not None:
            raise at("rows", complaint("'rows' says what 'file' says, too", "leave one of them out", at_key=True))
        if read.file is None:
            return read
        path = Path(context.base("failures", name, "file")) / read.file
        if not is_file(path):
            raise at("file", no_file(path, read.file), read.file)
        files[name] = path
        return read

    sources = dict(zip(named, each(named.items(), one), strict=True))
    if not sources:
        raise complaint("there is not a single source of failures", "name one, or write failures: none")
    return FailureSection(own, sources, files)


def _listed(item: Any) -> Any:
    """Take a list of rows, or a data frame, for a source that has them; a data frame may stand under ``rows`` too."""
    if isinstance(item, Mapping) and "rows" in item:
        return {**item, "rows": _rows(item["rows"])}
    rows = _rows(item)
    return {"rows": rows} if isinstance(rows, list) else item


def _rows(value: Any) -> Any:
    if callable(getattr(value, "to_dict", None)) and hasattr(value, "columns"):
        return [{str(key): cell for key, cell in row.items()} for row in value.to_dict("records")]
    return list(value) if isinstance(value, list | tuple) else value
