"""What every record has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

Confidence = Literal["datasheet", "secondary", "memory-unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every record has. ``date`` is when its most perishable number held; ``version`` that of its file."""

    section: ClassVar[str] = ""
    file: ClassVar[str] = ""
    references: ClassVar[Mapping[str, str]] = {}

    id: str
    source: str
    confidence: Confidence
    date: str
    version: str
    aliases: tuple[str, ...] = ()
    note: str = ""

    def fault(self) -> str | None:
        """Say what contradicts itself in the record, or None."""
        return None

    @property
    def short(self) -> str:
        """The id without the vendor."""
        return self.id.rpartition("/")[2]
