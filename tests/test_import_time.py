"""What a command costs before it does anything. Counted in modules, because seconds depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pandas", "matplotlib", "scipy", "pydantic", "networkx", "numpy", "rich", "jinja2", "simpy", "yaml", "loky"}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running ``code``."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_loaded_after_sees_what_is_loaded() -> None:
    assert "yaml" in loaded_after("import yaml")


def test_import_simulator_loads_nothing_heavy() -> None:
    assert loaded_after("import simulator; dir(simulator)") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list"], ["--version"]], ids=" ".join)
def test_the_command_line_starts_without_heavy_modules(arguments: list[str]) -> None:
    code = (
        "from simulator.cli import main\n"
        "try:\n"
        f"    main({arguments!r}, prog_name='simulator')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
    )
    assert loaded_after(code) & HEAVY == set()


def test_policies_and_jobs_load_no_frames_or_figures() -> None:
    code = "import simulator as sim; sim.Start; sim.by; sim.BatchJob; sim.Topology; sim.catalog; sim.Trace"
    assert loaded_after(code) & {"pandas", "matplotlib", "scipy", "pydantic", "rich", "jinja2"} == set()
