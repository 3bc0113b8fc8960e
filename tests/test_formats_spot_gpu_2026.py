"""The spot trace of 2026: workers, parts of GPUs, priorities, and the node list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.core.errors import InputError
from simulator.workload.formats import format_options, looks_like, read_trace, spot_gpu_2026
from simulator.workload.rows import as_objects
from simulator.workload.trace import ServerRow, Trace
from tests.tracefiles import refused, written

HEADER = "job_name,organization,gpu_model,cpu_request,gpu_request,worker_num,submit_time,duration,job_type"
EXAMPLE = (
    "239255,13,A10,20,1,1,0,2764799,HP",
    "253689,13,A10,8,1,1,0,15897599,HP",
    "437260,57,A100-SXM4-80GB,15,1,16,9589663,41060,Spot",
    "437261,57,A100-SXM4-80GB,15,1,94,9589663,71718,Spot",
)
"""The example of the page of the trace."""
NODES = (
    "gpu_model,gpu_capacity_num,cpu_num,node_name",
    "GPU-series-1,4,192,0",
    "A10,1,128,2",
    "A100-SXM4-80GB,8,128,3",
)


def test_the_example_of_its_page(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEADER, *EXAMPLE), "spot-gpu-2026")
    jobs = list(trace.jobs())
    assert [job.accelerators for job in jobs] == [1.0, 1.0, 16.0, 94.0]
    assert [job.cores for job in jobs] == [20.0, 8.0, 240.0, 1410.0]
    assert [(job.priority, job.preemptible) for job in jobs] == [(1.0, False)] * 2 + [(0.0, True)] * 2
    assert [job.tenant for job in jobs] == ["13", "13", "57", "57"]
    assert [job.accelerator_types for job in jobs] == [()] * 4
    assert trace.columns["duration"].max() == 15_897_599.0
    assert len(trace.where(job_type="Spot", gpu_model="A100-SXM4-80GB")) == 2
    assert trace.notes == (
        "jobs submitted in the first second, many of which ran before the trace began: 2",
        "jobs on GPUs of model A10, which is not enforced (option types): 2",
        "jobs on GPUs of model A100-SXM4-80GB, which is not enforced (option types): 2",
    )
    assert looks_like(HEADER) == "spot-gpu-2026"
    assert format_options("spot-gpu-2026") == ["nodes", "types", "fractions"]


def test_models_bind_by_the_node_list_or_by_the_catalog(tmp_path: Path) -> None:
    written(tmp_path, *NODES, name="node_info_df.csv")
    path = written(tmp_path, HEADER, *EXAMPLE)
    trace = read_trace(path, "spot-gpu-2026", nodes="node_info_df.csv")
    assert trace.servers[2] == ServerRow("3", 8.0, "A100-SXM4-80GB", 128.0, 0.0)
    assert [job.accelerator_types for job in trace.jobs()] == [("A10",)] * 2 + [("A100-SXM4-80GB",)] * 2
    types = {"A10": "nvidia/a10"}
    named = read_trace(path, "spot-gpu-2026", nodes="node_info_df.csv", types=types)
    assert [server.model for server in named.servers] == ["GPU-series-1", "nvidia/a10", "A100-SXM4-80GB"]
    assert [job.accelerator_types for job in named.jobs()] == [("nvidia/a10",)] * 2 + [("A100-SXM4-80GB",)] * 2
    loose = read_trace(path, "spot-gpu-2026", types=types)
    assert [job.accelerator_types for job in loose.jobs()] == [("nvidia/a10",)] * 2 + [()] * 2
    assert refused(path, "spot-gpu-2026", types={"A11": "x"}) == (
        "types: no job asks for 'A11'. Did you mean 'A10'? Known: A10, A100-SXM4-80GB."
    )


def test_a_node_list_in_the_order_of_its_page_and_one_that_repeats_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "node_name,gpu_model,gpu_capacity_num,cpu_num", "0,GPU-series-1,4,192")
    assert spot_gpu_2026.read_nodes(path) == (ServerRow("0", 4.0, "GPU-series-1", 192.0, 0.0),)
    twice = written(tmp_path, *NODES, "A10,1,128,2")
    with pytest.raises(InputError, match="server '2' stands there twice"):
        spot_gpu_2026.read_nodes(twice)


@pytest.mark.parametrize(
    ("options", "accelerators", "cores", "note"),
    [
        ({}, [0.5, 2.0, 0.9, 2.0], [4.0, 16.0, 12.0, 4.0], "packed together: 2"),
        ({"fractions": "round-up"}, [0.5, 4.0, 3.0, 2.0], [4.0, 16.0, 12.0, 4.0], "(fractions: round-up): 2"),
        ({"fractions": "split"}, [0.5] * 5 + [0.3] * 3 + [2.0], [4.0] * 9, "every instance a job of its own: 2"),
    ],
)  # fmt: skip
def test_parts_of_gpus(
    tmp_path: Path, options: dict[str, Any], accelerators: list[float], cores: list[float], note: str
) -> None:
    rows = ("a,o,,4,0.5,1,9,60,HP", "b,o,,4,0.5,4,9,60,HP", "c,o,,4,0.3,3,9,60,HP", "d,o,,4,1.5,1,9,60,HP")
    trace = read_trace(written(tmp_path, HEADER, *rows), "spot-gpu-2026", **options)
    assert trace.columns["accelerators"].tolist() == pytest.approx(accelerators)
    assert trace.columns["cores"].tolist() == cores
    assert trace.notes[0].endswith(note)
    assert trace.notes[1] == "jobs of one instance with more than one accelerator and a part, rounded up: 1"
    if "split" in options.values():
        assert trace.columns["id"].tolist() == ["a", "b", "b#2", "b#3", "b#4", "c", "c#2", "c#3", "d"]
        assert trace.columns["row"].tolist() == [1, 2, 2, 2, 2, 3, 3, 3, 4]


def test_refusals(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "a,o,,4,x,0,0,60,HP", "b,o,,4,1,1.5,0,60,spot", "c,o,,4,-1,1,0,60,HP")
    assert refused(path, "spot-gpu-2026").splitlines() == [
        "FILE:2 gpu_request: 'x' is not a number",
        "FILE:2 worker_num: 0 is not a whole number of 1 or more",
        "FILE:3 worker_num: 1.5 is not a whole number of 1 or more",
        "FILE:3 job_type: 'spot' is not a type of job of this trace",
        "    Did you mean 'Spot'? Known: HP, Spot.",
        "FILE:4 gpu_request: '-1' is negative",
    ]
    assert refused(path, "spot-gpu-2026", fractions="whole").startswith("fractions: 'whole' is not a choice.")
    assert refused(written(tmp_path, HEADER + ",x", "1"), "spot-gpu-2026").startswith("FILE:1: unknown column 'x'")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7), st.integers(1, 10**7), st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 8.0, 64.0, 96.0]),
            st.integers(0, 64), st.sampled_from(["A10", "H800", ""]), st.booleans(),
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_what_was_written_is_read(tmp_path: Path, drawn: list[tuple[int, int, float, int, str, bool]]) -> None:
    numbers = np.array([row[:4] for row in drawn], dtype=float)
    spot = np.array([row[5] for row in drawn])
    trace = Trace.sorted(
        "t",
        {
            "submit": numbers[:, 0] - numbers[:, 0].min(),
            "duration": numbers[:, 1],
            "accelerators": numbers[:, 2],
            "cores": numbers[:, 3] * np.maximum(numbers[:, 2], 1),
            "accelerator_types": as_objects((row[4],) if row[4] else () for row in drawn),
            "priority": np.where(spot, 0.0, 1.0),
            "preemptible": spot,
            "id": as_objects(f"j{n}" for n in range(len(drawn))),
        },
    )
    spot_gpu_2026.write(trace, tmp_path / "t.csv")
    types = {model: model for model in ("A10", "H800") if (model,) in trace.columns["accelerator_types"].tolist()}
    again = read_trace(tmp_path / "t.csv", "spot-gpu-2026", types=types)
    for name, column in trace.columns.items():
        assert again.columns[name].tolist() == column.tolist()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_trace(path, "spot-gpu-2026")
