"""What ``network:`` says: routing and fidelity by name, events of links at their places, and keys without effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import simulator as sim
from simulator.cli import main
from simulator.core.errors import InputError
from simulator.scenario.build import plan
from simulator.scenario.jsonschema import json_schema
from simulator.scenario.links import capacity_events, find_links, link_events

HEAD = """name: t
topology: {build: rail-optimised, nodes: 2, node: dgx-h100}
workload: {w: {jobs: [{id: a, accelerators: 16, iterations: 20, compute: 100 ms, gradient: 1 GB}]}}
"""


def load(network: str, head: str = HEAD) -> sim.Scenario:
    return sim.Scenario.load(f"{head}network: {network}\n")


def event(change: str, place: str = "link: 3") -> str:
    return f"{{events: [{{time: 1 s, {place}, {change}}}]}}"


def prepare(network: str, head: str) -> None:
    """Do all that comes before a run."""
    scenario = load(network, head)
    topology = plan(scenario).topology
    capacity_events(scenario, topology)
    link_events(scenario, topology)


def wrong(network: str, head: str = HEAD) -> str:
    """All that is said about these keys, by the time that a run would begin."""
    with pytest.raises(InputError) as caught:
        prepare(network, head)
    return "\n".join(f"{problem.path}: {problem.text} | {problem.hint or ''}" for problem in caught.value.problems)


NAMES = {
    "{routing: ecpm}": "network.routing: unknown routing 'ecpm' | Did you mean 'ecmp'? Known: adaptive, ecmp, spray.",
    "{routing: explicit}": "network.routing: unknown routing 'explicit' | Known: adaptive, ecmp, spray.",
    "{fidelity: packet}": "network.fidelity: unknown fidelity 'packet' | Known: flow, fluid, steady.",
    "{fidelity: alone}": "network.fidelity: unknown fidelity 'alone'",
    "{fidelity: [flow]}": "network.fidelity: unknown fidelity ['flow']",
    "{collectives: rings}": "network.collectives: unknown algorithm 'rings' | Did you mean 'ring'?",
    "{contention: some}": "network.contention: 'some' is not one of 'max-min' or 'none'",
    "{flows: 0}": "network.flows: 0 is not allowed: it must be at least 1",
    "{flows: 1000000000}": "network.flows: 1000000000 is not allowed: it must be at most 1024",
    "{flows: two}": "network.flows: 'two' is not a whole number",
    "{reroute: 5}": "network.reroute: 5 has no unit for a time",
    "{reroute: -1 s}": "network.reroute: '-1 s' is negative",
    "{rerout: 1 s}": "network.rerout: unknown key 'rerout' | Did you mean 'reroute'?",
}
AT = "network.events.0"
EVENTS = {
    event("state: broken"): f"{AT}.state: 'broken' is not one of 'down' or 'up'",
    event("state: down", "link: 999"): f"{AT}.link: there is no link 999 | the topology has links 0 to 127",
    event("state: down", "link: -1"): f"{AT}.link: -1 is not a link | write its number, 'a -> b' for one direction",
    event("state: down", "link: 1.5"): f"{AT}.link: 1.5 is not a link",
    event("state: down", "link: true"): f"{AT}.link: True is not a link",
    event("state: down", "link: spine-0"): f"{AT}.link: 'spine-0' is not a link",
    event("state: down", "link: a -- b -- c"): f"{AT}.link: 'a -- b -- c' is not a link",
    event("state: down", "link: node-0/0 -- leaf-0-9"): f"{AT}.link: there is no vertex 'leaf-0-9' | Did you mean",
    event("state: down", "link: node-0 -> node-1"): f"{AT}.link: no link leads from 'node-0' to 'node-1' | "
    "node-0 has links to: node-0/0, node-0/1",
    event("state: down", "vertex: spine-99"): f"{AT}.vertex: there is no vertex 'spine-99' | Did you mean 'spine-",
    event("state: down", "vertex: spine-0, link: 1"): f"{AT}: an event says where it happens with one of link, vertex; "
    "this one has both 'link' and 'vertex'",
    event("state: down, scale: 50 %"): f"{AT}: an event says what with one of state, capacity, scale, flap; this one "
    "has both 'state' and 'scale'",
    "{events: [{time: 1 s, link: 3}]}": "this one has none of them",
    "{events: [{time: -1 s, link: 3, state: down}]}": f"{AT}.time: '-1 s' is negative",
    "{events: [{time: 1e20 s, link: 3, state: down}]}": f"{AT}.time: '1e20 s' is too long",
    "{events: [{link: 3, state: down}]}": f"{AT}.time: 'time' is missing",
    "{events: {time: 1 s, link: 3, state: down}}": "network.events: a mapping is not a list",
    event("capacity: -5 Gb/s"): f"{AT}.capacity: '-5 Gb/s' is negative",
    event("capacity: 1e308 GB/s"): f"{AT}.capacity: '1e308 GB/s' is too large for a bandwidth",
    event("capacity: 5"): f"{AT}.capacity: 5 has no unit for a bandwidth",
    event("scale: -0.5"): f"{AT}.scale: -0.5 is negative",
    event("scale: 1e300"): f"{AT}.scale: '1e300' is not allowed: it must be at most 1000",
    event("flap: {period: 1 s, down: 1 s}"): f"{AT}.flap.down: down for 1 s of a period of 1 s, the link would never "
    "be up | make down shorter than period",
    event("flap: {period: 1 s, down: 0 s}"): f"{AT}.flap.down: '0 s' is not allowed",
    event("flap: {period: 1 s, down: 0.5 s, times: 1000000000}"): f"{AT}.flap.times: 1000000000 is not allowed: it "
    "must be at most 10000",
    event("flap: {period: 1 s, down: 0.5 s, times: 0}"): f"{AT}.flap.times: 0 is not allowed",
    "{capacity_events: [{time: 1 s, link: 999, capacity: 0}]}": "network.capacity_events.0.link: there is no link 999",
}  # fmt: skip


@pytest.mark.parametrize("network", [*NAMES, *EVENTS])
def test_mistakes_are_told_with_place_and_way_out(network: str) -> None:
    assert {**NAMES, **EVENTS}[network] in wrong(network)


def test_all_events_that_are_wrong_are_told() -> None:
    said = wrong("{events: [{time: 1 s, link: 999, state: down}, {time: 1 s, vertex: nobody, scale: 0}]}")
    assert said.count("network.events.0.link: there is no link 999") == 1
    assert said.count("network.events.1.vertex: there is no vertex 'nobody'") == 1


def test_a_topology_without_links_has_none_to_break() -> None:
    for network in (
        "{events: [{time: 1 s, link: 0, state: down}]}",
        "{capacity_events: [{time: 1 s, link: 0, capacity: 0}]}",
    ):
        assert "there is no link 0 | the topology has no links" in wrong(
            network, HEAD.replace("rail-optimised", "servers")
        )


def test_links_of_events() -> None:
    topology = plan(load("{}")).topology
    (out,) = find_links(topology, "node-0/3 -> leaf-0-3")
    assert topology.ends[out] == ("node-0/3", "leaf-0-3")
    both = find_links(topology, "leaf-0-3 -- node-0/3")
    assert len(both) == 2
    assert out in both
    assert find_links(topology, 5) == [5]


def test_a_server_that_goes_down_takes_the_cards_of_its_accelerators_along() -> None:
    scenario = load(event("state: down", "vertex: node-1"))
    topology = plan(scenario).topology
    down = [topology.ends[link] for _, link, up in link_events(scenario, topology) if not up]
    assert {pair for pair in down if "node-1/6" in pair} >= {("node-1/6", "leaf-0-6"), ("leaf-0-6", "node-1/6")}
    assert all(any(end.startswith("node-1") for end in pair) for pair in down)
    (switch,) = load(event("scale: 50 %", "vertex: spine-0")).network.events
    assert switch.scale == 0.5
    cut = capacity_events(load(event("scale: 50 %", "vertex: spine-0")), topology)
    assert {topology.tiers[link] for _, link, _ in cut} == {"leaf-spine"}
    assert all(left == topology.capacity[link] / 2 for _, link, left in cut)


def test_flaps_are_written_out_up_to_a_limit() -> None:
    scenario = load(event("flap: {period: 10 s, down: 2 s, times: 3}"))
    changes = link_events(scenario, plan(scenario).topology)
    assert changes == [
        (1.0, 3, False),
        (3.0, 3, True),
        (11.0, 3, False),
        (13.0, 3, True),
        (21.0, 3, False),
        (23.0, 3, True),
    ]
    flapping = "{time: 1 s, vertex: node-0, flap: {period: 1 s, down: 0.5 s, times: 10000}}"
    said = wrong(f"{{events: [{flapping}, {flapping}]}}")
    assert "network.events: links go down and come up more than 1,000,000 times in all | let fewer links flap" in said


@pytest.mark.parametrize("fidelity", ["fluid", "flow", "steady"])
def test_events_slow_down_the_jobs_that_they_meet(fidelity: str) -> None:
    """A card at a tenth holds its channel, and with it the job, for as long as it is so."""
    events = (
        "[{time: 0, link: node-0/0 -- leaf-0-0, scale: 10 %}, {time: 100 s, link: node-0/0 -- leaf-0-0, scale: 100 %}]"
    )
    whole = sim.run(load(f"{{fidelity: {fidelity}}}")).jobs["jct"].item()
    slow = sim.run(load(f"{{fidelity: {fidelity}, events: {events}}}")).jobs["jct"].item()
    assert slow > 1.2 * whole
    late = (
        sim.run(load(f"{{fidelity: {fidelity}, events: {events.replace('time: 0', 'time: 99 s')}}}")).jobs["jct"].item()
    )
    assert late == pytest.approx(whole, rel=1e-9)


_ON_LINKS = ("fidelity", "routing", "flows", "reroute")
NO_EFFECT: dict[str, tuple[str, str, list[str]]] = {
    "one server": (
        "{routing: adaptive, flows: 4, fidelity: flow, reroute: 1 s}",
        HEAD.replace("nodes: 2", "nodes: 1").replace("accelerators: 16", "accelerators: 8"),
        [f"network.{key} has no effect: the topology has one server." for key in _ON_LINKS],
    ),
    "no links": (
        "{routing: spray}",
        HEAD.replace("rail-optimised", "servers"),
        [
            "network.routing has no effect: no link joins the servers.",
            "The topology has no network: what training jobs send between its servers takes no time.",
        ],
    ),
    "sprayed": (
        "{routing: spray, flows: 4}",
        HEAD,
        ["network.flows has no effect: sprayed packets take all paths anyway."],
    ),
    "alone": (
        "{contention: none, fidelity: flow}",
        HEAD,
        ["network.fidelity has no effect: without contention jobs share nothing."],
    ),
    "nothing fails": ("{reroute: 1 s}", HEAD, ["network.reroute has no effect: no link goes down or comes up."]),
    "all of use": ("{routing: ecmp, flows: 4, fidelity: flow}", HEAD, []),
    "failing": ("{reroute: 1 s, events: [{time: 1 s, link: 3, state: down}]}", HEAD, []),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_EFFECT)
def test_keys_without_effect_are_said(name: str) -> None:
    network, head, expected = NO_EFFECT[name]
    assert list(plan(load(network, head)).notes) == expected


def test_an_algorithm_that_cannot_run_names_the_job_and_those_that_can() -> None:
    for algorithm, why in (("torus", "NVLink is no torus here"), ("direct", "it runs all-to-all, send-recv only")):
        with pytest.raises(InputError) as caught:
            sim.run(load(f"{{collectives: {algorithm}}}"))
        assert str(caught.value).startswith(
            f"job 'a': algorithm '{algorithm}' cannot run all-reduce on 16 ranks (2 x 8): {why}"
        )
        assert "These can: collnet, double-tree" in str(caught.value)


def test_more_iterations_than_can_be_stepped_through() -> None:
    many = HEAD.replace("iterations: 20", "iterations: 100000000")
    with pytest.raises(InputError) as caught:
        sim.run(load("{fidelity: flow}", many))
    assert "job 'a': 100,000,000 iterations are too many to put each on the clock" in str(caught.value)
    assert "at most 10,000,000; fidelity: fluid takes any number" in str(caught.value)
    assert sim.run(load("{}", many)).jobs["state"].item() == "COMPLETED"


def test_the_command_line_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for network in ("{routing: ecpm}", event("state: down", "link: 999"), "{collectives: torus}"):
        Path("s.yaml").write_text(f"{HEAD}network: {network}\n")
        result = CliRunner().invoke(main, ["run", "s.yaml", "--out", "o"])
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        assert not Path("o").exists()
    Path("s.yaml").write_text(f"{HEAD}network: {{routing: spray, flows: 2}}\n")
    result = CliRunner().invoke(main, ["check", "s.yaml"])
    assert result.exit_code == 0
    assert "note: network.flows has no effect" in result.output


GRAPHS = {
    '{"capacity": NaN}': "link 0 (a -> b) has capacity nan",
    '{"capacity": 1e400}': "link 0 (a -> b) has capacity inf",
    '{"capacity": -5}': "link 0 (a -> b) has capacity -5.0",
    '{"capacity": 0}': "link 0 (a -> b) has capacity 0",
    '{"capacity": "fast"}': "link a - b capacity: 'fast' is not a bandwidth",
    "{}": "capacity",
}


def graph(edge: str) -> str:
    nodes = [{"id": name, "kind": "server", "accelerators": 8} for name in "ab"]
    edges = [{"source": "a", "target": "b", **json.loads(edge)}]
    return json.dumps({"directed": False, "multigraph": False, "graph": {}, "nodes": nodes, "edges": edges})


@pytest.mark.parametrize("edge", GRAPHS)
@pytest.mark.parametrize("topology", ["g.json", "{build: graph, file: g.json}", "{file: g.json}"])
def test_graphs_named_by_a_scenario(tmp_path: Path, edge: str, topology: str) -> None:
    (tmp_path / "g.json").write_text(graph(edge))
    (tmp_path / "s.yaml").write_text(HEAD.replace("{build: rail-optimised, nodes: 2, node: dgx-h100}", topology))
    with pytest.raises(InputError) as caught:
        plan(sim.Scenario.load(tmp_path / "s.yaml"))
    assert "g.json" in str(caught.value)
    assert GRAPHS[edge] in str(caught.value)
    (tmp_path / "g.json").write_text(graph('{"capacity": "400 Gb/s"}'))
    assert plan(sim.Scenario.load(tmp_path / "s.yaml")).topology.accelerators == 16


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><graphml><graph><node id="&b;"/></graph></graphml>'


@pytest.mark.parametrize(
    "command", [["show"], ["collective", "all-reduce", "--topology"], ["train-step", "llama-3-8b", "--topology"]]
)
def test_graphs_that_would_do_harm(tmp_path: Path, command: list[str]) -> None:
    bomb, huge = tmp_path / "bomb.graphml", tmp_path / "huge.json"
    bomb.write_text(BOMB)
    with huge.open("wb") as file:
        file.truncate(100 * 2**20)
    for path, expected in ((bomb, "a document type (DOCTYPE) is refused"), (huge, "it is larger than 32 MiB")):
        result = CliRunner().invoke(main, [*command, str(path)])
        assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
        assert expected in result.output


MODELS = HEAD.replace(
    "compute: 100 ms, gradient: 1 GB",
    "model: llama-3-8b, framework: pytorch-fsdp, layout: {tp: 8, pp: 2, global_batch: 64}",
)


def test_the_schema_knows_the_keys() -> None:
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(json_schema())
    flap = "{time: 1 s, link: leaf-0-0 -- spine-1, flap: {period: 2 s, down: 1 s, times: 3}}"
    events = f"[{flap}, {{time: 1 min, vertex: spine-0, scale: 50 %}}]"
    network = f"{{routing: spray, fidelity: flow, collectives: ring, reroute: 1 s, events: {events}}}"
    for head in (HEAD, MODELS):
        assert list(schema.iter_errors(load(network, head).data)) == []
    for broken in (
        {"network": {"fidelity": 3}},
        {"network": {"events": [{"state": "odd"}]}},
        {"network": {"rout": "ecmp"}},
    ):
        assert not schema.is_valid({**load(network).data, **broken})
    degrees = load("{}", MODELS).data
    degrees["workload"]["w"]["jobs"][0]["layout"]["tp"] = "eight"
    assert not schema.is_valid(degrees)


def test_lists_of_what_a_file_may_name() -> None:
    for kind, expected in (
        ("routing", ("adaptive", "ecmp", "spray")),
        ("models", ("meta/llama-3-70b", "openai/gpt-3-175b")),
        ("frameworks", ("megatron-core", "pytorch-fsdp", "tensorflow-ps")),
        ("protocols", ("infiniband-verbs", "nvlink", "tcp")),
        ("algorithms", ("double-tree", "ring")),
    ):
        lines = CliRunner().invoke(main, ["list", kind]).output.splitlines()
        names = [line.split()[0] for line in lines[1:]]
        assert set(expected) <= set(names)
        assert names == sorted(names)
        assert len(json.loads(CliRunner().invoke(main, ["list", kind, "--json"]).output)) == len(names)
    assert "explicit" not in CliRunner().invoke(main, ["list", "routing"]).output
    assert "e+0" not in CliRunner().invoke(main, ["list", "models"]).output
