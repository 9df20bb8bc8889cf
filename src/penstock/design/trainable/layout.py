"""Images are ``[N, H, W, C]`` in a graph and ``[N, C, H, W]`` in torch."""

from collections.abc import Sequence

from torch import Tensor

IMAGE_RANK = 4
_AXES = (0, 2, 3, 1)
"""For each axis of an image in the graph, torch's."""


def to_graph_order(value: Tensor) -> Tensor:
    """Return a value of torch as the graph has it."""
    return value.permute(0, 2, 3, 1) if value.ndim == IMAGE_RANK else value


def to_torch_order(value: Tensor) -> Tensor:
    """Return a value of the graph as torch has it."""
    return value.permute(0, 3, 1, 2) if value.ndim == IMAGE_RANK else value


def torch_axis(axis: int, rank: int) -> int:
    """Return torch's axis for one of the graph's."""
    return _AXES[axis] if rank == IMAGE_RANK else axis


def torch_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return torch's axes for some of the graph's."""
    return tuple(torch_axis(axis, rank) for axis in axes)
