"""Well-formed models that cost far more than their size: what a stranger's file may ask for.

Each is legal in every field. They come from LiteRT's own objects of the schema, so that the
repository's reader is all that meets them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tests.frontends.tflite_models import FileModel, FileOperator, FileTensor, options


def tensor(name: str, shape: Sequence[int]) -> FileTensor:
    """Return an int8 tensor of activations."""
    return FileTensor(name, shape, "int8", 0.1)


def probability(name: str, shape: Sequence[int]) -> FileTensor:
    """Return an int8 tensor with the fixed scale of LOGISTIC and SOFTMAX."""
    return FileTensor(name, shape, "int8", 1 / 256, -128)


def constant(name: str, values: Any, scale: float = 0.1) -> FileTensor:
    """Return a constant int8 tensor."""
    data = np.array(values)
    return FileTensor(name, data.shape, "int8", scale, data=data)


def integers(name: str, values: Any) -> FileTensor:
    """Return a constant int32 tensor."""
    data = np.array(values)
    return FileTensor(name, data.shape, "int32", data=data)


def add(left: str, right: str, output: str) -> FileOperator:
    """Return an ADD."""
    return FileOperator("ADD", [left, right], [output], options("AddOptions"))


def pad(data: str, amounts: str, output: str) -> FileOperator:
    """Return a PAD."""
    return FileOperator("PAD", [data, amounts], [output], options("PadOptions"))


def join(parts: Sequence[str], output: str) -> FileOperator:
    """Return a CONCATENATION along dimension 1."""
    return FileOperator("CONCATENATION", parts, [output], options("ConcatenationOptions", axis=1))


def logistic(data: str, output: str) -> FileOperator:
    """Return a LOGISTIC."""
    return FileOperator("LOGISTIC", [data], [output])


def conv(data: str, filters: str, output: str, dilation: int = 1) -> FileOperator:
    """Return a CONV_2D that keeps the image's extent."""
    geometry = options(
        "Conv2DOptions",
        padding=0,
        strideH=1,
        strideW=1,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
    )
    return FileOperator("CONV_2D", [data, filters], [output], geometry)


def chain(count: int) -> FileModel:
    """Return LOGISTICs one after the other."""
    tensors = [probability(f"t{i}", (1, 8)) for i in range(count + 1)]
    operators = [logistic(f"t{i}", f"t{i + 1}") for i in range(count)]
    return FileModel(tensors, operators, ["t0"], [f"t{count}"])


def independents(count: int) -> FileModel:
    """Return LOGISTICs that all have an input and an output of the model."""
    widths = [1 + i % 97 for i in range(count)]
    sources = [tensor(f"i{i}", (1, width)) for i, width in enumerate(widths)]
    results = [probability(f"o{i}", (1, width)) for i, width in enumerate(widths)]
    operators = [logistic(f"i{i}", f"o{i}") for i in range(count)]
    names = [f"i{i}" for i in range(count)], [f"o{i}" for i in range(count)]
    return FileModel([*sources, *results], operators, *names)


def fan(count: int) -> FileModel:
    """Return LOGISTICs that read one tensor, joined by CONCATENATIONs of a thousand."""
    leaves = [f"a{i}" for i in range(count)]
    groups = [leaves[first : first + 1000] for first in range(0, count, 1000)]
    joined = [f"c{i}" for i in range(len(groups))]
    tensors = [tensor("x", (1, 8)), *(probability(name, (1, 8)) for name in leaves)]
    tensors += [probability(n, (1, 8 * len(g))) for n, g in zip(joined, groups, strict=True)]
    tensors.append(probability("y", (1, 8 * count)))
    operators = [logistic("x", name) for name in leaves]
    operators += [join(group, name) for name, group in zip(joined, groups, strict=True)]
    return FileModel(tensors, [*operators, join(joined, "y")], ["x"], ["y"])


def concatenations(count: int, operands: int) -> FileModel:
    """Return CONCATENATIONs of one tensor with itself, side by side."""
    results = [tensor(f"y{i}", (1, operands)) for i in range(count)]
    operators = [join(["x"] * operands, y.name) for y in results]
    return FileModel([tensor("x", (1, 1)), *results], operators, ["x"], [y.name for y in results])


def splits(count: int, parts: int) -> FileModel:
    """Return a SPLIT into ``count`` tensors, each split into ``parts`` of one element."""
    tensors = [tensor("x", (1, count * parts)), integers("axis", 1)]
    rows = [f"q{i}" for i in range(count)]
    tensors += [tensor(name, (1, parts)) for name in rows]
    split = options("SplitOptions", numSplits=count)
    operators = [FileOperator("SPLIT", ["axis", "x"], rows, split)]
    outputs = []
    for row in rows:
        cells = [f"{row}_{i}" for i in range(parts)]
        tensors += [tensor(name, (1, 1)) for name in cells]
        split = options("SplitOptions", numSplits=parts)
        operators.append(FileOperator("SPLIT", ["axis", row], cells, split))
        outputs += cells
    return FileModel(tensors, operators, ["x"], outputs)


