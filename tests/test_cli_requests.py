"""``simulator trace`` on logs of requests, and the lists of their formats and generators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulator.cli import main

LOG = """arrival,input,output,tenant,class,parent,hashes,hash_block
0,40,5,red,chat,,1|2|3,16
1,40,6,blue,chat,1,1|2|4,16
4,20,0,red,chat,,1|9,16
6,20,7,red,batch,1,1|9,16
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    file.write_text(LOG, "utf-8")
    return file


def run(*words: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_shows_what_a_log_is_like(path: Path) -> None:
    assert run("trace", "show", path).output == (
        "log.csv: 4 rows: 3 kept, 1 set aside\n"
        "  set aside 1: 0 output tokens: nothing was generated (row 3)\n"
        "\n"
        "format    requests\n"
        "requests  3 over 6 s\n"
        "rate      0.5 requests/s, 19.67 tokens/s of prompts and answers\n"
        "tenants   red 2, blue 1\n"
        "classes   chat 2, batch 1\n"
        "\n"
        "tokens  mean  p5  p25  p50  p75  p90  p95  p99  max\n"
        "prompt    33  22   30   40   40   40   40   40   40\n"
        "answer     6   5    6    6    6    7    7    7    7\n"
        "\n"
        "variation of gaps       0.667\n"
        "dispersion of arrivals  0.667 in 1 s\n"
        "prefix reuse            37.50 %: 3 of 8 blocks of 16 tokens, if nothing were ever thrown away\n"
        "chains                  requests that wait for another: 2, in chains: 1; the longest has 2, "
        "at most 2 wait for the same one\n"
    )


def test_shows_it_as_json(path: Path) -> None:
    facts = json.loads(run("trace", "show", path, "--json").output)
    assert (facts["format"], facts["requests"], facts["span"]) == ("requests", 3, 6)
    assert facts["reuse"]["reused"] == 3
    assert facts["chains"] == {"roots": 1, "waiting": 2, "longest": 2, "widest": 2}
    assert facts["set_aside"] == {"0 output tokens: nothing was generated": 1}


def test_a_single_request_has_no_rate(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("arrival,input,output\n3,40,5\n", "utf-8")
    told = run("trace", "show", file).output
    assert told.startswith("one.csv: 1 row: 1 kept, 0 set aside\n")
    assert "\nrate      all at one time: too short to tell\n" in told
    assert json.loads(run("trace", "show", file, "--json").output)["rate"] is None


def test_writes_a_log_in_another_format(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    assert run("trace", "convert", path, out, "--to", "requests").output == (
        f"Wrote {out}: 3 requests of log.csv, format requests\n"
    )
    told = run("trace", "convert", path, tmp_path / "x", "--to", "burstgpt", code=2).output
    assert "--to: format 'burstgpt' can only be read." in told
    assert (
        "unknown request format 'generic'"
        in run("trace", "convert", path, tmp_path / "x", "--to", "generic", code=2).output
    )


def test_says_what_it_cannot_say_of_requests(path: Path) -> None:
    told = run("trace", "show", path, "--accelerators", "8", code=2).output
    assert "what load requests are depends on the model and its engine" in told
    assert "unknown format 'azure'. Did you mean 'azure-llm'?" in run("trace", path, "--format", "azure", code=2).output


def test_lists_formats_and_generators() -> None:
    assert "azure-llm" in run("list", "request-formats").output
    assert "chat-like" in run("list", "request-generators").output
