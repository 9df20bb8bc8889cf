"""Which activations have one quantization together, and which it is.

Operators that compare numbers as they are, move them or put them side by side need operands and
results on one scale: TensorFlow Lite 8-bit quantization specification.
"""

from collections.abc import Iterable, Mapping, Sequence

from penstock.errors import InputError, UnsupportedError
from penstock.ir import operators as ops
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.quantization import QuantizationParameters
from penstock.quantize.affine import choose_activation_parameters
from penstock.quantize.observers import ValueRange

FIXED: Mapping[type[Operator], QuantizationParameters] = {
    ops.Softmax: QuantizationParameters.per_tensor(1.0 / 256.0, -128),
    ops.Logistic: QuantizationParameters.per_tensor(1.0 / 256.0, -128),
    ops.Tanh: QuantizationParameters.per_tensor(1.0 / 128.0, 0),
}
"""Outputs whose quantization is part of the operator."""
SHARING = (
    ops.MaxPool2D
    | ops.AveragePool2D
    | ops.Maximum
    | ops.Minimum
    | ops.Pad
    | ops.Reshape
    | ops.Transpose
    | ops.StridedSlice
    | ops.Concatenation
    | ops.Split
    | ops.Pack
)
"""Operators whose tensors are all quantized alike."""


def choose_parameters(
    graph: Graph, ranges: Mapping[str, ValueRange]
) -> dict[str, QuantizationParameters]:
    """Return the int8 quantization of every activation.

    Args:
        graph: float32.
        ranges: of activations; of those that share a quantization one is enough, and of those
            that an operator decides none is needed.

    Raises:
        InputError: nothing is known about an activation's range.
        UnsupportedError: an operator puts outputs side by side that have fixed, different scales.
    """
    groups = _groups(graph)
    fixed = {
        output: FIXED[type(operator)]
        for operator in graph.operators
        if type(operator) in FIXED
        for output in operator.outputs
    }
    chosen: dict[str, QuantizationParameters] = {}
    for names in groups:
        parameters = _parameters_of(names, fixed, ranges)
        chosen |= dict.fromkeys(names, parameters)
    return chosen


def _parameters_of(
    names: Sequence[str],
    fixed: Mapping[str, QuantizationParameters],
    ranges: Mapping[str, ValueRange],
) -> QuantizationParameters:
    given = {fixed[name] for name in names if name in fixed}
    if len(given) > 1:
        raise UnsupportedError(
            f"{', '.join(sorted(n for n in names if n in fixed))} are to have one scale, but "
            "sigmoid and softmax have one of 1/256, tanh one of 1/128",
            help="put an operator that computes, such as a 1x1 convolution, between them",
        )
    if given:
        return given.pop()
    seen = [ranges[name] for name in names if name in ranges]
    if not seen:
        raise InputError(
            f"no range was observed for tensor {names[0]!r}",
            help="calibrate with data that reaches every operator",
        )
    whole = seen[0]
    for other in seen[1:]:
        whole = whole.union(other)
    return choose_activation_parameters(whole.low, whole.high)


def _groups(graph: Graph) -> Iterable[Sequence[str]]:
    """Return the activations, those that are quantized alike together."""
    activations = [name for name, tensor in graph.tensors.items() if not tensor.is_constant]
    leader = {name: name for name in activations}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for operator in graph.operators:
        if isinstance(operator, SHARING):
            first, *others = (
                name for name in (*operator.inputs, *operator.outputs) if name in leader
            )
            for other in others:
                leader[find(other)] = find(first)
    groups: dict[str, list[str]] = {}
    for name in activations:
        groups.setdefault(find(name), []).append(name)
    return groups.values()
