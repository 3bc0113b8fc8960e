"""What every reader of traces must do."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulator.core.errors import InputError
from simulator.runtime.checks import fault
from simulator.testing.running import run_all
from simulator.workload.formats import formats
from simulator.workload.options import checked_options
from simulator.workload.trace import Trace


def check_format(format: Any, text: str, rows: int, file: str = "trace.csv", **options: Any) -> None:
    r"""Put a reader (a name or a function) through everything that ``FormatContract`` promises.

    ``text`` is a small file of the format with ``rows`` rows, ``file`` what it is called.

    >>> check_format("gaia", "arrival_time,length,cpus\n0,0.5,1\n0.25,2,16\n", rows=2)
    """

    class Given(FormatContract):
        def make(self) -> Any:
            return format

    given = Given()
    given.text, given.rows, given.file, given.options = text, rows, file, options
    run_all(given)


class FormatContract:
    """What every reader must do; subclass it, say in ``make`` which one, and give it a small file of its format."""

    text = ""
    """A small file of the format."""
    rows = 0
    """Rows in it, the header not counted."""
    file = "trace.csv"
    """What the file is called."""
    options: dict[str, Any] = {}  # noqa: RUF012  # read, never changed
    """Options that the file needs."""

    def make(self) -> Any:
        """Return the reader: a name or a function ``(path, **options) -> Trace``."""
        raise NotImplementedError("return your reader from make()")

    def test_keeps_or_sets_aside_every_row(self) -> None:
        """Rows read = jobs kept + rows set aside, each for a reason."""
        trace = self._read()
        aside = {each.reason: each.count for each in trace.set_aside}
        assert len(trace) + sum(aside.values()) == self.rows, (
            f"{len(trace)} jobs kept and {aside} set aside are not the {self.rows} rows of the file. Most likely rows "
            "are skipped without a word; put_aside(reason, rows) counts them"
        )
        assert all(reason.strip() for reason in aside), "rows are set aside without a reason"

    def test_makes_jobs_that_make_sense(self) -> None:
        """In order of submission, from 0 on, none that the engine would refuse."""
        trace = self._read()
        submit = trace.columns["submit"]
        assert len(trace), "no job is left of the file"
        assert (submit >= 0).all(), "times of submission are below 0, or no numbers"
        for each in trace.jobs("w"):
            each.estimate = each.duration if each.estimate < 0 else each.estimate
            wrong = fault(each)
            assert not wrong, f"job {each.id!r} of row {each.row}: {wrong}"
            assert not math.isnan(each.deadline), f"job {each.id!r} has a deadline that is no number"

    def test_reads_the_same_again(self) -> None:
        """Equal files give equal traces, also compressed, and the file stays as it is."""
        first = self._read()
        assert _shown(first) == _shown(self._read()), "the same file gives another trace"
        assert _shown(first) == _shown(self._read(packed=True)), (
            "the same file, compressed by gzip, gives another trace"
        )

    def test_refuses_options_that_it_does_not_know(self) -> None:
        """A misspelt option is the user's mistake, and told as such."""
        refused(lambda: self._read(optoin=1), "an option that it does not know")

    def test_refuses_what_is_not_its_format(self) -> None:
        """Another file, an empty one, and one that is not there, are told as such."""
        for text in ("", "who,what\nnobody,nothing\n", "\x00\x01 not a table"):
            refused(lambda text=text: self._read(text), f"a file with the text {text[:20]!r}")  # type: ignore[misc]
        refused(lambda: self._call(Path("no-such-file.csv")), "a file that is not there")

    def _read(self, text: str | None = None, packed: bool = False, **more: Any) -> Trace:
        with TemporaryDirectory() as folder:
            path = Path(folder) / (self.file + ".gz" * packed)
            data = (self.text if text is None else text).encode()
            path.write_bytes(gzip.compress(data) if packed else data)
            before = path.read_bytes()
            trace = self._call(path, **more)
            assert path.read_bytes() == before, "reading changes the file"
        return trace

    def _call(self, path: Path, **more: Any) -> Trace:
        read = self.make()
        name = read if isinstance(read, str) else getattr(read, "__name__", "reader")
        read = formats.get(read) if isinstance(read, str) else read
        trace: Trace = read(path, **checked_options(f"format {name!r}", read, self.options | more, ("path",)))
        return trace


def refused(action: Callable[[], object], what: str) -> None:
    """Assert that an action ends in an ``InputError``; ``what`` is what it is given."""
    try:
        action()
    except InputError:
        pass
    except Exception as error:
        raise AssertionError(f"for {what} it fails with {type(error).__name__}: {error}; raise InputError") from error
    else:
        raise AssertionError(f"it takes {what} without a word")


def _shown(trace: Trace) -> str:
    return repr([(name, column.tolist()) for name, column in trace.columns.items()]) + repr(trace.set_aside)
