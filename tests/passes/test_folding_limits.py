"""What folding may make of a small file has limits."""

import re

import pytest

from penstock.errors import UnsupportedError
from penstock.frontends.tflite import read_model
from penstock.passes import FoldConstants
from tests.frontends.tflite_models import FileModel
from tests.hostile_models import padded_constants, pooled_constant

MEBI = 1 << 20


def fold(model: FileModel) -> int:
    """Return how many operators are left."""
    return len(FoldConstants().apply(read_model(model.to_bytes(), "model")).operators)


def test_constants_within_the_limits_are_folded() -> None:
    assert fold(padded_constants(16, MEBI)) == 16
    assert fold(pooled_constant(256, window=64)) == 1


def test_constants_together_have_a_limit() -> None:
    message = (
        "operator 32 (PAD): tensor 's16' depends on no input; computing it and the constants "
        "before it takes 17825792 elements, 16777216 are allowed\n"
        "  help: compute it before exporting the model, and store the result"
    )
    with pytest.raises(UnsupportedError, match=re.escape(message)):
        fold(padded_constants(17, MEBI))


def test_work_has_a_limit() -> None:
    message = (
        r"operator 1 \(AVERAGE_POOL_2D\): .* takes 6432040000 multiply-accumulates, 4294967296 are"
    )
    with pytest.raises(UnsupportedError, match=message):
        fold(pooled_constant(600, window=200))
