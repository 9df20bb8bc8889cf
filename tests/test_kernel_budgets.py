"""Cycles per MAC of models with the fast kernels: what they took once, they may not exceed."""

from pathlib import Path

import pytest

from penstock import api

M7, M4, M33 = "stm32f746g-disco", "nucleo-l4r5zi", "nucleo-u575zi-q"
BUDGETS = {
    "pretrainedResnet_quant": {M7: 0.82, M4: 1.52, M33: 1.33},
    "vww_96_int8": {M7: 0.70, M4: 1.26, M33: 1.08},
    "kws_ref_model": {M7: 1.10, M4: 2.01, M33: 1.72},
    "ad01_int8": {M7: 1.72, M4: 2.63, M33: 2.20},
}
"""Simulated cycles for each MAC of the original model, rounded up to a hundredth."""


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("board", [M7, M4, M33])
@pytest.mark.parametrize("model", BUDGETS)
def test_models_take_no_more_cycles_than_before(shared_dir: Path, model: str, board: str) -> None:
    options = api.CompileOptions(check=False)
    path = shared_dir / "models" / "mlperf_tiny" / f"{model}.tflite"
    found = api.run(path, board=board, options=options, verify=True).result
    assert found.verified
    assert found.cycles_per_mac is not None
    assert found.cycles_per_mac <= BUDGETS[model][board] + 0.005
