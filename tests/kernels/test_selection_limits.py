"""Constants that a C compiler would take minutes for are refused."""

import re

import numpy as np
import pytest

from penstock.errors import UnsupportedError
from penstock.frontends.tflite import read_model
from penstock.kernels.selection import select_kernels
from tests.frontends.tflite_models import FileModel, FileOperator, FileTensor, options


def joined(count: int) -> FileModel:
    """Return a model that joins an input of one element and an int32 constant."""
    tensors = [
        FileTensor("x", (1, 1), "int32"),
        FileTensor("c", (1, count), "int32", data=np.arange(count).reshape(1, count)),
        FileTensor("y", (1, count + 1), "int32"),
    ]
    join = options("ConcatenationOptions", axis=1)
    return FileModel(
        tensors, [FileOperator("CONCATENATION", ["x", "c"], ["y"], join)], ["x"], ["y"]
    )


def test_wide_constants_have_a_limit() -> None:
    limit = 1 << 21
    assert len(select_kernels(read_model(joined(limit).to_bytes(), "model")).constants) == 1
    message = (
        "the program's constants of more than one byte each (biases, multipliers, 16-bit data) "
        "have 2097153 elements together, the limit is 2097152"
    )
    with pytest.raises(UnsupportedError, match=re.escape(message)):
        select_kernels(read_model(joined(limit + 1).to_bytes(), "model"))
