"""Networks small enough to read, lowered by the real kernel selection."""

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import (
    Activation,
    Add,
    Conv2D,
    FullyConnected,
    Operator,
    Padding2D,
    Reshape,
    Softmax,
    Svdf,
)
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.kernels.selection import select_kernels
from penstock.planning import ExecutionPlan, plan_execution


def _quantized(name: str, shape: tuple[int, ...], scale: float, zero_point: int = 0) -> Tensor:
    parameters = QuantizationParameters.per_tensor(float(np.float32(scale)), zero_point)
    return Tensor(name, shape, DType.INT8, parameters)


def _constant(name: str, values: np.ndarray, scale: float) -> Tensor:
    dtype = DType.from_numpy(values.dtype)
    parameters = QuantizationParameters.per_tensor(float(np.float32(scale)), 0)
    return Tensor(name, values.shape, dtype, parameters, data=values)


def classifier(name: str = "tiny", image: str = "image") -> Graph:
    """Convolution, residual addition, re-labelling, fully connected, softmax."""
    filters = (np.arange(18, dtype=np.int8) * 7 - 60).reshape(2, 3, 3, 1)
    weights = (np.arange(108, dtype=np.int8) - 50).reshape(3, 36)
    tensors = [
        _quantized(image, (1, 6, 6, 1), 0.5, -1),
        _constant("filters", filters, 0.25),
        _constant("bias", np.array([100, -100], np.int32), 0.125),
        _quantized("features", (1, 6, 6, 2), 2.0, -128),
        _quantized("sum", (1, 6, 6, 2), 3.0, -128),
        _quantized("flat", (2, 36), 3.0, -128),
        _constant("weights", weights, 0.01),
        _quantized("scores", (2, 3), 1.5, 4),
        _quantized("probabilities", (2, 3), 1 / 256, -128),
    ]
    operators: list[Operator] = [
        Conv2D(
            source=0,
            input=image,
            filters="filters",
            bias="bias",
            output="features",
            padding=Padding2D(1, 1, 1, 1),
            activation=Activation.RELU,
        ),
        Add(source=1, left="features", right="features", output="sum"),
        Reshape(source=2, input="sum", output="flat"),
        FullyConnected(source=3, input="flat", filters="weights", output="scores"),
        Softmax(source=None, input="scores", output="probabilities"),
    ]
    return Graph.build(name, tensors, operators, [image], ["probabilities", "scores"])


def recurrent() -> Graph:
    """One SVDF layer, whose state starts at its zero point."""
    state = Tensor(
        "memory",
        (1, 8),
        DType.INT16,
        QuantizationParameters.per_tensor(0.0625, 0),
        is_variable=True,
    )
    tensors = [
        _quantized("sound", (1, 3), 0.5),
        _constant("features", np.arange(6, dtype=np.int8).reshape(2, 3) * 9 - 20, 0.125),
        _constant("time", np.arange(8, dtype=np.int16).reshape(2, 4) * 1000 - 3000, 2**-12),
        state,
        _quantized("command", (1, 2), 0.25, 3),
    ]
    operator = Svdf(
        source=0,
        input="sound",
        feature_weights="features",
        time_weights="time",
        state="memory",
        output="command",
        rank=1,
    )
    return Graph.build("recurrent", tensors, [operator], ["sound"], ["command"])


def plan_of(graph: Graph) -> ExecutionPlan:
    return plan_execution(select_kernels(graph), None)
