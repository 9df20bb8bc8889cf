"""Real networks on the virtual F746: the firmware's outputs are LiteRT's, byte for byte."""

from pathlib import Path

import pytest

from penstock import api
from penstock.simulate.verification import arrays_agree
from tests.litert import LITERT_TWINS, LiteRT, random_inputs

BOARD = "stm32f746g-disco"
SMALL = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "tflm/person_detect.tflite",
    "tflm/micro_speech_quantized.tflite",
    "imagenet_int8/mbnet128_0.25_q.tflite",
)
LARGE = (
    "mcunet/mcunet-in3_320kb-1mb_imagenet.tflite",
    "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite",
)


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("name", SMALL)
def test_small_models(
    name: str, compiler: str, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_COMPILER", compiler)
    check(shared_dir / "models" / name, seed=1)


@pytest.mark.board
@pytest.mark.shared
@pytest.mark.parametrize("name", LARGE)
def test_large_models(name: str, shared_dir: Path) -> None:
    check(shared_dir / "models" / name, seed=2)


def check(path: Path, seed: int) -> None:
    inputs = random_inputs(api.load_model(path), seed)
    outcome = api.run(path, board=BOARD, inputs=inputs)
    wanted = LiteRT(path.with_name(LITERT_TWINS.get(path.name, path.name))).run(inputs)
    for found, expected in zip(outcome.outputs, wanted, strict=True):
        assert arrays_agree(found, expected)
    counted = [operator.instructions or 0 for operator in outcome.result.operators]
    assert all(counted)
    assert 0 < (outcome.result.instructions or 0) - sum(counted) < 40 * (len(counted) + 1)
    assert 0 < (outcome.result.stack_bytes or 0) < 1024


@pytest.mark.board
@pytest.mark.shared
def test_mobilenet_v2_uses_external_memories(shared_dir: Path) -> None:
    lowered = api.lower(shared_dir / "models" / LARGE[1], BOARD)
    placement = lowered.plan.placement
    assert placement is not None
    assert (placement.weights, placement.arena) == ("qspi", "sdram")
