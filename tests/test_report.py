from __future__ import annotations

import html.parser
import io
import math
import re

import pytest

from simulator.experiment.results import Results
from simulator.metrics.invariants import check
from simulator.metrics.recorder import Record
from simulator.report import page, text, verdict
from tests.synthetic import manifest, record, results

EVIL = "<script>alert('x')</script><img src=http://example.org/x onerror=alert(1)>"
SURE = {"fifo": {"order": "fifo"}, "sjf": {"order": "sjf"}, "ten": {"accelerators": 10}}


@pytest.fixture(scope="module")
def three() -> Results:
    made = results(8, SURE, jobs=300, versions={"python": "3.11.7"}, expect=["sjf.jct.p50 <= fifo.jct.p50"])
    for run in made.records.values():
        run.facts["invariants"] = check(run)
    return made


@pytest.fixture(scope="module")
def evil() -> Results:
    runs = {
        (f"{EVIL}{i}", 0): record(60, order=o, notes=[EVIL], set_aside={EVIL: 3}) for i, o in enumerate(("fifo", "sjf"))
    }
    for run in runs.values():
        run.facts |= {"topology": EVIL, "scheduler": EVIL}
        run.tables["jobs"]["id"][:] = EVIL
    about = manifest(name=EVIL, scenario=EVIL, description=EVIL, versions={EVIL: EVIL}, overrides=[EVIL], hash=EVIL)
    return Results(runs, about)


class Parser(html.parser.HTMLParser):
    """Collects tags and attributes, and checks that tags are closed in order."""

    VOID = ("meta", "br", "hr", "img", "input", "link", "path", "rect", "use")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.stack.pop() == tag


# -- page -----------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_outside(three, evil):
    for shown in (three, evil):
        parser = Parser(shown.to_html())
        assert not parser.stack
        for tag, attributes in parser.tags:
            assert tag not in ("script", "link", "img", "iframe", "object", "embed", "base", "form"), tag
            assert not [name for name in attributes if name.startswith("on")]
            for name in ("href", "src", "xlink:href", "srcset", "action", "data"):
                assert (attributes.get(name) or "#").startswith("#"), (tag, name)
            assert "url(http" not in (attributes.get("style") or "")
    source = three.to_html()
    assert not re.search(r"https?:|@import|@font-face|//[a-z]", source)
    assert "default-src 'none'" in source


def test_what_strangers_write_is_text_and_nothing_else(evil):
    for source in (evil.to_html(), evil._repr_html_()):
        assert "<script" not in source
        assert "<img" not in source
        assert "&lt;script&gt;alert(" in source


def test_the_page_tells_all_that_a_reader_needs(three):
    source = three.to_html()
    headings = re.findall(r"<h2>(.*?)</h2>", source)
    assert headings == [
        "Verdict", "What limits it", "Expectations", "Summary", "Differences from fifo", "Figures", "What was run",
    ]  # fmt: skip
    for part in (
        *verdict.sentences(three), *verdict.limits(three), "8 replications each", "seed 7", "python 3.11.7", "0" * 64,
        "build: pool",
        "wait + compute + network + overhead + rework + checkpointing + hung = jct",
        "mean time in the queue, over all stays",
        "holds", "± 95 % half width: 8 paired replications", "★", "cost.per_accelerator_hour",
    ):  # fmt: skip
        assert part in source.replace("&lt;=", "<=").replace("&#39;", "'"), part
    assert source.count("<svg") == 7


def test_the_page_is_the_same_every_time_and_can_be_written(three, tmp_path):
    source = three.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == source == page.render(Results(three.records, three.manifest))


def test_the_page_of_next_to_nothing_is_a_page():
    for bare in (Results({("run", 0): Record()}), Results({("a", 0): Record(), ("b", 0): Record({}, {"end": 0.0})})):
        source = bare.to_html()
        assert not Parser(source).stack
        assert "Nothing to judge" in source
        assert "<svg" not in source
        assert Parser(bare._repr_html_()).tags


def test_with_many_alternatives_they_become_the_rows():
    few, many = (
        results(1, {f"a{i}": {} for i in range(2)}, jobs=10),
        results(1, {f"a{i}": {} for i in range(7)}, jobs=10),
    )
    assert page.summary_table(few).heads == ("measure", "a0", "a1")
    assert page.summary_table(many).heads[:2] == ("alternative", "jct.mean")


@pytest.mark.parametrize(
    ("columns", "parts"), [(0, [0]), (1, [1]), (6, [6]), (7, [3, 4]), (9, [4, 5]), (13, [4, 4, 5])]
)
def test_a_table_with_many_measures_is_cut_into_parts_that_fit(columns, parts):
    heads = ("alternative", *(f"m{i}" for i in range(columns)))
    rows = tuple(tuple(text.Cell(f"{row}{head}") for head in heads) for row in "ab")
    grid = text.Grid(heads, rows, ("foot",))
    cut = page.in_parts(grid)
    assert [len(part.heads) - 1 for part in cut] == parts
    assert all(part.heads[0] == "alternative" and part.foot == ("foot",) for part in cut)
    for index in range(2):
        assert [cell for part in cut for cell in part.rows[index][1:]] == list(grid.rows[index][1:])
        assert all(part.rows[index][0] == grid.rows[index][0] for part in cut)


