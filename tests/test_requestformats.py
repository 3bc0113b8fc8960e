"""Readers of request logs: what files say, and what is told about files that say nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from simulator.core.errors import InputError
from simulator.workload.requestformats import guess_request_format, read_requests
from simulator.workload.trace import SetAside

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:51.2224670,0,55
"""


def write(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_azure_llm_of_2023(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, AZURE), "azure-llm")
    assert log.origin == datetime(2023, 11, 16, 18, 15, 46, 680590)
    assert log.columns["arrival"].tolist() == pytest.approx([0.0, 4.314579], abs=1e-9)
    assert log.columns["input"].tolist() == [374, 396]
    assert log.set_aside == (SetAside("0 input tokens: there is no prompt", 1, (3,)),)


def test_azure_llm_of_2024_and_2025(tmp_path: Path) -> None:
    text = (
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n"
        "2024-10-15 12:00:01.5+00:00,2,374,44\n2024-10-15 12:00:00+00:00,,5,6\n"
    )
    log = read_requests(write(tmp_path, text), "azure-llm")
    assert log.columns["images"].tolist() == [0, 2]
    assert log.columns["arrival"].tolist() == [0.0, 1.5]
    assert log.notes == ("rows that come earlier than one above them, sorted by arrival: 1",)


def test_azure_llm_tells_the_line_of_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, AZURE.replace("396", "3.5").replace(",44", ",many"))
    with pytest.raises(InputError) as error:
        read_requests(path, "azure-llm")
    assert str(error.value) == (
        f"{path}:2 GeneratedTokens: 'many' is not a number\n{path}:3 ContextTokens: 3.5 is not a whole number of tokens"
    )


def test_the_shared_azure_logs_are_what_is_published_of_them(shared: Path) -> None:
    folder = shared / "traces" / "azure_llm_2023"
    paths = sorted(folder.glob("*.csv"))
    code, conversation = (read_requests(path, "azure-llm") for path in paths)
    assert [guess_request_format(path) for path in paths] == ["azure-llm", "azure-llm"]
    assert (len(code), len(conversation)) == (7300, 14176)
    assert conversation.columns["input"].mean() == pytest.approx(1195.1, abs=0.05)
    assert code.origin is not None
    assert conversation.origin is not None
    assert (code.origin - conversation.origin).total_seconds() == pytest.approx(77.3, abs=0.1)
