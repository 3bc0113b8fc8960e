"""ServeGen's clients: requests drawn from rates and laws, and what the description says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.core.errors import InputError
from simulator.workload.clients import Pmf
from simulator.workload.likeness import gap_cv
from simulator.workload.requestformats import guess_request_format, read_requests
from simulator.workload.requestsummary import summary

TRACE = [[0, 2.0, 1.0, "Gamma", 1.0, 0.5], [600, 0.0, 0.0, "", 0, 0], [1200, 4.0, 3.0, "Weibull", 0.5, 0.1]]
LAWS = {"0": {"input_tokens": {"10": 1}, "output_tokens": {"3": 0.25, "7": 0.75}, "reason_ratio": {"1": 1}}}
LATER = {"1200": {"input_tokens": {"20": 1}, "output_tokens": {"5": 1}}}
CLIENTS = [
    {"client": 4, "trace": TRACE, "dataset": LAWS | LATER},
    {"client": 9, "trace": [[600, 1.0, 0.5, "Gamma", 4.0, 0.2]], "dataset": None},
]


def packed(folder: Path, clients: list[dict[str, Any]]) -> Path:
    path = folder / "clients.jsonl"
    path.write_text("".join(json.dumps(client) + "\n" for client in clients), "utf-8")
    return path


def unpacked(folder: Path, clients: list[dict[str, Any]]) -> Path:
    """The same as the source has it: laws as Python dictionaries in texts, and no file for a client without."""
    for client in clients:
        rows = "".join(",".join(map(str, row)) + "\n" for row in client["trace"])
        (folder / f"chunk-{client['client']}-trace.csv").write_text(rows, "utf-8")
        if client["dataset"]:
            laws = {
                start: {name: repr({int(key): value for key, value in law.items()}) for name, law in fields.items()}
                for start, fields in client["dataset"].items()
            }
            (folder / f"chunk-{client['client']}-dataset.json").write_text(json.dumps(laws), "utf-8")
    return folder / f"chunk-{clients[0]['client']}-trace.csv"


def test_draws_as_many_requests_as_the_rates_say(tmp_path: Path) -> None:
    log = read_requests(packed(tmp_path, CLIENTS), "servegen", window="30 min")
    arrival, input = log.columns["arrival"], log.columns["input"]
    assert len(log) == 1200 + 2400
    assert (arrival < 600).sum() == 1200
    assert {*input[arrival < 600].tolist()} == {10}
    assert {*input[arrival >= 1200].tolist()} == {20}
    assert (log.columns["output"][arrival < 600] == 7).mean() == pytest.approx(0.75, abs=0.05)
    assert {*log.columns["tenant"].tolist()} == {"client-4"}
    assert (
        log.report()
        .splitlines()[1]
        .startswith(
            "  set aside 600: requests of clients whose lengths are not there; give input and output (rows 1201, 1202,"
        )
    )


def test_gaps_have_the_shape_of_their_window(tmp_path: Path) -> None:
    """Weibull gaps of shape 1/2 have a variation of sqrt(5)."""
    trace = [[0, 200.0, 2.0, "Weibull", 0.5, 0.1]]
    client = {"client": 1, "trace": trace, "dataset": LAWS}
    log = read_requests(packed(tmp_path, [client]), "servegen", window=600)
    assert gap_cv(log.columns["arrival"]) == pytest.approx(5**0.5, rel=0.03)


def test_both_layouts_give_the_same_log(tmp_path: Path) -> None:
    one = read_requests(packed(tmp_path, CLIENTS), "servegen", window="30 min", seed=3)
    path = unpacked(tmp_path, CLIENTS)
    for other in (read_requests(path, "servegen", window="30 min", seed=3),
                  read_requests(tmp_path, "servegen", window="30 min", seed=3)):  # fmt: skip
        assert {name: column.tolist() for name, column in one.columns.items()} == {
            name: column.tolist() for name, column in other.columns.items()
        }
    assert guess_request_format(path) == guess_request_format(tmp_path / "clients.jsonl") == "servegen"


def test_windows_rates_and_laws_can_be_chosen(tmp_path: Path) -> None:
    path = packed(tmp_path, CLIENTS)
    part = read_requests(path, "servegen", start="10 min", window="5 min", input=100, output={"uniform": [1, 9]})
    assert len(part) == pytest.approx(300, abs=30)
    assert {*part.columns["tenant"].tolist()} == {"client-9"}
    assert {*part.columns["input"].tolist()} == {100}
    scaled = read_requests(path, "servegen", window="30 min", rate="20 /s")
    assert len(scaled) == pytest.approx(36_000, abs=2)
    assert scaled.notes[1] == "rates of clients times 10"
    assert len(read_requests(path, "servegen", window=600, scale=0.5)) == 600


def test_another_seed_gives_other_requests(tmp_path: Path) -> None:
    path = packed(tmp_path, CLIENTS)
    one, two = (read_requests(path, "servegen", window=600, seed=seed).columns["arrival"] for seed in (0, 1))
    assert len(one) == len(two)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, read_requests(path, "servegen", window=600).columns["arrival"])


def test_media_count_as_often_as_there_are(tmp_path: Path) -> None:
    laws = {
        "0": {
            "text_tokens": {"5": 1}, "image_tokens": {"100": 1}, "image_count": {"3": 1}, "audio_tokens": {"7": 1},
            "audio_count": {"0": 1}, "output_tokens": {"1": 1},
        }
    }  # fmt: skip
    client = {"client": 1, "trace": TRACE, "dataset": laws}
    log = read_requests(packed(tmp_path, [client]), "servegen", window=600)
    assert {*log.columns["input"].tolist()} == {305}
    assert "tokens of an image, audio or video are taken to be those of one of them, times their number" in log.notes


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trace": [[0, 1.0, 1.0, "Normal", 1, 1]]}, ":1: 'Normal' is no family of gaps; Gamma or Weibull"),
        ({"trace": [[0, 1.0, 1.0]]}, "is not a window: start, rate, variation, family and two parameters"),
        ({"trace": [[0, -1.0, 1.0, "Gamma", 1, 1]]}, ":1: -1.0 is not a number of 0 or more"),
        ({"trace": [[0, 1.0, 1.0, "Gamma", 0, 1]]}, ":1: a shape of 0 (variation 1) is not above 0"),
        ({"dataset": {"0": {"input_tokens": {"1": 1}}}}, ":1 dataset.0: there are input_tokens, but not"),
        ({"dataset": {"0": {"output_tokens": "{1: __import__('os')}"}}}, ":1 dataset.0: this is not as {field:"),
        ({"dataset": {"0": {"input_tokens": {"1": 0}, "output_tokens": {"1": 1}}}}, ":1 dataset.0: this is not as"),
        ({"dataset": None}, "no request can be replayed\n    set aside 1,200: requests of clients whose lengths"),
    ],
)
def test_clients_that_make_no_sense_are_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        read_requests(packed(tmp_path, [CLIENTS[0] | change]), "servegen", window=600)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scale": 2, "rate": 5.0}, "scale 2 and rate 5.0 contradict each other"),
        ({"scale": 0}, "scale: 0 is not a number above 0"),
        ({"start": "1 d"}, "in the 3600 s from 86400 s on there come 0 requests"),
        ({"scale": 1e6}, "are more than 50,000,000: take a shorter window, a lower rate or a smaller scale"),
        ({"window": 0}, "window: 0 is not a time of more than 0"),
        ({"seed": -1}, "seed: -1 is not a whole number of 0 or more"),
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        read_requests(packed(tmp_path, CLIENTS), "servegen", **options)


def test_a_law_of_whole_numbers_is_drawn_by_its_weights() -> None:
    law = Pmf.of({1: 1.0, 5: 3.0})
    assert law.draw(np.random.default_rng(1), 10_000).mean() == pytest.approx(4, rel=0.02)
    with pytest.raises(ValueError, match="weights"):
        Pmf.of({1: 0.0})


def test_the_shared_clients_are_what_is_published_of_them(shared: Path) -> None:
    """Requests of a day, their rate, and quantiles of their lengths, as the folder's README counts them."""
    path = shared / "traces" / "servegen" / "reason_deepseek-r1.even_clients.jsonl.gz"
    facts = summary(read_requests(path, "servegen", window="1 d"))
    assert facts["requests"] == pytest.approx(5.25e5, rel=0.002)
    assert facts["rate"] == pytest.approx(6.08, abs=0.01)
    for name, mean, quantiles in (("inputs", 930.3, (404, 1741)), ("outputs", 1286.2, (502, 1964))):
        assert facts[name]["mean"] == pytest.approx(mean, rel=0.01)
        assert (facts[name]["p50"], facts[name]["p90"]) == pytest.approx(quantiles, rel=0.01)
