"""Cycles per MAC of models with the fast kernels: what they took once, they may not exceed."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from penstock import api
from penstock.boards import load_board
from penstock.kernels.kernel_set import WeightChoice
from penstock.report.results import RunResult

M7, M4, M33 = "stm32f746g-disco", "nucleo-l4r5zi", "nucleo-u575zi-q"
M55 = "mps3-an547"
BUDGETS = {
    "pretrainedResnet_quant": {M7: 0.56, M4: 0.92, M33: 0.84},
    "vww_96_int8": {M7: 0.62, M4: 1.08, M33: 0.94},
    "kws_ref_model": {M7: 0.89, M4: 1.58, M33: 1.38},
    "ad01_int8": {M7: 0.89, M4: 2.03, M33: 1.73},
}
"""Simulated cycles for each MAC of the original model, to the nearest hundredth."""
IN_RAM = {M4: 1.58, M33: 1.39}
"""Those of the autoencoder with weights that start-up copies to RAM."""
INSTRUCTIONS = {M7: 1.59, M4: 1.49, M55: 0.48}
"""Instructions for each MAC of person_detect, to the nearest hundredth."""

ENCODED = {
    "zeros": {M7: 0.91, M4: 1.69, M33: 1.49},
    "bits": {M7: 1.13, M4: 1.97, M33: 1.73},
}
"""Those of mbv3, half as wide, at 112 pixels: 75 % of most filters 0, or all of four bits."""
OUTSIDE = {"zeros": {"qspi": 0.97, "sdram": 0.93}, "bits": {"qspi": 1.21, "sdram": 1.16}}
"""The same on a Cortex-M7 with all weights in memory outside."""
LOOKS: dict[str, api.NetworkOptions] = {
    "zeros": api.NetworkOptions(name="mbv3", width=0.5, resolution=112, zeros=0.75),
    "bits": api.NetworkOptions(name="mbv3", width=0.5, resolution=112, bits=4),
}


@cache
def built(looks: str) -> bytes:
    return api.build(LOOKS[looks]).content


def run_encoded(
    folder: Path, looks: str, board: str, weights: WeightChoice, weights_in: str | None = None
) -> RunResult:
    path = folder / f"{looks}.tflite"
    path.write_bytes(built(looks))
    options = api.CompileOptions(api.PlanOptions(weights_in=weights_in, weights=weights))
    return api.run(path, board=board, options=options, verify=True).result


def check_encoded(tmp_path: Path, looks: str, board: str, budget: float, home: str | None) -> None:
    found = run_encoded(tmp_path, looks, board, WeightChoice.AUTO, home)
    dense = run_encoded(tmp_path, looks, board, WeightChoice.DENSE, home)
    assert found.verified
    assert found.time is not None
    assert dense.time is not None
    assert found.cycles_per_mac is not None
    assert found.cycles_per_mac <= budget + 0.005
    assert found.time.cycles < dense.time.cycles
    for filters in found.filters:
        assert filters.stored_bytes <= (0.45 if looks == "zeros" else 0.501) * filters.int8_bytes


@pytest.mark.board
@pytest.mark.parametrize("board", [M7, M4, M33])
@pytest.mark.parametrize("looks", ENCODED)
def test_filters_in_fewer_bytes_take_no_more_cycles(tmp_path: Path, looks: str, board: str) -> None:
    check_encoded(tmp_path, looks, board, ENCODED[looks][board], None)


@pytest.mark.board
@pytest.mark.parametrize("home", ["qspi", "sdram"])
@pytest.mark.parametrize("looks", OUTSIDE)
def test_filters_in_fewer_bytes_come_faster_from_outside(
    tmp_path: Path, looks: str, home: str
) -> None:
    check_encoded(tmp_path, looks, M7, OUTSIDE[looks][home], home)


def cycles_per_mac(path: Path, board: str, weights_in: str | None = None) -> float:
    options = api.CompileOptions(api.PlanOptions(weights_in=weights_in))
    found = api.run(path, board=board, options=options, verify=True).result
    assert found.verified
    assert found.cycles_per_mac is not None
    return found.cycles_per_mac


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("board", [M7, M4, M33])
@pytest.mark.parametrize("model", BUDGETS)
def test_models_take_no_more_cycles_than_before(shared_dir: Path, model: str, board: str) -> None:
    path = shared_dir / "models" / "mlperf_tiny" / f"{model}.tflite"
    assert cycles_per_mac(path, board) <= BUDGETS[model][board] + 0.005


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("board", IN_RAM)
def test_fully_connected_layers_do_not_wait_for_ram(shared_dir: Path, board: str) -> None:
    path = shared_dir / "models" / "mlperf_tiny" / "ad01_int8.tflite"
    assert cycles_per_mac(path, board, weights_in="sram3") <= IN_RAM[board] + 0.005


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("board", INSTRUCTIONS)
def test_person_detection_takes_few_instructions(shared_dir: Path, board: str) -> None:
    if load_board(board).emulator is not None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    path = shared_dir / "models" / "tflm" / "person_detect.tflite"
    found = api.run(path, board=board, verify=True).result
    assert found.verified
    assert found.instructions_per_mac is not None
    assert found.instructions_per_mac <= INSTRUCTIONS[board] + 0.005
