"""Operators that move elements, and those that hand them on."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, numpy_helper

from penstock.frontends.onnx.values import Constant, Node
from penstock.ir import operators as ops

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation


def _reshape(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    given = t.shape(value)
    wanted = t.integers(node, 1, "shape") or []
    if not node.attribute("allowzero", 0):
        wanted = [
            given[n] if extent == 0 and n < len(given) else extent
            for n, extent in enumerate(wanted)
        ]
    if wanted.count(-1) == 1:
        rest = math.prod(extent for extent in wanted if extent != -1)
        wanted[wanted.index(-1)] = math.prod(given) // rest if rest else 0
    _set_shape(t, node, wanted)


def _set_shape(t: "Translation", node: Node, shape: Sequence[int]) -> None:
    """Give the node's input another shape; elements keep ONNX's order."""
    value = t.computed(node)
    if math.prod(shape) != math.prod(t.shape(value)) or min(shape, default=1) < 1:
        raise t.refused(
            node,
            f"makes {list(shape)} of {list(t.shape(value))}",
            "export the network for a batch of 1, with shapes that are fixed",
        )
    source = t.elements(value)
    t.append(ops.Reshape(input=source, output=t.add_output(node, shape)))


def _flatten(t: "Translation", node: Node) -> None:
    shape = t.shape(t.computed(node))
    axis = node.attribute("axis", 1)
    at = axis + len(shape) if axis < 0 else axis
    _set_shape(t, node, (math.prod(shape[:at]), math.prod(shape[at:])))


def _squeeze(t: "Translation", node: Node) -> None:
    shape = t.shape(t.computed(node))
    given = t.integers(node, 1, "axes")
    ones = [axis for axis, extent in enumerate(shape) if extent == 1]
    axes = ones if given is None else [t.axis(node, axis, len(shape)) for axis in given]
    _set_shape(t, node, [extent for axis, extent in enumerate(shape) if axis not in axes])


def _unsqueeze(t: "Translation", node: Node) -> None:
    shape = list(t.shape(t.computed(node)))
    given = t.integers(node, 1, "axes") or []
    rank = len(shape) + len(given)
    for axis in sorted(t.axis(node, axis, rank) for axis in given):
        shape.insert(axis, 1)
    _set_shape(t, node, shape)


def _transpose(t: "Translation", node: Node) -> None:
    """Nothing moves: what reads the value learns where its dimensions are."""
    value = t.computed(node)
    rank = len(value.order)
    permutation = node.attribute("perm") or list(reversed(range(rank)))
    if sorted(permutation) != list(range(rank)):
        raise t.refused(
            node, f"has the permutation {list(permutation)} of {rank} dimensions", "export it again"
        )
    t.set_value(node, t.turned(value, permutation))


def _concat(t: "Translation", node: Node) -> None:
    values = [t.computed(node, position) for position in range(len(node.proto.input))]
    order = values[0].order
    shapes = [t.shape(value) for value in values]
    axis = t.axis(node, node.attribute("axis", 0), len(order))
    beside = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(beside) != 1:
        raise t.refused(node, f"joins {[list(s) for s in shapes]}", "export the model again")
    total = sum(shape[axis] for shape in shapes)
    shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    operands = tuple(t.in_order(value, order) for value in values)
    output = t.add_output(node, shape, order)
    t.append(ops.Concatenation(operands=operands, output=output, axis=order[axis]))


def _split(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    shape = t.shape(value)
    axis = t.axis(node, node.attribute("axis", 0), len(shape))
    count = len(node.proto.output)
    sizes = t.integers(node, 1, "split")
    if sizes is None:
        size = -(-shape[axis] // count)
        sizes = [size] * (count - 1) + [shape[axis] - size * (count - 1)]
    if len(sizes) != count or sum(sizes) != shape[axis] or min(sizes) < 1:
        raise t.refused(
            node, f"cuts {shape[axis]} elements into {sizes}", "name sizes that add up to that"
        )
    results = tuple(
        t.add_output(node, (*shape[:axis], size, *shape[axis + 1 :]), value.order, position)
        for position, size in enumerate(sizes)
    )
    t.append(ops.Split(input=value.tensor, results=results, axis=value.order[axis]))


def _slice(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    shape = t.shape(value)
    starts, ends = t.integers(node, 1, "starts") or [], t.integers(node, 2, "ends") or []
    axes = t.integers(node, 3, "axes") or list(range(len(starts)))
    steps = t.integers(node, 4, "steps") or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise t.refused(node, "has starts, ends and steps that do not fit", "export it again")
    taken = [range(extent) for extent in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = t.axis(node, axis, len(shape))
        taken[at] = range(*slice(start, end, step).indices(shape[at]))
    if not all(taken):
        raise t.refused(node, f"takes no element of {list(shape)}", "export the model again")
    output = t.add_output(node, [len(part) for part in taken], value.order)
    placed = [taken[value.order.index(axis)] for axis in range(len(shape))]
    t.append(
        ops.StridedSlice(
            input=value.tensor,
            output=output,
            begin=tuple(part[0] for part in placed),
            extents=tuple(len(part) for part in placed),
            strides=tuple(part.step for part in placed),
        )
    )


def _pad(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    shape = t.shape(value)
    amounts = t.integers(node, 1, "pads") or []
    number = t.numbers(node, 2)
    written = 0.0 if number is None or not number.size else float(number.reshape(-1)[0])
    if node.attribute("mode", "constant") != "constant" or written != 0:
        raise t.refused(node, "pads with something else than 0", "pad with zeros")
    axes = t.integers(node, 3, "axes") or list(range(len(shape)))
    if len(amounts) != 2 * len(axes) or min(amounts, default=0) < 0:
        raise t.refused(
            node, f"pads {len(axes)} dimensions by {amounts}", "pad each by numbers from 0"
        )
    around = [(0, 0)] * len(shape)
    for axis, before, behind in zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True):
        around[t.axis(node, axis, len(shape))] = (before, behind)
    larger = [extent + sum(pair) for extent, pair in zip(shape, around, strict=True)]
    output = t.add_output(node, larger, value.order)
    placed = tuple(around[value.order.index(axis)] for axis in range(len(shape)))
    t.append(ops.Pad(input=value.tensor, output=output, paddings=placed))


def _same(t: "Translation", node: Node) -> None:
    t.set_value(node, t.value(node, 0))


def _cast(t: "Translation", node: Node) -> None:
    if node.attribute("to") != TensorProto.FLOAT:
        raise t.refused(node, "casts to something else than float32", "compute in float32")
    _same(t, node)


def _constant(t: "Translation", node: Node) -> None:
    tensor = node.attribute("value")
    if tensor is not None:
        t.set_value(node, Constant(numpy_helper.to_array(tensor)))
        return
    for name, kind in (("value_float", np.float32), ("value_int", np.int64)):
        for attribute in (name, f"{name}s"):
            given = node.attribute(attribute)
            if given is not None:
                t.set_value(node, Constant(np.array(given, kind)))
                return
    raise t.refused(node, "is no constant of numbers", "store numbers in a dense tensor")


def _shape(t: "Translation", node: Node) -> None:
    shape = t.shape(t.value(node, 0))
    first, end = node.attribute("start", 0), node.attribute("end")
    t.set_value(node, Constant(np.array(shape[first:end], np.int64)))


MOVEMENT: dict[str, Callable[["Translation", Node], None]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "Dropout": _same,
    "Flatten": _flatten,
    "Identity": _same,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Operators that compute nothing with elements."""
