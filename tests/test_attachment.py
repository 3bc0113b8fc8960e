"""Owners, endpoints, neighbourhoods, and who is cut off."""

from __future__ import annotations

from typing import Any

from simulator.cluster.attachment import endpoints, neighbourhoods, owners, stranded

Ends = list[tuple[str, str]]


def server(count: int, **more: Any) -> dict[str, Any]:
    return {"kind": "server", "accelerators": count, **more}


def both(*pairs: tuple[str, str]) -> Ends:
    return [ends for pair in pairs for ends in (pair, pair[::-1])]


def found(vertices: dict[str, dict[str, Any]], ends: Ends) -> dict[str, dict[int, str]]:
    return endpoints(vertices, owners(vertices), ends)


def test_an_accelerator_belongs_by_attribute_or_by_name() -> None:
    vertices = {
        "a": server(2),
        "a/0": {"kind": "accelerator"},
        "gpu": {"kind": "accelerator", "server": "a"},
        "b/0": {"kind": "accelerator"},
        "s": {"kind": "switch"},
    }
    assert owners(vertices) == {"a": "a", "a/0": "a", "gpu": "a"}


def test_accelerators_that_hang_off_their_server_have_no_endpoint_of_their_own() -> None:
    vertices = {"a": server(1), "a/0": {"kind": "accelerator"}, "s": {}}
    assert found(vertices, both(("a", "s"), ("a/0", "a"))) == {}


def test_a_mesh_inside_a_server_is_no_network() -> None:
    vertices = {"a": server(2), "a/0": {"kind": "accelerator"}, "a/1": {"kind": "accelerator"}, "s": {}}
    assert found(vertices, both(("a", "s"), ("a/0", "a/1"), ("a/0", "a"), ("a/1", "a"))) == {}


def test_endpoints_stand_at_their_number() -> None:
    vertices = {"a": server(3), "a/2": {"kind": "accelerator"}, "a/0": {"kind": "accelerator"}, "s": {}}
    assert found(vertices, both(("a/2", "s"), ("a/0", "s"))) == {"a": {0: "a/0", 2: "a/2"}}


def test_names_without_a_number_take_the_next_free_place() -> None:
    vertices = {
        "a": server(3),
        "x": {"kind": "accelerator", "server": "a"},
        "y": {"kind": "accelerator", "server": "a", "device": 0},
        "z": {"kind": "accelerator", "server": "a"},
        "w": {"kind": "accelerator", "server": "a"},
        "s": {},
    }
    ends = both(("x", "s"), ("y", "s"), ("z", "s"), ("w", "s"))
    assert found(vertices, ends) == {"a": {0: "x", 1: "y", 2: "z"}}


def test_servers_on_the_same_switches_are_neighbours() -> None:
    vertices = {name: server(0) for name in "abcdef"} | {"s": {}, "t": {}, "u": {}}
    ends = both(("a", "s"), ("b", "s"), ("a", "t"), ("b", "t"), ("c", "s"), ("d", "s"), ("d", "u"), ("e", "f"))
    assert neighbourhoods(vertices, owners(vertices), ends) == {"a": "s+t", "b": "s+t", "c": "s"}


def test_rails_of_accelerators_count_as_those_of_their_server() -> None:
    vertices: dict[str, dict[str, Any]] = {name: server(2) for name in "ab"}
    vertices |= {f"{name}/{i}": {"kind": "accelerator"} for name in "ab" for i in range(2)}
    vertices |= {"r": {}, "s": {}}
    ends = both(("a/0", "r"), ("a/1", "s"), ("b/0", "r"), ("b/1", "s"), ("a/0", "a"))
    assert neighbourhoods(vertices, owners(vertices), ends) == {"a": "r", "b": "r"}


def test_a_unit_wins() -> None:
    vertices = {"a": server(0, unit="rack 3"), "s": {}}
    assert neighbourhoods(vertices, owners(vertices), both(("a", "s"))) == {"a": "rack 3"}


def test_who_is_cut_off() -> None:
    ends = [*both(("a", "s"), ("b", "s")), ("c", "s"), ("s", "d")]
    assert stranded(["a", "b", "c", "d", "e"], ends) == ["c", "d", "e"]
    assert stranded([], ends) == []
