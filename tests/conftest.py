"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


def find_shared_dir() -> Path | None:
    """Return the folder of shared models, images and data: PENSTOCK_SHARED or ../shared."""
    explicit = os.environ.get("PENSTOCK_SHARED")
    candidate = Path(explicit) if explicit else Path(__file__).parents[2] / "shared"
    return candidate if (candidate / "models").is_dir() else None


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The shared folder; skips the test where it is missing, fails it in CI."""
    found = find_shared_dir()
    if found is None:
        reason = "the shared models are not here: set PENSTOCK_SHARED to their folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