def test_every_measure_of_many_alternatives_is_on_the_page():
    names = ["jct.mean", "jct.p50", "jct.p95", "wait.mean", "wait.p50", "utilization", "preemptions"]
    many = results(1, {f"a{i}": {} for i in range(7)}, jobs=10, measures=names)
    summary = many.to_html().partition("<h2>Summary</h2>")[2].partition("</section>")[0]
    assert summary.count("<table>") == 2
    assert [summary.count(f"<code>{name}</code>") for name in names[:4]] == [1] * 4


def test_a_notebook_gets_a_table(three):
    source = three._repr_html_()
    assert not Parser(source).stack
    for part in ("a synthetic comparison", "mean JCT", "<code>jct.mean</code>", "★", "±", "8 replications"):
        assert part in source


# -- text -----------------------------------------------------------------------------------------------------------


def test_plain_tables_read_well():
    made = Results({("fifo", 0): _tiny(100.0), ("las", 0): _tiny(50.0)}, manifest(measures=["jct.mean", "cost.total"]))
    assert repr(made) == (
        "alternative     jct.mean  cost.total\n"
        "fifo          1.67 min        $36.00\n"
        "las          0.833 min *      $36.00\n"
        "no half width: one run of 1 job, too few for batches (200 needed) (jct.mean).\n"
        "no half width: one run (cost.total).\n"
        "* the best, and whatever the runs do not tell apart from it."
    )


def _tiny(jct: float) -> Record:
    run = record(jobs=1, cost={"cloud": 36.0})
    run.tables["jobs"]["jct"][0] = jct
    return run


def test_columns_line_up(three):
    for block in text.differences(three, width=80).split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("±")]
        assert all(len(line) <= 80 for line in lines)
        starts = [
            line.index(word) for line, word in zip(lines, ["alternative", *["sjf"] * 8, *["ten"] * 8], strict=False)
        ]
        assert set(starts) == {0}


def test_wide_tables_are_continued_below_under_the_names(three):
    narrow = text.summary(three, "all", width=60)
    blocks = narrow.split("\n\n")
    assert len(blocks) > 5
    assert all(block.startswith("alternative") for block in blocks)
    assert all(
        len(line) <= 60 for block in blocks for line in block.splitlines() if line[:3] in ("alt", "fif", "sjf", "ten")
    )
    names = " ".join(block.splitlines()[0] for block in blocks)
    assert all(measure in names for measure in three.chosen("all"))


