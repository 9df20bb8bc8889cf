"""Random layers whose filters can be stored in fewer bytes than int8 takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Activation, Operator, Padding2D
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.kernel_set import Encoding

Random = np.random.Generator
ACTIVATIONS = (Activation.NONE, Activation.NONE, Activation.RELU, Activation.RELU6)
DENSITIES = (0.0, 0.01, 0.1, 0.25, 0.25, 0.25, 0.4)


@dataclass(frozen=True, slots=True)
class Looks:
    """How filters look.

    Attributes:
        low, high: their least and largest values, both of which occur.
        densities: shares of them that are not zero, one of which is taken.
    """

    low: int
    high: int
    densities: tuple[float, ...]


LOOKS = {
    Encoding.SPARSE: Looks(-128, 127, DENSITIES),
    Encoding.INT4: Looks(-8, 7, (0.0, 0.5, 1.0, 1.0, 1.0)),
}


def filters(random: Random, shape: tuple[int, ...], looks: Looks) -> Array:
    """Return random int8 filters ``[channels, ...]``; some channels may be all zeros."""
    data = random.integers(looks.low, looks.high + 1, shape)
    ends = random.random(shape) < 0.2
    data[ends] = random.choice([looks.low, looks.high], int(ends.sum()))
    kept = random.random(shape) < float(random.choice(looks.densities))
    if random.random() < 0.3:
        kept &= (random.random(shape[0]) < 0.7).reshape(-1, *(1,) * (len(shape) - 1))
    if random.random() < 0.3:
        kept[..., :-1] = False  # all but one of each few taps skipped
    return np.where(kept, data, 0).astype(np.int8)


def graph_of(
    random: Random,
    operator: Operator,
    source: tuple[int, ...],
    output: tuple[int, ...],
    data: Array,
) -> Graph:
    """Return a graph of an operator on ``x``, with filters ``w``, a bias ``b`` and result ``y``."""
    channels = len(data)
    count = channels if random.random() < 0.7 else 1
    scale = 0.05
    factors = np.exp2(random.uniform(-11, -4, count))
    steps = tuple(float(np.float32(factor)) for factor in factors)
    axis = 0 if count > 1 else None
    points = [int(point) for point in random.integers(-128, 128, 2)]
    tensors = [
        Tensor("x", source, DType.INT8, QuantizationParameters.per_tensor(scale, points[0])),
        Tensor(
            "w", data.shape, DType.INT8, QuantizationParameters(steps, (0,) * count, axis), data
        ),
        Tensor("y", output, DType.INT8, QuantizationParameters.per_tensor(scale, points[1])),
    ]
    if "b" in operator.inputs:
        bias = random.integers(-3000, 3000, channels).astype(np.int32)
        products = tuple(float(np.float32(scale * step)) for step in steps)
        quantization = QuantizationParameters(products, (0,) * count, axis)
        tensors.append(Tensor("b", (channels,), DType.INT32, quantization, bias))
    return Graph.build("layer", tensors, [operator], ["x"], ["y"])


def convolution(random: Random, looks: Looks, *, points: bool) -> Graph:
    """Return a convolution of any geometry, or of 1x1."""
    pick: Any = random.choice
    taps = (1, 1) if points else (int(pick([1, 2, 3])), int(pick([1, 2, 3, 5])))
    stride = int(pick([1, 1, 2])), int(pick([1, 1, 2]))
    dilation = int(pick([1, 1, 2])), int(pick([1, 1, 2]))
    sides = [int(side) for side in random.integers(0, 2, 4)]
    padding = Padding2D(0, 0, 0, 0) if random.random() < 0.5 else Padding2D(*sides)
    reach = [(taps[n] - 1) * dilation[n] + 1 for n in (0, 1)]
    size = [reach[n] + int(random.integers(0, 8)) for n in (0, 1)]
    depth, channels = int(pick([1, 3, 4, 8, 17, 40, 90])), int(random.integers(1, 20))
    source = int(pick([1, 1, 2])), *size, depth
    around = padding.top + padding.bottom, padding.left + padding.right
    extents = [(size[n] + around[n] - reach[n]) // stride[n] + 1 for n in (0, 1)]
    data = filters(random, (channels, *taps, depth), looks)
    operator = ops.Conv2D(
        input="x",
        filters="w",
        bias="b" if random.random() < 0.8 else None,
        output="y",
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=pick(ACTIVATIONS),
    )
    return graph_of(random, operator, source, (source[0], *extents, channels), data)


def dense(random: Random, looks: Looks) -> Graph:
    """Return a fully connected layer of several rows."""
    rows, depth, channels = (int(random.integers(1, most)) for most in (4, 200, 30))
    operator = ops.FullyConnected(
        input="x",
        filters="w",
        bias="b" if random.random() < 0.8 else None,
        output="y",
        activation=random.choice(ACTIVATIONS),  # type: ignore[arg-type]
    )
    data = filters(random, (channels, depth), looks)
    return graph_of(random, operator, (rows, depth), (rows, channels), data)


def layer(seed: int, looks: Looks) -> Graph:
    """Return a layer, always the same one of a seed."""
    random = np.random.default_rng(seed)
    if seed % 3 == 0:
        return dense(random, looks)
    return convolution(random, looks, points=seed % 3 == 1)


SEEDS = st.integers(0, 1 << 32)
