"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture
def root() -> Path:
    """The top folder of the project."""
    return ROOT


@pytest.fixture
def shared() -> Path:
    """The folder of reference material beside a checkout; tests that need it are skipped where it is missing."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("needs the reference material in ../shared")
    return path