def test_show_prints_all_of_it_without_escapes_where_there_is_no_terminal(three):
    out = io.StringIO()
    text.show(three, out)
    shown = out.getvalue()
    for part in (three.name, *verdict.sentences(three), "alternative", "fifo (baseline)", "expect sjf.jct.p50"):
        assert part in shown
    assert "\x1b" not in shown
    assert shown.isprintable() or {c for c in shown if not c.isprintable()} == {"\n"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_show_colours_a_terminal_and_says_the_same(three, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    text.show(three, out, width=140)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert out.getvalue() != shown
    plain = io.StringIO()
    text.show(three, plain, width=140)
    for word in re.findall(r"\S+", plain.getvalue()):
        assert word in shown


def test_a_name_cannot_steer_the_terminal_or_use_its_markup():
    name = "\x1b[2J[bold red]x[/]\r"
    made = results(1, {name: {}, "other": {"order": "sjf"}}, jobs=20, name=name)
    for out in (io.StringIO(), Terminal()):
        text.show(made, out)
        shown = out.getvalue()
        assert "\x1b[2J" not in shown
        assert "\r" not in shown
        assert "[bold red]x[/]" in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_shares_carry_their_sign():
    assert [text.share(value) for value in (-0.4153, 0.0, 0.0041, 12.5, math.nan)] == [
        "-42 %", "0 %", "+0.41 %", "+1,250 %", "–",
    ]  # fmt: skip


# -- verdict --------------------------------------------------------------------------------------------------------


def test_a_clear_winner_is_named_with_gain_and_interval(three):
    first, second, *rest = verdict.sentences(three)
    assert re.fullmatch(
        r"ten wins on mean JCT: [\d.]+ min, \d+ % lower than sjf, the next best "
        r"\(95 % interval -\d+ % to -[\d.]+ %; 8 paired replications\)\.",
        first,
    )
    assert re.fullmatch(
        r"Against the baseline fifo it is \d+ % lower \(95 % interval -.* to -.*; 8 paired .*\)\.", second
    )
    assert re.search(r"Beyond that, ten against fifo: better on .*mean wait.*; worse on total cost", rest[0])


def test_no_difference_is_not_called_a_win():
    first = verdict.sentences(results(2, jobs=60))[0]
    assert "wins" not in first
    assert "no difference is shown beyond these runs (95 % interval" in first


def test_one_short_run_says_that_it_cannot_say():
    first = verdict.sentences(results(jobs=60))[0]
    assert "How sure that is cannot be said from one run of 60 jobs, too few for batches (200 needed)" in first


def test_practically_equal_runs_are_called_so():
    same = results(1, {"a": {}, "b": {}}, jobs=60)
    same.records["b", 0].tables["jobs"]["jct"] += 1e-6
    first = verdict.sentences(same)[0]
    assert re.fullmatch(r"a and b are practically equal on mean JCT: .* min\.", first)


def test_one_alternative_is_described():
    only = results(8, jobs=100)["sjf"]
    assert re.fullmatch(r"sjf: mean JCT .* ± .* min \(8 replications\)\.", verdict.sentences(only)[0])
    assert only._repr_html_()


def test_a_higher_measure_wins_when_higher_is_better():
    used = results(8, {"four": {"accelerators": 4}, "twelve": {"accelerators": 12}}, jobs=300, measures=["throughput"])
    assert verdict.sentences(used)[0].startswith("twelve wins on throughput: ")


def test_a_missing_value_never_wins():
    made = results(1, {"cut": {"until": 3000.0}, "whole": {}}, jobs=60, measures=["makespan"])
    assert verdict.sentences(made)[0].startswith("whole has the lowest makespan, ")
    assert "cut has no value to compare" in verdict.sentences(made)[0]
    assert verdict.best(made, "makespan") == ()


def test_the_best_are_those_that_the_runs_do_not_tell_apart(three):
    assert verdict.best(three, "jct.mean") == ("ten",)
    assert set(verdict.best(three, "cost.total")) == {"fifo", "sjf"}
    assert verdict.best(three, "allocated.mean") == ()
    grid = text.summary_grid(three, ["jct.mean", "cost.total", "flows.mean"])
    moods = {row[0].text: [cell.mood for cell in row[1:]] for row in grid.rows}
    assert moods == {"fifo": ["", "best", ""], "sjf": ["", "best", ""], "ten": ["best", "", ""]}


def test_limits_tell_where_the_time_went():
    busy = results(1, {"run": {"accelerators": 4, "largest": 1, "network": 0.3}}, jobs=1500)
    first, *rest = verdict.limits(busy)
    shares = verdict.breakdown(list(busy.windows("run").values()))
    assert math.fsum(shares.values()) == pytest.approx(1.0)
    assert f"{verdict.percent(shares['wait'])} waiting in the queue" in first
    assert rest[0].startswith("Accelerators are the limit: while any job waits, 100 % of those that are up")
    assert any("network is a limit" in line for line in rest) == (shares["network"] >= 0.1)
    idle = results(1, {"run": {"accelerators": 200, "network": 0.0}}, jobs=200)
    assert verdict.limits(idle)[1:] == ["Nothing is scarce: jobs spend nearly all of their time computing."]
    gangs = results(1, {"run": {"accelerators": 8, "largest": 8}}, jobs=400)
    assert "Jobs wait although accelerators are free" in verdict.limits(gangs)[1]


def test_a_winner_that_leaves_jobs_behind_is_told_apart():
    cut = results(1, {"all": {"accelerators": 5}, "some": {"accelerators": 5, "until": 20_000.0}}, jobs=400)
    counts = verdict.completions(cut)
    assert counts["all"] == (400, 400)
    done, among = counts["some"]
    assert done < 0.9 * among < 400
    told = verdict.sentences(cut)
    assert told[0].startswith("some has the lowest mean JCT")
    assert told[1].startswith(f"But some completed only {done} of its {among} jobs, all 400 of 400: what never")
    foot = f"completed jobs: all 400 of 400, some {done} of {among}. What did not complete counts in no jct"
    assert any(line.startswith(foot) for line in text.summary_grid(cut).foot)
    assert foot in cut._repr_html_()


def test_where_the_same_jobs_completed_nothing_is_said_of_it(three):
    assert verdict.completions(three) == {}
    assert not any("completed" in line for line in [*verdict.sentences(three), *text.summary_grid(three).foot])


def test_limits_tell_what_jobs_waited_for():
    made = results(1, {"run": {"accelerators": 8, "largest": 8}}, jobs=400)
    jobs = made.records["run", 0].tables["jobs"]
    jobs["wait_capacity"] = 0.0 * jobs["wait"]
    jobs["wait_policy"], jobs["wait_held"] = 0.75 * jobs["wait"], 0.25 * jobs["wait"]
    said = verdict.limits(made)
    assert said[1].endswith("of those that are up are allocated.")
    assert said[2] == (
        "Of the waiting, 75 % for a quota, or what else the policy gave as its reason; "
        "25 % for the job's begin, its dependencies, or a place in its array."
    )
