"""Pools, means and softmax."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.frontends.onnx.values import IMAGE, Node
from penstock.frontends.onnx.windows import Pads, Window, read_window
from penstock.ir import operators as ops
from penstock.ir.shapes import window_count

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation

_SOFTMAX_LAST_SINCE = 13


def _pool(t: "Translation", node: Node) -> tuple[str, tuple[int, int], Window]:
    """Return the image, the window's size, and where it goes."""
    if node.attribute("ceil_mode", 0):
        raise t.refused(node, "rounds the size up (ceil_mode)", "pad the image, and round down")
    size = node.attribute("kernel_shape")
    if size is None or len(size) != 2:
        raise t.refused(node, "has no window of two dimensions", "work on images, [N, C, H, W]")
    source = t.image(node)
    _, height, width, _ = t.tensors[source].shape
    window = read_window(t, node, (size[0], size[1]), (height, width))
    if window.dilation != (1, 1):
        raise t.refused(node, "pools with dilation", "pool without dilation")
    return source, (int(size[0]), int(size[1])), window


def _max_pool(t: "Translation", node: Node) -> None:
    if len(node.proto.output) > 1:
        raise t.refused(node, "gives the places of maxima too", "leave out the second output")
    source, size, window = _pool(t, node)
    output = _pooled(t, node, source, size, window)
    t.append(
        ops.MaxPool2D(
            input=source,
            output=output,
            filter=size,
            stride=window.stride,
            padding=window.padding.as_padding(),
        )
    )


def _average_pool(t: "Translation", node: Node) -> None:
    source, size, window = _pool(t, node)
    pads = window.padding
    output = _pooled(t, node, source, size, window)
    if node.attribute("count_include_pad", 0) and (pads.rows or pads.columns):
        source = _padded(t, source, pads)
        pads = Pads(0, 0, 0, 0)
    t.append(
        ops.AveragePool2D(
            input=source,
            output=output,
            filter=size,
            stride=window.stride,
            padding=pads.as_padding(),
        )
    )


def _pooled(
    t: "Translation", node: Node, source: str, size: tuple[int, int], window: Window
) -> str:
    _, height, width, depth = t.tensors[source].shape
    rows = window_count(height, size[0], window.stride[0], 1, window.padding.rows)
    columns = window_count(width, size[1], window.stride[1], 1, window.padding.columns)
    return t.add_output(node, (1, depth, rows, columns), IMAGE)


def _padded(t: "Translation", source: str, pads: Pads) -> str:
    """Zeros around an image, which an average counts."""
    n, height, width, depth = t.tensors[source].shape
    shape = (n, height + pads.rows, width + pads.columns, depth)
    around = ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right), (0, 0))
    padded = t.add_between(f"{source}.padded", shape)
    t.append(ops.Pad(input=source, output=padded, paddings=around))
    return padded


def _global_average(t: "Translation", node: Node) -> None:
    source = t.image(node)
    output = t.add_output(node, (1, t.tensors[source].shape[3], 1, 1), IMAGE)
    t.append(ops.Mean(input=source, output=output, axes=(1, 2), keep_dims=True))


def _global_max(t: "Translation", node: Node) -> None:
    source = t.image(node)
    _, height, width, depth = t.tensors[source].shape
    output = t.add_output(node, (1, depth, 1, 1), IMAGE)
    t.append(ops.MaxPool2D(input=source, output=output, filter=(height, width)))


def _mean(t: "Translation", node: Node) -> None:
    value = t.computed(node)
    shape = t.shape(value)
    rank = len(shape)
    given = t.integers(node, 1, "axes")
    if not given:
        if node.attribute("noop_with_empty_axes", 0):
            t.set_value(node, value)
            return
        given = list(range(rank))
    axes = {t.axis(node, axis, rank) for axis in given}
    averaged = tuple(sorted(value.order[axis] for axis in axes))
    if node.attribute("keepdims", 1):
        kept = [1 if axis in axes else extent for axis, extent in enumerate(shape)]
        output = t.add_output(node, kept, value.order)
        t.append(ops.Mean(input=value.tensor, output=output, axes=averaged, keep_dims=True))
        return
    left = [axis for axis in range(rank) if axis not in axes]
    places = sorted(value.order[axis] for axis in left)
    order = tuple(places.index(value.order[axis]) for axis in left)
    output = t.add_output(node, [shape[axis] for axis in left], order)
    t.append(ops.Mean(input=value.tensor, output=output, axes=averaged, keep_dims=False))


def _softmax(t: "Translation", node: Node) -> None:
    """Over the dimension that comes last in the graph: channels of images are welcome."""
    value = t.computed(node)
    shape = t.shape(value)
    is_new = t.opset >= _SOFTMAX_LAST_SINCE
    axis = t.axis(node, node.attribute("axis", -1 if is_new else 1), len(shape))
    if not is_new and any(extent != 1 for extent in shape[axis + 1 :]):
        raise t.refused(
            node, "is a softmax over several dimensions", "export it with opset 13 or newer"
        )
    if value.order[axis] != len(shape) - 1:
        raise t.refused(
            node,
            f"is a softmax over dimension {axis} of {list(shape)}",
            "apply it to the last dimension, or to the channels of an image",
        )
    output = t.add_output(node, shape, value.order)
    t.append(ops.Softmax(input=value.tensor, output=output))


REDUCTIONS: dict[str, Callable[["Translation", Node], None]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "MaxPool": _max_pool,
    "ReduceMean": _mean,
    "Softmax": _softmax,
}
"""Operators that take many elements together."""
