"""Whole networks on the virtual STM32F746G-DISCO: the flashed ELF gives LiteRT's bytes."""

from pathlib import Path

import numpy as np
import pytest

from penstock import api
from penstock.frontends.inputs import load_inputs
from penstock.simulate.verification import arrays_agree
from tests.litert import LITERT_TWINS, LiteRT, random_inputs

BOARD = "stm32f746g-disco"
MOBILENET = "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite"
MODELS = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "tflm/person_detect.tflite",
    "tflm/micro_speech_quantized.tflite",
    "imagenet_int8/mbnet128_0.25_q.tflite",
    "mcunet/mcunet-in3_320kb-1mb_imagenet.tflite",
)
COMPILERS = ("gcc", "zig")
PHOTOS = {"parrot.jpg": "macaw", "cat.bmp": "egyptian cat"}
"""A word of the label that LiteRT gives; only a sanity check beside the comparison of bytes."""

pytestmark = [pytest.mark.board, pytest.mark.shared]


def expect_litert_bytes(path: Path, outcome: api.RunOutcome, inputs: list[np.ndarray]) -> None:
    """Check one run against LiteRT."""
    wanted = LiteRT(path.with_name(LITERT_TWINS.get(path.name, path.name))).run(inputs)
    assert all(map(arrays_agree, outcome.outputs, wanted))


def expect_plausible_counts(outcome: api.RunOutcome) -> None:
    """Every step counted; the loop over the steps costs a few instructions; little stack.

    A depthwise filter that is not of 3x3 takes half a KiB of it.
    """
    counted = [operator.instructions or 0 for operator in outcome.result.operators]
    assert all(counted)
    assert 0 < (outcome.result.instructions or 0) - sum(counted) < 40 * (len(counted) + 1)
    assert 0 < (outcome.result.stack_bytes or 0) < 1200


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", MODELS)
def test_model_on_board(
    name: str, compiler: str, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_COMPILER", compiler)
    path = shared_dir / "models" / name
    inputs = random_inputs(api.load_model(path), seed=7)
    outcome = api.run(path, board=BOARD, inputs=inputs, verify=True)
    expect_litert_bytes(path, outcome, inputs)
    assert outcome.result.verified
    expect_plausible_counts(outcome)


@pytest.mark.parametrize("photo", PHOTOS)
def test_photos_from_external_memory(photo: str, shared_dir: Path) -> None:
    path = shared_dir / "models" / MOBILENET
    image = shared_dir / "images" / photo
    outcome = api.run(path, board=BOARD, inputs=image)
    inputs = list(load_inputs(api.load_model(path), image).arrays)
    expect_litert_bytes(path, outcome, inputs)
    expect_plausible_counts(outcome)
    assert {"qspi", "sdram"} <= outcome.result.memory.keys(), "it cannot fit internal memory"
    labels = (shared_dir / "images" / "imagenet_labels.txt").read_text().splitlines()
    answer = int(np.argmax(outcome.outputs[0]))
    assert PHOTOS[photo] in labels[answer - (1001 - len(labels))].lower()
