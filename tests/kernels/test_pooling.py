"""Pooling of four channels at a time: when it is taken, and sums at the limits of 16 bits."""

import numpy as np
import pytest

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import trace
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_set import KernelSet
from penstock.kernels.selection import select_kernels
from tests.kernels.driver import Program

Kind = type[ops.AveragePool2D] | type[ops.MaxPool2D]


def pool(kind: Kind, window: tuple[int, int], channels: int, dtype: DType = DType.INT8) -> Graph:
    same = QuantizationParameters.per_tensor(0.5, 0)
    tensors = [
        Tensor("x", (1, *window, channels), dtype, quantization=same),
        Tensor("y", (1, 1, 1, channels), dtype, quantization=same),
    ]
    operator = kind(input="x", output="y", filter=window)
    return Graph.build("pool", tensors, [operator], ["x"], ["y"])


@pytest.mark.parametrize(
    ("kind", "window", "channels", "dtype", "expected"),
    [
        (ops.AveragePool2D, (15, 17), 4, DType.INT8, "ps_average_pool_2d_dsp_s8"),
        (ops.AveragePool2D, (16, 16), 4, DType.INT8, "ps_average_pool_2d_s8"),
        (ops.AveragePool2D, (2, 2), 6, DType.INT8, "ps_average_pool_2d_s8"),
        (ops.AveragePool2D, (2, 2), 4, DType.INT16, "ps_average_pool_2d_s16"),
        (ops.MaxPool2D, (16, 16), 4, DType.INT8, "ps_max_pool_2d_dsp_s8"),
        (ops.MaxPool2D, (2, 2), 5, DType.INT8, "ps_max_pool_2d_s8"),
    ],
)
def test_it_is_taken_where_its_conditions_hold(
    kind: Kind, window: tuple[int, int], channels: int, dtype: DType, expected: str
) -> None:
    (call,) = select_kernels(pool(kind, window, channels, dtype), KernelSet.DSP_DUAL).calls
    assert call.kernel.name == expected


@pytest.mark.parametrize("value", [-128, 127])
def test_the_largest_sums_fit(value: int) -> None:
    """255 elements of -128 add up to -32,640; neighbours do not touch one another."""
    graph = pool(ops.AveragePool2D, (15, 17), 8)
    image = np.full((1, 15, 17, 8), value, np.int8)
    image[..., 1::3] = ~np.int8(value)
    found = Program(select_kernels(graph, KernelSet.DSP_DUAL)).trace({"x": image})["y"]
    np.testing.assert_array_equal(found, image[:, :1, :1])
    np.testing.assert_array_equal(found, trace(graph, {"x": image})["y"])
