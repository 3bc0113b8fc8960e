"""Readers of request logs: what files say, and what is told about files that say nothing."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import pytest

from simulator.core.errors import InputError
from simulator.testing import check_request_format
from simulator.workload.requestformats import guess_request_format, read_requests, request_formats, write_requests
from simulator.workload.requesthashes import prefix_reuse
from simulator.workload.trace import SetAside

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:40.2500000,380,41
2023-11-16 18:15:44.7500010,391,120
2023-11-16 18:15:45.1250000,0,55
"""


def write(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_azure_llm_of_2023(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, AZURE), "azure-llm")
    assert log.origin == datetime(2023, 11, 16, 18, 15, 40, 250000)
    assert log.columns["arrival"].tolist() == pytest.approx([0.0, 4.500001], abs=1e-9)
    assert log.columns["input"].tolist() == [380, 391]
    assert log.set_aside == (SetAside("0 input tokens: there is no prompt", 1, (3,)),)


def test_azure_llm_of_2024_and_2025(tmp_path: Path) -> None:
    text = (
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n"
        "2024-10-15 12:00:01.5+00:00,2,380,41\n2024-10-15 12:00:00+00:00,,5,6\n"
    )
    log = read_requests(write(tmp_path, text), "azure-llm")
    assert log.columns["images"].tolist() == [0, 2]
    assert log.columns["arrival"].tolist() == [0.0, 1.5]
    assert log.notes == ("rows that come earlier than one above them, sorted by arrival: 1",)


def test_azure_llm_tells_the_line_of_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, AZURE.replace("391", "3.5").replace(",41", ",many"))
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


