"""What every reader of request logs must do."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulator.testing.formats import refused
from simulator.testing.requests import check_log
from simulator.testing.running import run_all
from simulator.workload.options import checked_options
from simulator.workload.requestformats import request_formats
from simulator.workload.requestlog import RequestLog


def check_request_format(format: Any, text: str, rows: int, file: str = "log.csv", **options: Any) -> None:
    r"""Put a reader (a name or a function) through everything that ``RequestFormatContract`` promises.

    ``text`` is a small file of the format with ``rows`` rows, ``file`` what it is called.

    >>> check_request_format("requests", "arrival,input,output\n0,5,1\n0.25,2,16\n", rows=2)
    """

    class Given(RequestFormatContract):
        def make(self) -> Any:
            return format

    given = Given()
    given.text, given.rows, given.file, given.options = text, rows, file, options
    run_all(given)


class RequestFormatContract:
    """What every reader must do; subclass it, say in ``make`` which one, and give it a small file of its format."""

    text = ""
    """A small file of the format."""
    rows = 0
    """Rows in it, the header not counted."""
    file = "log.csv"
    """What the file is called."""
    options: dict[str, Any] = {}  # noqa: RUF012  # read, never changed
    """Options that the file needs."""

    def make(self) -> Any:
        """Return the reader: a name or a function ``(path, **options) -> RequestLog``."""
        raise NotImplementedError("return your reader from make()")

    def test_keeps_or_sets_aside_every_row(self) -> None:
        """Rows read = requests kept + rows set aside, each for a reason."""
        log = self._read()
        aside = {each.reason: each.count for each in log.set_aside}
        assert len(log) + sum(aside.values()) == self.rows, (
            f"{len(log)} requests kept and {aside} set aside are not the {self.rows} rows of the file. Most likely "
            "rows are skipped without a word; put_aside(reason, rows) counts them"
        )
        assert all(reason.strip() for reason in aside), "rows are set aside without a reason"

    def test_makes_requests_that_make_sense(self) -> None:
        """In order of arrival, from 0 on, none that an engine would refuse, all that wait for others reached."""
        log = self._read()
        assert len(log), "no request is left of the file"
        check_log(log)

    def test_reads_the_same_again(self) -> None:
        """Equal files give equal logs, also compressed, and the file stays as it is."""
        first = shown(self._read())
        assert first == shown(self._read()), "the same file gives another log"
        assert first == shown(self._read(packed=True)), "the same file, compressed by gzip, gives another log"

    def test_refuses_options_that_it_does_not_know(self) -> None:
        """A misspelt option is the user's mistake, and told as such."""
        refused(lambda: self._read(optoin=1), "an option that it does not know")

    def test_refuses_what_is_not_its_format(self) -> None:
        """Another file, an empty one, and one that is not there, are told as such."""
        for text in ("", "who,what\nnobody,nothing\n", '{"who": "nobody"}\n', "\x00\x01 not a table"):
            refused(lambda text=text: self._read(text), f"a file with the text {text[:20]!r}")  # type: ignore[misc]
        refused(lambda: self._call(Path("no-such-file.csv")), "a file that is not there")

    def _read(self, text: str | None = None, packed: bool = False, **more: Any) -> RequestLog:
        with TemporaryDirectory() as folder:
            path = Path(folder) / (self.file + ".gz" * packed)
            data = (self.text if text is None else text).encode()
            path.write_bytes(gzip.compress(data) if packed else data)
            before = path.read_bytes()
            log = self._call(path, **more)
            assert path.read_bytes() == before, "reading changes the file"
        return log

    def _call(self, path: Path, **more: Any) -> RequestLog:
        read = self.make()
        name = read if isinstance(read, str) else getattr(read, "__name__", "reader")
        read = request_formats.get(read) if isinstance(read, str) else read
        options = checked_options(f"request format {name!r}", read, self.options | more, ("path",))
        log: RequestLog = read(path, **options)
        return log


def shown(log: RequestLog) -> str:
    """Return all that a log holds as a text, to compare it."""
    hashes = None if log.hashes is None else (log.hashes.block, log.hashes.flat.tolist(), log.hashes.offsets.tolist())
    columns = [(name, column.tolist()) for name, column in log.columns.items()]
    return repr((columns, hashes, log.set_aside, log.notes))
