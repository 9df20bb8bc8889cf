"""Explicit padding as SAME, VALID, or a PAD call of its own."""

import tflite

from penstock.frontends.tflite.file_calls import CallList
from penstock.ir.operators import Padding2D
from penstock.ir.tensor import Tensor


def _same_padding(extent: int, window: int, stride: int) -> tuple[int, int]:
    output = -(-extent // stride)
    total = max(0, (output - 1) * stride + window - extent)
    return total // 2, total - total // 2


def _output_extent(extent: int, window: int, stride: int, padding: tuple[int, int]) -> int:
    return (extent + sum(padding) - window) // stride + 1


def padding_scheme(
    input_size: tuple[int, int],
    output_size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding2D,
) -> int | None:
    """Return the file's SAME or VALID where it means exactly ``padding``, else None."""
    found = ((padding.top, padding.bottom), (padding.left, padding.right))
    extents = [
        _output_extent(*geometry)
        for geometry in zip(input_size, window, stride, found, strict=True)
    ]
    if padding.is_none and tuple(extents) == output_size:
        return int(tflite.Padding.VALID)
    same = tuple(_same_padding(*g) for g in zip(input_size, window, stride, strict=True))
    if found == same:
        return int(tflite.Padding.SAME)
    return None


def spatial(tensor: Tensor) -> tuple[int, int]:
    """Return (height, width) of an NHWC tensor."""
    return tensor.shape[1], tensor.shape[2]


def pad_explicitly(calls: CallList, name: str, padding: Padding2D, value: int | None = None) -> str:
    """Add a PAD of tensor ``name``, by the zero point unless told, and return what it writes."""
    source = calls.tensors[name]
    batch, height, width, channels = source.shape
    pads = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    shape = (batch, height + sum(pads[1]), width + sum(pads[2]), channels)
    padded = calls.add_tensor(Tensor(f"{name}_padded", shape, source.dtype, source.quantization))
    calls.pad(name, padded, pads, value)
    return padded
