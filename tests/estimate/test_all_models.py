"""Estimates against simulations over the shared collection, which nothing was fitted to.

The test also writes what `accuracy.toml` and docs/estimate.md say of it (``make docs``), and fails
where they say something else.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penstock.planning.estimate.accuracy import format_accuracy
from tests.estimate.comparing import (
    ERROR_MEDIAN,
    ERROR_WORST,
    Job,
    check_accuracy,
    compare_all,
    summarize_by_homes,
)
from tests.test_models import SUPPORTED

BOARDS = (
    "stm32f746g-disco",
    "nucleo-h743zi",
    "stm32f469i-disco",
    "nucleo-l4r5zi",
    "nucleo-u575zi-q",
)
LARGEST_COLLECTION = 230
SMALL_CACHE = "stm32f746g-disco"
"""Without overlays some networks have their activations, and the planes of depthwise convolutions,
in SDRAM behind a cache of 4 KiB there, which forgets more of them than the estimate knows."""
WORST_OF_ALL = 0.22


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("board", BOARDS)
def test_estimates_are_near_simulations(
    board: str,
    shared_dir: Path,
    record_property: Callable[[str, object], None],
    update_docs: bool,
) -> None:
    compared = compare_all([Job(board, model) for model in SUPPORTED], shared_dir / "models")
    assert LARGEST_COLLECTION - 4 < len(compared) <= LARGEST_COLLECTION
    errors = {comparison.job.model: comparison.error for comparison in compared}
    assert np.median(np.abs(list(errors.values()))) <= ERROR_MEDIAN
    far_off = [comparison for comparison in compared if abs(comparison.error) > ERROR_WORST]
    known = [c for c in far_off if board == SMALL_CACHE and c.homes.arena == "SDRAM"]
    assert [c.job.model for c in far_off] == [c.job.model for c in known]
    assert max(map(abs, errors.values())) <= WORST_OF_ALL
    found = summarize_by_homes("collection", compared)
    record_property("accuracy", format_accuracy(found))
    if not update_docs:
        check_accuracy(found)
