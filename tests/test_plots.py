from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from simulator.experiment.results import Results
from simulator.metrics.recorder import Record
from simulator.report import curves, elasticplots, loadplots, plots, serviceplots, style
from tests.synthetic import manifest, record, results

_OWN = {"link_heatmap": None, **serviceplots.FIGURES, **elasticplots.FIGURES, **loadplots.FIGURES}
NAMES = tuple(name for name in plots.FIGURES if name not in _OWN)
"""All but those that need tables of their own: see test_linkplots, test_serviceplots and test_elasticplots."""
ODD = {"$x$ & <script>alert(1)</script>": {}, "_hidden": {"order": "sjf"}, "a name " * 20: {"accelerators": 12}}


@pytest.fixture(scope="module")
def shown() -> Results:
    return results(2, ODD, jobs=200, warmup=2000.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_drawn_and_leaves_matplotlib_alone(shown, name):
    before = dict(matplotlib.rcParams)
    figure = plots.FIGURES[name].draw(shown)
    text = style.svg(figure)
    assert isinstance(figure, Figure)
    assert text.count("<svg") == 1
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", NAMES)
def test_two_drawings_have_equal_bytes_whatever_style_the_user_likes(shown, name):
    first = style.svg(plots.FIGURES[name].draw(shown))
    with matplotlib.rc_context({"font.size": 20, "axes.grid": False, "lines.linewidth": 5, "svg.hashsalt": None}):
        figure = plots.FIGURES[name].draw(shown)
        figure.canvas.draw()
        assert style.svg(figure) == first
    assert "<dc:date>" not in first


def test_results_offer_their_figures(shown):
    for name in ("jct_cdf", "wait_cdf", "utilization", "queue", "cost", "breakdown"):
        assert isinstance(getattr(shown.plot, name)(), Figure)
    assert shown.plot.queue()._repr_svg_().startswith("<?xml")


def test_pyplot_is_never_imported():
    code = (
        "import sys; sys.path.insert(0, '.'); from tests.synthetic import results; results(jobs=30).plot.jct_cdf();"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_names_are_shown_as_they_are(shown):
    text = style.svg(plots.jct_cdf(shown))
    assert "$x$ &amp; &lt;script&gt;alert(1)&lt;/script" in text
    assert "<script" not in text
    assert "_hidden" in text
    assert "a name a name a name a name a name …" in text


def test_axes_carry_units_and_legends_the_alternatives(shown):
    axes = plots.utilization(shown).axes[0]
    assert axes.get_xlabel() == "Time (h)"
    assert axes.get_ylabel() == "Allocated accelerators"
    assert len(axes.get_legend().get_texts()) == 3
    assert "mean of 2 replications" in axes.get_title(loc="left")
    assert any("warm-up" in text.get_text() for text in axes.texts)
    assert plots.cost(shown).axes[0].get_xlabel() == "Cost of the run ($)"
    assert plots.jct_cdf(results(jobs=20)["fifo"]).axes[0].get_legend() is None


def _one(jct: np.ndarray, wait: np.ndarray) -> Results:
    run = record(jobs=len(jct), largest=1, accelerators=len(jct))
    run.tables["jobs"] |= {"jct": jct, "wait": wait}
    return Results({("run", 0): run}, manifest())


def test_heavy_tails_get_a_logarithmic_axis_and_zeros_stand_at_its_left_edge():
    wide = _one(np.geomspace(1.0, 1e5, 50), np.concatenate([np.zeros(25), np.geomspace(1.0, 1e4, 25)]))
    for figure in (plots.jct_cdf(wide), plots.wait_cdf(wide)):
        assert figure.axes[0].get_xscale() == "log"
        assert "1 h" in style.svg(figure)
    x, y = plots.wait_cdf(wide).axes[0].lines[0].get_data()
    assert (x[0], y[0], x[1]) == (1.0, 0.0, 1.0)
    assert max(y[x == 1.0]) == pytest.approx(26 / 50)
    narrow = _one(np.linspace(3600.0, 7200.0, 50), np.zeros(50))
    assert plots.jct_cdf(narrow).axes[0].get_xscale() == "linear"
    assert plots.jct_cdf(narrow).axes[0].get_xlabel() == "Job completion time (h)"
    assert plots.wait_cdf(narrow).axes[0].lines[0].get_ydata()[-1] == 1.0


def test_curves_stay_light_and_true_with_many_jobs():
    values = np.sort(np.random.default_rng(0).lognormal(5.0, 2.0, 200_000))
    many = results(jobs=10)["fifo"]
    run = many.records["fifo", 0]
    run.tables["jobs"] = {name: np.resize(column, values.size) for name, column in run.tables["jobs"].items()}
    run.tables["jobs"] |= {"jct": values, "state": np.full(values.size, "COMPLETED", dtype=object)}
    figure = plots.jct_cdf(many)
    x, y = figure.axes[0].lines[0].get_data()
    assert 2 * len(x) <= 2000
    assert len(style.svg(figure)) < 100_000
    shown = x > values[-1] / 1e6
    assert np.allclose(np.searchsorted(values, x[shown], side="right") / values.size, y[shown])
    assert (y[0], x[-1], y[-1]) == (0.0, values[-1], 1.0)


def test_a_long_series_is_averaged_over_equal_spans():
    long = results(jobs=3000)["fifo"]
    axes = plots.queue(long).axes[0]
    window = long.windows("fifo")[0]
    x, y = axes.lines[0].get_data()
    assert len(x) == curves.BINS + 1
    assert float((y[:-1] * np.diff(x)).sum()) * 3600.0 == pytest.approx(window.integral("queued"), rel=1e-9)
    short = results(jobs=50)["fifo"]
    assert len(plots.queue(short).axes[0].lines[0].get_xdata()) == len(short.series) + 1


def test_bars_add_up_to_the_mean_jct():
    shown = results(2, jobs=200)
    axes = plots.breakdown(shown).axes[0]
    totals = [sum(bar.get_width() for bar in axes.patches if abs(bar.get_y() + 0.31 - row) < 1e-9) for row in (0, 1)]
    runs = [[shown.records[name, r].tables["jobs"]["jct"] for r in (0, 1)] for name in ("fifo", "sjf")]
    assert [60.0 * total for total in totals] == pytest.approx([np.concatenate(run).mean() for run in runs])


def test_what_has_no_data_says_so_and_is_left_out_of_the_page():
    bare = Results({("run", 0): Record({}, {"end": 1.0})})
    assert plots.draw_all(bare) == {}
    assert "There are no completed jobs." in style.svg(plots.jct_cdf(bare))
    assert "No cost was asked for." in style.svg(plots.cost(bare))
    assert "No job completed." in style.svg(plots.breakdown(bare))
    for draw in (plots.utilization, plots.queue):
        assert isinstance(draw(bare), Figure)
    assert "cost" not in plots.draw_all(results(jobs=20, cost=None))


def test_more_alternatives_than_fit_are_cut_and_said():
    many = results(1, {f"design {i}": {} for i in range(style.SHOWN + 3)}, jobs=10)
    for name in NAMES:
        assert f"first {style.SHOWN} of {style.SHOWN + 3} alternatives" in style.svg(plots.FIGURES[name].draw(many)), (
            name
        )


def test_an_inline_figure_needs_nothing_and_clashes_with_nothing(shown):
    one, other = (style.inline_svg(plots.FIGURES[name].draw(shown), name, name) for name in ("jct_cdf", "wait_cdf"))
    assert one.startswith('<svg role="img" aria-label="jct_cdf"')
    for text in (one, other):
        assert "http" not in text
        assert "<?xml" not in text
    ids = [set(_ids(text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, known in zip((one, other), ids, strict=True):
        assert set(_references(text)) <= known


def _ids(text: str) -> list[str]:
    return [part.partition('"')[0] for part in text.split(' id="')[1:]]


def _references(text: str) -> list[str]:
    urls = [part.partition(")")[0] for part in text.split("url(#")[1:]]
    return urls + [part.partition('"')[0] for part in text.split('href="#')[1:]]
