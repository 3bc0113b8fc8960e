"""Keys that single out servers, and windows of time on them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from simulator.scenario.jobs import Name
from simulator.scenario.quantities import Time, Whole
from simulator.scenario.validation import Strict, at, complaint


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _named(value: Any) -> Any:
    """Take one name for a list of it; a list without any would single out nothing."""
    if isinstance(value, list | tuple) and not value:
        raise complaint("there is not a single name", "name servers, as [node-0, rack-1-*], or leave names out for all")
    return _listed(value)


class ServerKeys(Strict):
    """Some servers of the cluster: those that all the keys given single out."""

    names: Annotated[list[Name], BeforeValidator(_named)] | None = Field(
        None, description="names of servers; * stands for any text, as in rack-0-*"
    )
    accelerator: Name | None = Field(None, description="only servers with accelerators of this type")
    labels: dict[str, str] = Field(default_factory=dict, description="only servers with these labels")
    first: Annotated[Whole, Field(ge=0)] = Field(0, description="leave out so many from the beginning")
    count: Annotated[Whole, Field(ge=1)] | None = Field(None, description="only so many")


def _servers(value: Any) -> Any:
    if isinstance(value, str | list):
        return {"names": value}
    return value


Servers = Annotated[ServerKeys, BeforeValidator(_servers)]


class WindowKeys(Strict):
    """A window of time on some servers."""

    servers: Servers
    from_: Time = Field(alias="from", description="beginning, after the start of the run")
    until: Time = Field(description="end")
    drain: Time = Field(0.0, description="how long before the beginning no other work may start there")

    @model_validator(mode="after")
    def _goes_forward(self) -> WindowKeys:
        if self.until <= self.from_:
            text = f"the window ends at {self.until:g} s, but begins at {self.from_:g} s"
            raise at("until", complaint(text, "let it end after its beginning"))
        return self


class BookingKeys(WindowKeys):
    """A booking in advance."""

    tenant: Name = Field(description="whose jobs may start there")
