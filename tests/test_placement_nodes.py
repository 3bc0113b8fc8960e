"""Node lists whose servers have labels, taints and partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cluster.builders import builders
from simulator.core.errors import InputError

HEAD = "sn,cpu_milli,memory_mib,gpu,model,labels,taints,partition\n"


def test_labels_taints_and_partitions_may_stand_in_a_node_list(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text(HEAD + 'a,64000,1024,2,T4,"zone=x,disk=ssd","spot,gpu",batch\nb,32000,1024,0,,,,\n')
    first, second = builders.get("node-list")(nodes=path).servers
    assert (first.labels, first.taints) == ((("disk", "ssd"), ("zone", "x")), ("spot", "gpu"))
    assert (first.partition, first.cores, first.accelerator) == ("batch", 64.0, "T4")
    assert (second.labels, second.taints, second.partition) == ((), (), "")


def test_a_label_without_a_value_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text(HEAD + "a,64000,1024,2,T4,zone,,\n")
    with pytest.raises(InputError, match="server a: label 'zone' is not name=value") as caught:
        builders.get("node-list")(nodes=path)
    assert "nodes.csv:2" in str(caught.value)
