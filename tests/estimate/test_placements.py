"""Estimates against simulations with weights and arena in every kind of memory that a board has.

Like `test_all_models` this writes what `accuracy.toml` and docs/estimate.md say of it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.planning.estimate.accuracy import format_accuracy
from tests.estimate.comparing import (
    ERROR_MEDIAN,
    ERROR_WORST,
    Job,
    check_accuracy,
    compare_all,
    summarize_by_homes,
)
from tests.timed_boards import TIMED_BOARDS

MODELS = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/kws_ref_model.tflite",
    "tflm/micro_speech_quantized.tflite",
    "tinymaix/mnist_resnet_q.tflite",
    "tflm/keyword_scrambled_8bit.tflite",
    "layers/vww_layer27.tflite",
)
"""Dense layers; pointwise and depthwise convolutions; a large window; ordinary convolutions;
filters with a memory; a pooling."""

MEDIAN_OF_A_KIND = 0.08
"""For six models in one kind of placement: with activations in SDRAM behind a cache of 4 KiB,
estimates of the fast kernels are 5 to 7 % too low."""
ARENA_KINDS = (MemoryKind.TCM_DATA, MemoryKind.SRAM, MemoryKind.SDRAM)
WEIGHT_KINDS = (*ARENA_KINDS, MemoryKind.FLASH, MemoryKind.QSPI_FLASH)


def largest(board: Board, kinds: Iterable[MemoryKind]) -> list[str]:
    """Return the largest memory of each kind that a board has."""
    found: dict[MemoryKind, MemoryRegion] = {}
    for region in board.regions:
        if region.kind in kinds:
            known = found.setdefault(region.kind, region)
            if region.size_bytes > known.size_bytes:
                found[region.kind] = region
    return [region.name for region in found.values()]


def jobs(name: str) -> list[Job]:
    board = load_board(name)
    return [
        Job(name, model, weights_in, arena_in)
        for model in MODELS
        for weights_in in largest(board, WEIGHT_KINDS)
        for arena_in in largest(board, ARENA_KINDS)
    ]


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("board", TIMED_BOARDS)
def test_estimates_hold_wherever_the_data_are(
    board: str,
    shared_dir: Path,
    record_property: Callable[[str, object], None],
    update_docs: bool,
) -> None:
    compared = compare_all(jobs(board), shared_dir / "models")
    assert {comparison.job.model for comparison in compared} == set(MODELS)
    found = summarize_by_homes("placements", compared)
    assert found[0].median <= ERROR_MEDIAN, found[0]
    for accuracy in found:
        assert accuracy.median <= MEDIAN_OF_A_KIND, accuracy
        assert abs(accuracy.worst) <= ERROR_WORST, accuracy
    record_property("accuracy", format_accuracy(found))
    if not update_docs:
        check_accuracy(found)


def test_every_kind_of_placement_of_a_board_is_compared() -> None:
    places = {(job.weights_in, job.arena_in) for job in jobs("stm32f469i-disco")}
    assert len(places) == 5 * 3
    assert {("flash", "sdram"), ("qspi", "ccm"), ("sdram", "sdram"), ("sram1", "sram1")} <= places
