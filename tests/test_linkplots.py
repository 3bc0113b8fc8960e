"""Figures of links: what is in them, what they leave out and say so, and that they are the same every time."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from simulator.experiment.results import Results
from simulator.metrics.recorder import Record
from simulator.report import linkmap, linkplots, loadscale, style
from tests.synthetic import table
from tests.test_linkuse import ROWS, watched


def large(links: int = 400, busy: int = 300) -> Record:
    rows = [
        (0.0, n, f"node-{n}", f"leaf-{n // 8}", "host" if n < 20 else "leaf-spine", float(n % 97) * (n < busy), 100.0)
        for n in range(links)
    ]
    return Record({"links": table("links", rows)}, {"end": 10.0, "warmup": 0.0})


def texts(figure) -> list[str]:
    return [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]


@pytest.fixture(scope="module")
def shown() -> Results:
    return Results({("a $x$ <b>", 0): watched(), ("_b", 0): watched(ROWS[:4])})


def test_a_heat_map_has_a_panel_for_each_alternative_and_links_by_tier_and_name(shown):
    figure = shown.plot.link_heatmap()
    *panels, bar = figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["a $x$ <b>", "\N{ZERO WIDTH SPACE}_b"]
    assert texts(figure)[:3] == ["node-0 → leaf-0", "leaf-0 → spine-0", "leaf-0 → spine-1"]
    assert [text.get_text() for text in panels[0].texts] == ["host", "leaf-spine"]
    assert panels[0].get_xlim() == panels[1].get_xlim() == (0.0, 10.0)
    assert "grey: down" in bar.get_xlabel()


def test_colours_say_idle_busy_full_and_down(shown):
    patches = shown.plot.link_heatmap().axes[0].patches
    boxes = {patch.get_facecolor()[:3]: patch.get_path().get_extents() for patch in patches}
    idle, full, down = (to_rgb(colour) for colour in (loadscale.IDLE, loadscale.BUSIEST, loadscale.DOWN))
    assert (boxes[idle].x0, boxes[idle].x1) == (0.0, 2.0)
    assert (boxes[full].x0, boxes[full].x1) == (2.0, 6.0)
    assert (boxes[down].x0, boxes[down].x1) == (4.0, 10.0)
    assert boxes[down].y0 > boxes[full].y0


def test_colours_go_evenly_from_pale_to_dark():
    lightness = np.array([to_rgb(colour) for colour in loadscale.colours()]) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) < 0).all()
    assert lightness[0] - lightness[-1] > 0.6


def test_two_drawings_have_equal_bytes_whatever_style_the_user_likes(shown):
    before = dict(matplotlib.rcParams)
    for draw in (linkplots.link_heatmap, linkmap.link_map):
        first = style.svg(draw(shown))
        with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "svg.hashsalt": None, "image.cmap": "jet"}):
            assert style.svg(draw(shown)) == first
        assert "<image" not in first  # a page may not show one
    assert dict(matplotlib.rcParams) == before


def test_the_busiest_of_each_tier_are_shown_and_the_rest_is_counted():
    results = Results({("run", 0): large()})
    figure = results.plot.link_heatmap()
    names = texts(figure)
    assert len(names) == 60
    heads = [text.get_text() for text in figure.axes[0].texts]
    assert heads == ["host", "leaf-spine (41 busiest of 277)"]
    assert names[:3] == ["node-1 → leaf-0", "node-2 → leaf-0", "node-3 → leaf-0"]
    assert "node-96 → leaf-12" in names
    assert "node-97 → leaf-12" not in names
    assert "Not shown: 104 links that carried nothing." in figure.axes[-1].get_xlabel()
    assert len(texts(results.plot.link_heatmap(rows=10))) == 10


def test_many_changes_are_averaged_and_pages_stay_light():
    rng = np.random.default_rng(0)
    first = [(0.0, n, f"n{n}", "leaf", "host", 0.0, 1.0) for n in range(60)]
    links, loads = rng.integers(0, 60, 20_000).tolist(), rng.uniform(0, 1, 20_000).tolist()
    rows = [
        (t / 100, n, f"n{n}", "leaf", "host", load, 1.0)
        for t, (n, load) in enumerate(zip(links, loads, strict=True), 1)
    ]
    figure = Results({("run", 0): Record({"links": table("links", first + rows)}, {"end": 200.0})}).plot.link_heatmap()
    assert len(style.svg(figure)) < 1_000_000
    edges = {x for patch in figure.axes[0].patches for x in np.round(patch.get_path().vertices[:, 0], 9)}
    assert len(edges) <= linkplots.SPANS + 1


def test_an_alternative_that_ends_early_is_blank_from_there_on():
    early = Results({("long", 0): watched(), ("short", 0): watched(ROWS[:5], end=5.0)})
    patches = early.plot.link_heatmap().axes[1].patches
    assert max(patch.get_path().get_extents().x1 for patch in patches) == 5.0


def test_replications_and_alternatives_that_do_not_fit_are_said():
    many = Results({(f"design {i}", r): watched() for i in range(8) for r in range(2)})
    title = many.plot.link_heatmap().get_suptitle()
    assert title == "How full the links are (mean of 2 replications, first 6 of 8 alternatives)"


def test_a_map_has_servers_below_switches_and_the_busiest_links_on_top(shown):
    figure = shown.plot.link_map()
    axes = figure.axes[0]
    height = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert set(height) == {"node-0", "leaf-0", "spine-0", "spine-1"}
    _, lines = axes.collections
    shades = [tuple(colour[:3]) for colour in lines.get_colors()]
    ramp = [to_rgb(colour) for colour in loadscale.colours()]
    places = [ramp.index(shade) for shade in shades]
    assert places == sorted(places) == [2, 6, 10]  # 10, 34 and 50 % in twenty steps


def test_layers_go_by_hops_from_the_rim_and_a_ring_is_a_circle():
    pairs = [("h0", "leaf"), ("h1", "leaf"), ("leaf", "spine"), ("other", "spine"), ("h2", "other")]
    points = linkmap.positions(["h0", "h1", "h2", "leaf", "other", "spine"], pairs, 4.0, 2.0)
    assert points["h0"][1] == points["h2"][1] < points["leaf"][1] == points["other"][1] < points["spine"][1]
    ring = [str(n) for n in range(6)]
    circle = linkmap.positions(ring, [(ring[n], ring[n - 1]) for n in range(6)], 4.0, 2.0)
    assert len({(round(x, 6), round(y, 6)) for x, y in circle.values()}) == 6
    assert all(((x - 2) / 1.76) ** 2 + ((y - 1) / 0.84) ** 2 == pytest.approx(1) for x, y in circle.values())


def test_a_map_of_a_large_network_says_that_it_has_no_room():
    text = style.svg(Results({("run", 0): large()}).plot.link_map())
    assert "The network has 450 vertices, a map has room for 80: see link_heatmap." in text
    assert "No link loads were recorded" in style.svg(linkmap.link_map(Results({("run", 0): Record({}, {"end": 1.0})})))


def test_the_page_has_the_heat_map_only_when_there_is_something_to_show(shown):
    assert 'class="broad"' in shown.to_html()
    bare = Results({("run", 0): Record({}, {"end": 1.0})})
    assert 'class="broad"' not in bare.to_html()
    assert "No link loads were recorded" in style.svg(bare.plot.link_heatmap())
    idle = Results({("run", 0): watched([(*row[:5], 0.0, row[6]) for row in ROWS])})
    assert "No link carried anything." in style.svg(idle.plot.link_heatmap())
