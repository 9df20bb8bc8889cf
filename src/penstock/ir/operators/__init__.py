"""Operators: one frozen dataclass each, with explicit geometry and named tensors.

Semantics, quantization included, are those of TensorFlow Lite's reference kernels; the NumPy
interpreter (`penstock.ir.interpreter`) is their definition here. Spatial attributes are
``(height, width)``. Padding is always explicit, in elements; padded elements have the real value 0,
that is the input's zero point, and average and maximum pooling leave them out.
"""

from penstock.ir.operators.base import (
    NO_PADDING,
    OPERATORS,
    Activation,
    AverageRounding,
    MultiplierSource,
    Operator,
    Padding2D,
)
from penstock.ir.operators.elementwise import (
    Add,
    Dequantize,
    HardSwish,
    LeakyRelu,
    Logistic,
    Maximum,
    Minimum,
    Mul,
    Quantize,
    Relu,
    Sub,
    Tanh,
)
from penstock.ir.operators.movement import (
    Concatenation,
    Pack,
    Pad,
    Reshape,
    Shape,
    Split,
    StridedSlice,
    Transpose,
)
from penstock.ir.operators.reductions import AveragePool2D, LogSoftmax, MaxPool2D, Mean, Softmax
from penstock.ir.operators.weighted import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Svdf,
    TransposeConv2D,
)

__all__ = [
    "NO_PADDING",
    "OPERATORS",
    "Activation",
    "Add",
    "AveragePool2D",
    "AverageRounding",
    "Concatenation",
    "Conv2D",
    "DepthwiseConv2D",
    "Dequantize",
    "FullyConnected",
    "HardSwish",
    "LeakyRelu",
    "LogSoftmax",
    "Logistic",
    "MaxPool2D",
    "Maximum",
    "Mean",
    "Minimum",
    "Mul",
    "MultiplierSource",
    "Operator",
    "Pack",
    "Pad",
    "Padding2D",
    "Quantize",
    "Relu",
    "Reshape",
    "Shape",
    "Softmax",
    "Split",
    "StridedSlice",
    "Sub",
    "Svdf",
    "Tanh",
    "Transpose",
    "TransposeConv2D",
]