def identities(count: int) -> FileModel:
    """Return pairs of a LOGISTIC and a PAD by nothing that writes an output."""
    tensors, operators = [tensor("x", (1, 8)), integers("pads", [[0, 0], [0, 0]])], []
    for i in range(count):
        tensors += [probability(f"a{i}", (1, 8)), probability(f"y{i}", (1, 8))]
        operators += [logistic("x", f"a{i}"), pad(f"a{i}", "pads", f"y{i}")]
    return FileModel(tensors, operators, ["x"], [f"y{i}" for i in range(count)])


def reshapes(count: int) -> FileModel:
    """Return RESHAPEs there and back before a LOGISTIC."""
    shapes = [(1, 8), (8, 1)]
    tensors = [tensor(f"t{i}", shapes[i % 2]) for i in range(count + 1)]
    operators = [
        FileOperator("RESHAPE", [f"t{i}"], [f"t{i + 1}"], options("ReshapeOptions"))
        for i in range(count)
    ]
    tensors.append(probability("y", shapes[count % 2]))
    return FileModel(tensors, [*operators, logistic(f"t{count}", "y")], ["t0"], ["y"])


def padded_convolutions(count: int) -> FileModel:
    """Return PADs one after the other, and as many convolutions of the last."""
    tensors = [tensor("t0", (1, 1, 1, 1)), constant("w", [[[[1]]]])]
    tensors.append(integers("pads", [[0, 0], [1, 0], [0, 0], [0, 0]]))
    tensors += [tensor(f"t{i}", (1, i + 1, 1, 1)) for i in range(1, count + 1)]
    tensors += [tensor(f"y{i}", (1, count + 1, 1, 1)) for i in range(count)]
    operators = [pad(f"t{i}", "pads", f"t{i + 1}") for i in range(count)]
    operators += [conv(f"t{count}", "w", f"y{i}") for i in range(count)]
    return FileModel(tensors, operators, ["t0"], [f"y{i}" for i in range(count)])


def dying_convolutions(count: int) -> FileModel:
    """Return convolutions of two channels, one of which dies from the end, layer by layer."""
    diagonal, first = [[[[64, 0]]], [[[0, 64]]]], [[[[64, 0]]], [[[64, 0]]]]
    tensors = [tensor(f"t{i}", (1, 1, 1, 2)) for i in range(count + 1)]
    tensors += [constant(f"w{i}", diagonal, 0.01) for i in range(count - 1)]
    tensors.append(constant(f"w{count - 1}", first, 0.01))
    operators = [conv(f"t{i}", f"w{i}", f"t{i + 1}") for i in range(count)]
    return FileModel(tensors, operators, ["t0"], [f"t{count}"])


def tied_sums(count: int) -> FileModel:
    """Return ADDs in a row between a convolution and one that reads half of the channels."""
    tensors = [tensor("x", (1, 1, 1, 2)), constant("c", [[[[1, 1]]]])]
    tensors.append(constant("w", [[[[64, 64]]], [[[64, 64]]]], 0.01))
    tensors.append(constant("v", [[[[64, 0]]], [[[64, 0]]]], 0.01))
    tensors += [tensor(f"t{i}", (1, 1, 1, 2)) for i in range(count + 1)]
    tensors.append(tensor("y", (1, 1, 1, 2)))
    sums = [add(f"t{i}", "c", f"t{i + 1}") for i in range(count)]
    operators = [conv("x", "w", "t0"), *sums, conv(f"t{count}", "v", "y")]
    return FileModel(tensors, operators, ["x"], ["y"])


def weightless_convolutions(count: int) -> FileModel:
    """Return convolutions all of whose channels are constant, each before an ADD."""
    tensors = [tensor("x", (1, 1, 1, 4)), constant("w", np.zeros((4, 1, 1, 4)))]
    operators = []
    for i in range(count):
        tensors += [tensor(f"a{i}", (1, 1, 1, 4)), tensor(f"y{i}", (1, 1, 1, 4))]
        operators += [conv("x", "w", f"a{i}"), add(f"a{i}", "x", f"y{i}")]
    return FileModel(tensors, operators, ["x"], [f"y{i}" for i in range(count)])


def shared_filters(count: int, channels: int) -> FileModel:
    """Return convolutions in a row that all read one tensor of weights, half of them zero."""
    weights = np.random.default_rng(0).integers(-127, 128, (channels, 1, 1, channels))
    weights[..., ::2] = 0
    tensors = [tensor(f"t{i}", (1, 1, 1, channels)) for i in range(count + 1)]
    operators = [conv(f"t{i}", "w", f"t{i + 1}") for i in range(count)]
    return FileModel([*tensors, constant("w", weights)], operators, ["t0"], [f"t{count}"])


def dilated(dilation: int) -> FileModel:
    """Return a convolution of one pixel, whose nine taps lie ``dilation`` apart."""
    pixel = (1, 1, 1, 1)
    tensors = [tensor("x", pixel), constant("w", np.ones((1, 3, 3, 1))), tensor("y", pixel)]
    return FileModel(tensors, [conv("x", "w", "y", dilation)], ["x"], ["y"])


