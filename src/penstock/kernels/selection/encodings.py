"""Which encodings filters of a graph can have at all, found out without lowering anything."""

from collections.abc import Callable, Mapping

import numpy as np

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.nibbles import fits_nibbles
from penstock.ir.operators import Conv2D, FullyConnected
from penstock.ir.tensor import Array
from penstock.kernels.kernel_set import Encoding
from penstock.kernels.sparse_filters import least_sparse_bytes

_ENCODABLE: Mapping[Encoding, Callable[[Array], bool]] = {
    Encoding.SPARSE: lambda data: least_sparse_bytes(data) < data.size,
    Encoding.INT4: fits_nibbles,
}


def possible_encodings(graph: Graph) -> tuple[Encoding, ...]:
    """Return the encodings that take fewer bytes than int8 for some filters of a graph."""
    found: set[Encoding] = set()
    for operator in graph.operators:
        if not isinstance(operator, Conv2D | FullyConnected):
            continue
        filters = graph.tensors[operator.filters]
        if filters.data is None or filters.dtype is not DType.INT8 or not np.size(filters.data):
            continue
        found.update(way for way, fits in _ENCODABLE.items() if fits(filters.data))
    return tuple(way for way in Encoding if way in found)
