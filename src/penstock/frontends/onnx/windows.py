"""Where the windows of convolutions and pools go: strides, dilations and all kinds of padding."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.frontends.onnx.values import Node
from penstock.ir.operators import Padding2D

if TYPE_CHECKING:
    from penstock.frontends.onnx.translation import Translation

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pads:
    """Elements added around an image, each ≥ 0."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows(self) -> int:
        """Above and below together."""
        return self.top + self.bottom

    @property
    def columns(self) -> int:
        """On both sides together."""
        return self.left + self.right

    def as_padding(self) -> Padding2D:
        """Return them as operators have them."""
        return Padding2D(self.top, self.bottom, self.left, self.right)


@dataclass(frozen=True, slots=True)
class Window:
    """Where a window goes; all (height, width)."""

    stride: Pair
    dilation: Pair
    padding: Pads


def read_window(t: "Translation", node: Node, size: Pair, image: Pair) -> Window:
    """Return the window of a node.

    Args:
        t: for refusals.
        node: a convolution or a pool.
        size: of the window.
        image: height and width of what it slides over.

    Raises:
        UnsupportedError: the window is not two-dimensional, or a number makes no sense.
    """
    stride = _pair(t, node, "strides")
    dilation = _pair(t, node, "dilations")
    reach = [(extent - 1) * step + 1 for extent, step in zip(size, dilation, strict=True)]
    kind = node.attribute("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        (top, bottom), (left, right) = (
            _same(image[n], reach[n], stride[n], kind == "SAME_UPPER") for n in range(2)
        )
    elif kind == "VALID":
        top = left = bottom = right = 0
    else:
        top, left, bottom, right = _four(t, node)
    if any(
        extent + before + after < span
        for extent, before, after, span in zip(
            image, (top, left), (bottom, right), reach, strict=True
        )
    ):
        raise t.refused(
            node,
            f"has a window of {reach[0]}x{reach[1]}, which does not fit {image[0]}x{image[1]}",
            "give the network a larger input",
        )
    return Window(stride, dilation, Pads(top, left, bottom, right))


def _same(extent: int, reach: int, stride: int, odd_last: bool) -> Pair:
    """Return elements before and behind."""
    total = max(0, (-(-extent // stride) - 1) * stride + reach - extent)
    less, more = total // 2, total - total // 2
    return (less, more) if odd_last else (more, less)


def _pair(t: "Translation", node: Node, name: str) -> Pair:
    values = node.attribute(name) or [1, 1]
    if len(values) != 2 or min(values) < 1:
        raise t.refused(
            node, f"has the {name} {list(values)}; two are allowed, each from 1", "work on images"
        )
    return int(values[0]), int(values[1])


def _four(t: "Translation", node: Node) -> tuple[int, int, int, int]:
    values = node.attribute("pads") or [0, 0, 0, 0]
    if len(values) != 4 or min(values) < 0:
        raise t.refused(
            node, f"has the pads {list(values)}; four are allowed, each from 0", "work on images"
        )
    top, left, bottom, right = (int(value) for value in values)
    return top, left, bottom, right