BURST = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
4,a,1.5,ChatGPT,500,20,520,Conversation log
50,,,GPT-4,1100,0,1100,API log
117,a,2.0,ChatGPT,400,280,681,Conversation log
"""


def test_burstgpt_sets_failures_aside(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, BURST), "burstgpt")
    assert log.set_aside == (SetAside("0 response tokens: the request failed", 1, (2,)),)
    assert [(each.arrival, each.session, each.category, each.row) for each in log.requests()] == [
        (0.0, "a", "Conversation log", 1), (113.0, "a", "Conversation log", 3),
    ]  # fmt: skip
    assert log.columns["elapsed"].tolist() == [1.5, 2.0]
    assert log.notes == (
        "rows whose Total tokens are not Request tokens + Response tokens, which are taken: 1",
        "arrival 0 is 4 s in the file",
    )


def test_burstgpt_keeps_failures_when_told(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, BURST), "burstgpt", keep_failed=True)
    assert log.columns["output"].tolist() == [20, 1, 280]
    assert "failed requests (0 response tokens) that are kept, to generate 1 token: 1" in log.notes
    assert len(log.where(model="GPT-4")) == 1


def test_older_burstgpt_files_have_no_sessions(tmp_path: Path) -> None:
    text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n4,ChatGPT,500,20,520,API log\n"
    log = read_requests(write(tmp_path, text), "burstgpt")
    assert "session" not in log.columns
    assert guess_request_format(tmp_path / "log.csv") == "burstgpt"


MOONCAKE = """{"timestamp": 0, "input_length": 1025, "output_length": 5, "hash_ids": [0, 1, 2]}
{"timestamp": 3000, "input_length": 1024, "output_length": 7, "hash_ids": [0, 1]}
{"timestamp": 3000, "input_length": 600, "output_length": 9, "hash_ids": [1, 0]}
"""


def test_mooncake(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, MOONCAKE, "log.jsonl"), "mooncake")
    made = list(log.requests("kimi"))
    assert [(each.arrival, list(each.hashes), each.hash_block) for each in made] == [
        (0.0, [0, 1, 2], 512), (3.0, [0, 1], 512), (3.0, [1, 0], 512),
    ]  # fmt: skip
    reuse = prefix_reuse(log)
    assert reuse == (7, 4, 2649, 1624, 2, 3)


def test_mooncake_tells_hashes_that_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path, MOONCAKE.replace("1024", "1025").replace("[1, 0]", '["x", 2]'), "log.jsonl")
    with pytest.raises(InputError) as error:
        read_requests(path, "mooncake")
    assert str(error.value) == (
        f"{path}:2 hash_ids: 2 hashes, but 1,025 tokens are 3 blocks of 512\n"
        "    Are the blocks of this log of another length? Say it: block.\n"
        f"{path}:3 hash_ids: ['x', 2]... are not all whole numbers"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", ":4: this line is not JSON: expecting property name enclosed in double quotes"),
        ("[1]", ":4: this line is not a JSON object {...}, as each of the requests is"),
        ('{"timestamp": 1, "input_length": 2, "output_length": 3}', ":4: there is no key 'hash_ids'"),
        ('{"timestamp": 1, "input_length": -2, "output_length": 3, "hash_ids": []}', "'-2' is negative"),
        (
            '{"timestamp": 1, "input_length": 2, "output_length": 3, "hash_ids": [1], "hash_id": []}',
            "unknown key 'hash_id'\n    Did you mean 'hash_ids'?",
        ),
    ],
)
def test_json_lines_that_are_wrong_are_told(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        read_requests(write(tmp_path, MOONCAKE + line + "\n", "log.jsonl"), "mooncake")
    assert told in str(error.value)


BAILIAN = """{"chat_id": 7, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 20, "output_length": 5, "type": "text", "turn": 1, "hash_ids": [1, 2]}
{"chat_id": 8, "parent_chat_id": 7, "timestamp": 9.25, "input_length": 30, "output_length": 0, "type": "text", "turn": 2, "hash_ids": [1, 3]}
{"chat_id": 9, "parent_chat_id": 8, "timestamp": 12, "input_length": 40, "output_length": 6, "type": "text", "turn": 3, "hash_ids": [1, 3, 4]}
{"chat_id": 10, "parent_chat_id": 99, "timestamp": 11, "input_length": 8, "output_length": 6, "type": "image", "turn": 4, "hash_ids": [5]}
{"chat_id": 11, "parent_chat_id": 7, "timestamp": 13, "input_length": 8, "output_length": 6, "type": "text", "turn": 2, "hash_ids": [5]}
"""  # noqa: E501


def test_bailian_turns_wait_for_those_before(tmp_path: Path) -> None:
    path = write(tmp_path, BAILIAN, "log.jsonl")
    log = read_requests(path, "bailian")
    source = log.requests("qwen")
    roots = list(source)
    assert [(each.row, each.session, each.category) for each in roots] == [
        (1, "1", "text"), (4, "4", "image"), (3, "1", "text"),
    ]  # fmt: skip
    assert [(each.row, each.arrival, list(each.hashes)) for each in source.followers(roots[0])] == [(5, 12.5, [5])]
    assert log.notes == (
        "requests whose parent_chat_id is not in the file, which wait for nobody: 1",
        "requests whose predecessor was left out, which wait for nobody: 1",
        "arrival 0 is 0.5 s in the file",
        "rows that come earlier than one above them, sorted by arrival: 1",
    )
    assert log.set_aside == (SetAside("0 output tokens: nothing was generated", 1, (2,)),)
    assert "parent" not in read_requests(path, "bailian", chains=False).columns
    assert guess_request_format(path) == "bailian"


def test_bailian_blocks_of_another_length(tmp_path: Path) -> None:
    path = write(tmp_path, BAILIAN, "log.jsonl")
    with pytest.raises(InputError, match=r"hash_ids: 3 hashes, but 40 tokens are 2 blocks of 32"):
        read_requests(path, "bailian", block=32)
    with pytest.raises(InputError, match=r"block: 0 is not a whole number of tokens, 1 or more"):
        read_requests(path, "bailian", block=0)


def test_the_shared_mooncake_log_reuses_what_is_published(shared: Path) -> None:
    path = shared / "traces" / "mooncake_fast25" / "conversation_trace.jsonl.gz"
    assert guess_request_format(path) == "mooncake"
    reuse = prefix_reuse(read_requests(path, "mooncake"))
    assert reuse is not None
    assert (reuse.reused, reuse.blocks, reuse.distinct) == (105_710, 288_500, 182_790)
    assert round(reuse.share, 4) == 0.3664


FULL = """\
at,input_tokens,output_tokens,max_tokens,tenant,class,priority,session,adapter,id,parent,delay,hashes,hash_block
0,40,5,10,red,chat,2,s1,a1,first,,,1|2|3,16
1.5,20,6,,blue,batch,-1,,,second,1,0.25,1|4,16
"""


def test_requests_as_anybody_may_write_them(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, FULL), "requests")
    source = log.requests("mine")
    (first,) = source
    (second,) = source.followers(first)
    assert (first.id, first.limit, first.tenant, first.category, first.priority) == ("first", 10, "red", "chat", 2.0)
    assert (first.session, first.adapter, list(first.hashes), first.hash_block) == ("s1", "a1", [1, 2, 3], 16)
    assert (second.arrival, second.delay, second.limit, second.priority) == (1.5, 0.25, 0, -1.0)


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.jsonl", "log.jsonl.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    log = read_requests(write(tmp_path, FULL), "requests")
    write_requests(log, tmp_path / name, "requests")
    again = read_requests(tmp_path / name, "requests")
    assert guess_request_format(tmp_path / name) == "requests"
    assert {key: column.tolist() for key, column in again.columns.items()} == {
        key: column.tolist() for key, column in log.columns.items()
    }
    assert again.hashes is not None
    assert log.hashes is not None
    assert (again.hashes.block, again.hashes.flat.tolist()) == (log.hashes.block, log.hashes.flat.tolist())


def test_requests_name_those_they_wait_for(tmp_path: Path) -> None:
    text = "arrival,input,output,id,after\n5,1,1,b,a\n0,1,1,a,\n6,1,1,c,nobody\n7,1,1,a,b\n"
    log = read_requests(write(tmp_path, text), "requests")
    assert log.columns["id"].tolist() == ["a", "b", "c", "a#2"]
    assert log.columns["parent"].tolist() == [-1, 0, -1, 1]
    assert "requests that wait for one that is not in the file, and so for nobody: 1" in log.notes
    assert "requests that repeat an id, each one of its own called id#2, id#3, ...: 1" in log.notes


def test_requests_with_columns_and_units_of_their_own(tmp_path: Path) -> None:
    text = "when;words;answer;junk\n2024-01-01 00:00:01;5;7;x\n2024-01-01 00:00:00;6;8;y\n"
    columns = {"arrival": "when", "input": "words", "output": "answer"}
    log = read_requests(write(tmp_path, text), "requests", columns=columns, time="iso", delimiter=";")
    assert log.columns["arrival"].tolist() == [0.0, 1.0]
    assert log.columns["input"].tolist() == [6, 5]
    assert log.origin == datetime(2024, 1, 1)
    millis = read_requests(write(tmp_path, "at,input,output\n0,1,1\n1500,1,1\n"), "requests", time="ms")
    assert millis.columns["arrival"].tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("arrival,input,outptu\n0,1,1\n", ":1: unknown column 'outptu'\n    Did you mean 'output'?"),
        ("arrival,input\n0,1\n", ":1: no column is mapped to 'output'"),
        ("arrival,at,input,output\n0,0,1,1\n", ":1: columns 'arrival' and 'at' both say 'arrival'"),
        ("arrival,input,output\n-1,1,1\n", ":2 arrival: '-1' is negative"),
        ("arrival,input,output\nnan,1,1\n", ":2 arrival: 'nan' is not a number"),
        ("arrival,input,output,hashes\n0,1,1,5\n", ":2 hashes: of how many tokens are the blocks? Say it: block"),
        ("arrival,input,output,after\n0,1,1,x\n", ":1: no column is mapped to 'id', by which 'after' names requests"),
        (
            "arrival,input,output,parent\n0,1,1,0\n",
            ":2 parent: there is no row 0: rows count from 1\n    Leave",
        ),
        ("arrival,input,output,parent\n0,1,1,\n0,1,1,1.5\n", ":3 parent: 1.5 is not the number of a row"),
        ("arrival,input,output\n0,0,1\n1,1,0\n", "no row is a request that can be replayed"),
    ],
)
def test_requests_that_make_no_sense_are_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        read_requests(write(tmp_path, text), "requests")
    assert told in str(error.value)


MIXED = """{"arrival": 0, "input": 20, "output": 50, "id": "a"}
{"arrival": 1, "input": 20, "output": 9, "max_tokens": 4, "after": "a", "delay": 2.5}
{"arrival": 2, "input": 40, "output": 5, "hashes": [1, 2, 3], "hash_block": 16}
"""


def test_lines_of_json_may_have_different_keys(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, MIXED, "log.jsonl"), "requests")
    assert log.columns["parent"].tolist() == [-1, 0, -1]
    assert log.columns["delay"].tolist() == [0.0, 2.5, 0.0]
    assert log.columns["limit"].tolist() == [0, 4, 0]
    assert log.hashes is not None
    assert (log.hashes.block, [log.hashes.of(row) for row in range(3)]) == (16, [[], [], [1, 2, 3]])
    path = write(tmp_path, MIXED + '{"arrival": 3, "input": 4, "output": 5, "hashez": []}\n', "log.jsonl")
    with pytest.raises(InputError) as error:
        read_requests(path, "requests")
    assert str(error.value).startswith(f"{path}:4: unknown column 'hashez'\n    Did you mean 'hashes'?")
    path = write(tmp_path, MIXED.replace(', "hash_block": 16', ""), "log.jsonl")
    with pytest.raises(InputError, match=r":3 hashes: of how many tokens are the blocks\? Say it: block"):
        read_requests(path, "requests")
    path = write(tmp_path, MIXED.replace('"arrival": 1, ', ""), "log.jsonl")
    with pytest.raises(InputError, match=r":2 arrival: the cell is empty"):
        read_requests(path, "requests")


def test_a_request_generates_no_more_than_its_limit(tmp_path: Path) -> None:
    log = read_requests(write(tmp_path, MIXED, "log.jsonl"), "requests")
    assert log.columns["output"].tolist() == [50, 4, 5]
    assert log.notes == ("requests that generate no more than their limit, not all of their output: 1",)


def test_columns_that_are_not_read_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "at,input,output,who,max_tokens\n0,5,7,x,1\n")
    log = read_requests(path, "requests", columns={"arrival": "at", "input": "input", "output": "output"})
    assert log.notes == ("columns of the file that are not read ('who', 'max_tokens'): 2",)
    assert log.columns["output"].tolist() == [7]


def test_a_log_of_another_format_is_told_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, MOONCAKE, "log.jsonl")
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(MOONCAKE.encode()))
    for file in (path, tmp_path / "log.jsonl.gz"):
        with pytest.raises(InputError) as error:
            read_requests(file, "azure-llm")
        assert str(error.value) == (
            f"{file}: this looks like a log of format 'mooncake', not 'azure-llm'\n"
            "    Use 'mooncake'. azure-llm reads: Azure LLM inference traces 2023 to 2025: "
            "TIMESTAMP, ContextTokens, GeneratedTokens, maybe NumImages; no options."
        )
    with pytest.raises(InputError, match=r"this looks like a log of format 'bailian', not 'mooncake'"):
        read_requests(write(tmp_path, BAILIAN, "log.jsonl"), "mooncake")
    with pytest.raises(InputError) as error:
        read_requests(write(tmp_path, "who,what\n1,2\n"), "mooncake")
    assert str(error.value).endswith(
        "log.csv: it does not begin as format 'mooncake' does\n"
        "    mooncake reads: Mooncake JSON lines: timestamp (ms), input_length, output_length, hash_ids; "
        "option block (512 tokens)."
    )


def test_unknown_formats_options_and_writers_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    with pytest.raises(InputError, match=r"unknown request format 'azure'. Did you mean 'azure-llm'\?"):
        read_requests(path, "azure")
    with pytest.raises(InputError, match=r"request format 'mooncake' has no option 'blok'. Did you mean 'block'\?"):
        read_requests(path, "mooncake", blok=16)
    with pytest.raises(InputError, match=r"request format 'burstgpt' can only be read. Known: azure-llm, mooncake"):
        write_requests(read_requests(path, "requests"), tmp_path / "new", "burstgpt")


def test_azure_llm_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, AZURE.replace(",0,55", ",7,55"))
    write_requests(read_requests(path, "azure-llm"), tmp_path / "new.csv", "azure-llm")
    assert (tmp_path / "new.csv").read_text("utf-8") == path.read_text("utf-8")
    zoned = write(tmp_path, AZURE.split("\n")[0] + "\n2024-05-10 00:00:00.009930+00:00,5,6\n", "zoned.csv")
    write_requests(read_requests(zoned, "azure-llm"), tmp_path / "new.csv", "azure-llm")
    assert (tmp_path / "new.csv").read_text("utf-8") == zoned.read_text("utf-8")
    with pytest.raises(InputError, match="has no dates, and the azure-llm format needs them: give it an origin"):
        write_requests(read_requests(write(tmp_path, FULL), "requests"), tmp_path / "new.csv", "azure-llm")


def test_mooncake_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, MOONCAKE, "log.jsonl")
    write_requests(read_requests(path, "mooncake"), tmp_path / "new.jsonl", "mooncake")
    assert (tmp_path / "new.jsonl").read_text("utf-8") == MOONCAKE
    with pytest.raises(InputError, match="has hashes of 16 tokens a block, and the mooncake format needs those of 512"):
        write_requests(read_requests(write(tmp_path, FULL), "requests"), tmp_path / "new.jsonl", "mooncake")


CONTRACT = {
    "azure-llm": (AZURE, 3, "log.csv"),
    "burstgpt": (BURST, 3, "log.csv"),
    "mooncake": (MOONCAKE, 3, "log.jsonl"),
    "bailian": (BAILIAN, 5, "log.jsonl"),
    "requests": (FULL, 2, "log.csv"),
}
"""A small file of each format, and its rows; ServeGen's files describe clients and have no rows."""


@pytest.mark.parametrize("name", [name for name in request_formats.names() if name != "servegen"])
def test_every_reader_keeps_the_contract(name: str) -> None:
    text, rows, file = CONTRACT[name]
    check_request_format(name, text, rows, file)


def test_formats_are_told_apart(tmp_path: Path) -> None:
    for name, (text, _, file) in CONTRACT.items():
        assert guess_request_format(write(tmp_path, text, file)) == name
    assert guess_request_format(write(tmp_path, "who,what\n1,2\n")) is None