def padded_constants(count: int, elements: int) -> FileModel:
    """Return constants of four elements, each padded to many more, and then an ADD of a scalar."""
    tensors = [tensor("x", (1, 1)), integers("pads", [[0, 0], [0, elements - 4]])]
    operators = []
    for i in range(count):
        tensors.append(constant(f"c{i}", np.ones((1, 4))))
        tensors += [tensor(f"s{i}", (1, elements)), tensor(f"y{i}", (1, elements))]
        operators += [pad(f"c{i}", "pads", f"s{i}"), add(f"s{i}", "x", f"y{i}")]
    return FileModel(tensors, operators, ["x"], [f"y{i}" for i in range(count)])


def sliced_constant(elements: int) -> FileModel:
    """Return a constant that is padded, passed through a LOGISTIC, and cut down to 4 elements."""
    tensors = [constant("c", np.ones((1, 4))), integers("pads", [[0, 0], [0, elements - 4]])]
    tensors += [integers("begin", [0, 0]), integers("end", [1, 4]), integers("strides", [1, 1])]
    tensors += [tensor("s", (1, elements)), probability("q", (1, elements))]
    tensors += [probability("k", (1, 4)), tensor("x", (1, 4)), tensor("y", (1, 4))]
    cut = options("StridedSliceOptions")
    operators = [
        pad("c", "pads", "s"),
        logistic("s", "q"),
        FileOperator("STRIDED_SLICE", ["q", "begin", "end", "strides"], ["k"], cut),
        add("k", "x", "y"),
    ]
    return FileModel(tensors, operators, ["x"], ["y"])


def pooled_constant(extent: int, window: int) -> FileModel:
    """Return a constant image, blown up and averaged over windows, before an ADD."""
    sides = (1, extent, extent, 1)
    result = (1, extent - window + 1, extent - window + 1, 1)
    pads = [[0, 0], [0, extent - 1], [0, extent - 1], [0, 0]]
    tensors = [tensor("x", (1, 1, 1, 1)), constant("c", [[[[1]]]]), integers("pads", pads)]
    tensors += [tensor("s", sides), tensor("q", result), tensor("y", result)]
    pool = options(
        "Pool2DOptions", padding=1, strideH=1, strideW=1, filterHeight=window, filterWidth=window
    )
    pooled = FileOperator("AVERAGE_POOL_2D", ["s"], ["q"], pool)
    return FileModel(tensors, [pad("c", "pads", "s"), pooled, add("q", "x", "y")], ["x"], ["y"])


def outer_sum(rows: int, columns: int, *, of_constants: bool = False) -> FileModel:
    """Return the sum of a constant column and a row: of the model's input, or of a constant."""
    tensors = [constant("column", np.ones((rows, 1))), tensor("x", (1, columns))]
    tensors.append(tensor("y", (rows, columns)))
    if not of_constants:
        return FileModel(tensors, [add("column", "x", "y")], ["x"], ["y"])
    tensors += [constant("row", np.ones((1, columns))), tensor("s", (rows, columns))]
    operators = [add("column", "row", "s"), add("s", "x", "y")]
    return FileModel(tensors, operators, ["x"], ["y"])


def clamps(count: int, shape: Sequence[int]) -> FileModel:
    """Return RELU6 operators in a row on tensors of one shape."""
    tensors = [FileTensor(f"t{i}", shape, "int8", 0.1 * (i + 1)) for i in range(count + 1)]
    names = [tensor.name for tensor in tensors]
    operators = [FileOperator("RELU6", [left], [right]) for left, right in pairwise(names)]
    return FileModel(tensors, operators, names[:1], names[-1:])


def transposes(count: int, shape: Sequence[int]) -> FileModel:
    """Return TRANSPOSEs in a row that turn the order of all dimensions."""
    turned = list(shape)[::-1]
    tensors = [tensor(f"t{i}", turned if i % 2 else list(shape)) for i in range(count + 1)]
    order = integers("order", list(range(len(turned)))[::-1])
    operators = [
        FileOperator("TRANSPOSE", [f"t{i}", "order"], [f"t{i + 1}"], options("TransposeOptions"))
        for i in range(count)
    ]
    return FileModel([*tensors, order], operators, ["t0"], [f"t{count}"])


def large_weights(channels: int) -> FileModel:
    """Return a FULLY_CONNECTED whose weights make the file large."""
    weights = np.random.default_rng(0).integers(-127, 128, (channels, channels), np.int8)
    tensors = [tensor("x", (1, channels)), tensor("y", (1, channels))]
    tensors.append(FileTensor("w", weights.shape, "int8", 0.01, data=weights))
    product = FileOperator(
        "FULLY_CONNECTED", ["x", "w", None], ["y"], options("FullyConnectedOptions")
    )
    return FileModel(tensors, [product], ["x"], ["y"])


def long_names(count: int, length: int) -> FileModel:
    """Return a chain whose tensors are all named alike, and at length."""
    model = chain(count)

    def rename(made: Any) -> None:
        for entry in made.subgraphs[0].tensors:
            entry.name = b"n/" * (length // 2)

    model.edit = rename
    return model
