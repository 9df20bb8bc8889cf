"""Fixtures shared by all tests, and the writing of generated documentation."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

from penstock.planning.estimate.accuracy import (
    Accuracy,
    load_accuracy,
    parse_accuracy,
    replace_accuracy,
)
from tests.estimate.tables import write_accuracy

DOCS = Path(__file__).parents[1] / "docs"
MODELS_PAGE = DOCS / "models.md"
MODELS_HEADING = """\
# Which models are known to be right

Written by `make docs` from `tests/test_models.py`, which runs every int8, uint8 and 16x8 model of
the shared collection three ways on three seeded random inputs: LiteRT's reference kernels
(`OpResolverType.BUILTIN_REF`), Penstock's interpreter on the graph as loaded, and the generated C
on the host, after all passes. "3/3" means that all outputs of three seeds are LiteRT's bytes;
float32 outputs (models that end in DEQUANTIZE or LOG_SOFTMAX) may differ by 2 units in the last
place. The arena is the block of memory for all activations; "optimal" means that no plan can be
smaller, otherwise the lower bound is shown.

| model | operators | MACs | after passes | weights, B | arena, B | bound | interpreter | C |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""

MODELS_NOTES = """
[^tflm]: Compared with TensorFlow Lite for Microcontrollers instead, four inferences in a row per
    seed: LiteRT takes the int8 state and time weights of this model's SVDF operators for int16 and
    reads and writes beyond their ends, so that its answer is undefined.
"""

MAY_SKIP_IN_CI = ("root may write",)
"""Starts of the reasons that hold on a complete machine too."""

_rows: list[str] = []
_accuracy: list[Accuracy] = []

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def find_shared_dir() -> Path | None:
    """Return the folder of shared models, images and data: PENSTOCK_SHARED or ../shared."""
    explicit = os.environ.get("PENSTOCK_SHARED")
    candidate = Path(explicit) if explicit else Path(__file__).parents[2] / "shared"
    return candidate if (candidate / "models").is_dir() else None


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The shared folder; skips the test where it is missing."""
    found = find_shared_dir()
    if found is None:
        pytest.skip("the shared models are not here: set PENSTOCK_SHARED to their folder")
    return found


@pytest.fixture(scope="session")
def update_docs() -> bool:
    """True when generated pages of docs/ are being written anew."""
    return os.environ.get("PENSTOCK_UPDATE_DOCS") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing is missing: a test that is skipped has failed."""
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for modules that skip themselves."""
    return _without_skips((yield))


def _without_skips(report: Report) -> Report:
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP_IN_CI):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect table rows, from worker processes too."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "models.md":
                _rows.append(str(value))
            elif name == "accuracy":
                _accuracy.extend(parse_accuracy(str(value)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the collected table when asked to."""
    is_worker = hasattr(session.config, "workerinput")
    if is_worker or os.environ.get("PENSTOCK_UPDATE_DOCS") != "1":
        return
    if _accuracy:
        write_accuracy(replace_accuracy(load_accuracy(), _accuracy))
    if _rows:
        MODELS_PAGE.write_text(MODELS_HEADING + "\n".join(sorted(_rows)) + "\n" + MODELS_NOTES)
