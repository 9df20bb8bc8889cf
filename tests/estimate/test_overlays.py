"""Estimates of plans with overlays against simulations, on networks that nothing was fitted to.

Like `test_all_models` this writes what `accuracy.toml` and docs/estimate.md say of it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock import api
from penstock.design.published import NetworkOptions
from penstock.planning.estimate.accuracy import OVERLAYS, format_accuracy
from tests.estimate.comparing import (
    ERROR_MEDIAN,
    ERROR_WORST,
    Job,
    check_accuracy,
    compare_all,
    summarize_by_homes,
)

BOARDS = ("stm32f469i-disco", "stm32f746g-disco", "nucleo-h743zi", "nucleo-u575zi-q")
EXAMPLE = "examples/cifar10.tflite"
SHARED = (
    "mlperf_tiny/vww_96_14blk_836k_int8.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mcunet/mcunet-in3_320kb-1mb_imagenet.tflite",
)
STALE = 0.01
"""How far stated errors may be from those found: kernels that lie elsewhere in a Cortex-M4's flash
memory, behind other generated code, are half a percent faster or slower."""
BUILT = "mbv3, width 0.5, 112 × 112"


def gather(shared_dir: Path, folder: Path) -> list[str]:
    """Put the networks into a folder, and return their names."""
    sources = {EXAMPLE: Path(__file__).parents[2] / EXAMPLE}
    sources |= {name: shared_dir / "models" / name for name in SHARED}
    for name, source in sources.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(source)
    built = api.build(NetworkOptions(name="mbv3", width=0.5, resolution=112))
    (folder / BUILT).write_bytes(built.content)
    return [*sources, BUILT]


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize("board", BOARDS)
def test_estimates_of_overlays_are_near_simulations(
    board: str,
    shared_dir: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    update_docs: bool,
) -> None:
    models = gather(shared_dir, tmp_path)
    compared = compare_all([Job(board, model, overlays=True) for model in models], tmp_path)
    assert len(compared) == len(models)
    assert {comparison.homes.weights for comparison in compared} == {OVERLAYS}
    found = summarize_by_homes("overlays", compared)
    for accuracy in found:
        assert accuracy.median <= ERROR_MEDIAN, accuracy
        assert abs(accuracy.worst) <= ERROR_WORST, accuracy
    record_property("accuracy", format_accuracy(found))
    if not update_docs:
        check_accuracy(found, STALE)
