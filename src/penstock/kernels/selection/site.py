"""Where a lowering function works: one operator of a graph, and what it may add to the program."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from penstock.errors import UnsupportedError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Operator
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.catalogue import find_kernel
from penstock.kernels.kernel_graph import (
    Argument,
    ConstantArgument,
    FieldValue,
    KernelCall,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.kernel_set import WINOGRAD_TILES, Encoding, KernelSet

CTYPES = {
    DType.INT8: "int8_t",
    DType.UINT8: "uint8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.INT64: "int64_t",
    DType.FLOAT32: "float",
    DType.BOOL: "uint8_t",
}

SUFFIXES = {
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
    DType.FLOAT32: "f32",
}
"""How kernel names end for an element type."""

QUANTIZE_HELP = "quantize the whole model to int8 (post-training integer quantization)"


@dataclass(frozen=True, slots=True)
class ConstantPool:
    """Arrays of the program by name; equal arrays are kept once."""

    arrays: dict[str, Array] = field(default_factory=dict)
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict)

    @property
    def wide_count(self) -> int:
        """Return how many elements of more than one byte there are."""
        return sum(array.size for array in self.arrays.values() if array.itemsize > 1)

    def add(self, wanted: str, array: Array) -> str:
        """Return the name of an array with these elements: the wanted one, or an older one."""
        dense = np.ascontiguousarray(array)
        key = (dense.dtype.str, dense.tobytes())
        if key not in self._names:
            self._names[key] = wanted
            self.arrays[wanted] = dense
        return self._names[key]


@dataclass(frozen=True, slots=True)
class Site:
    """One operator about to be lowered.

    Attributes:
        graph: what it belongs to.
        position: of the operator in ``graph.operators``.
        operator: itself.
        pool: constants of the program so far.
        kernels: what the core has instructions for.
        winograd: sides of the outputs that Winograd convolutions may make together.
        encoding: how filters shall be stored, where they can; None for int8.
    """

    graph: Graph
    position: int
    operator: Operator
    pool: ConstantPool
    kernels: KernelSet = KernelSet.REFERENCE
    winograd: tuple[int, ...] = WINOGRAD_TILES
    encoding: Encoding | None = None

    def tensor(self, name: str) -> Tensor:
        """Return a tensor of the graph."""
        return self.graph.tensors[name]

    def constant(self, role: str, array: npt.ArrayLike) -> ConstantArgument:
        """Return an argument for a constant array, named after operator and role."""
        return ConstantArgument(self.pool.add(f"op{self.position:03d}_{role}", np.asarray(array)))

    def read(self, name: str, role: str, ctype: str | None = None) -> Argument:
        """Return an argument for an operand, constant or computed; its type unless told."""
        tensor = self.tensor(name)
        if tensor.data is not None:
            return self.constant(role, tensor.data)
        return TensorArgument(name, ctype or CTYPES[tensor.dtype], is_written=False)

    def write(self, name: str, ctype: str | None = None) -> TensorArgument:
        """Return an argument for a result; its type unless told."""
        return TensorArgument(name, ctype or CTYPES[self.tensor(name).dtype], is_written=True)

    def call(
        self,
        kernel: str,
        arguments: tuple[Argument, ...],
        *,
        macs: int = 0,
        scratch_bytes: int = 0,
        in_place: tuple[tuple[str, str], ...] = (),
        filter_starts: tuple[int, ...] = (),
    ) -> KernelCall:
        """Return a call that computes this operator, or a part of it.

        Pairs of ``in_place`` whose first is a constant are left out.
        """
        computed = tuple(pair for pair in in_place if not self.tensor(pair[0]).is_constant)
        return KernelCall(
            find_kernel(kernel, self.kernels),
            arguments,
            self.position,
            macs,
            scratch_bytes,
            computed,
            filter_starts,
        )

    def unsupported(self, tensor: str, reason: str, help_text: str) -> UnsupportedError:
        """Return an error that names the operator and the tensor and says what would help."""
        index = self.operator.source if self.operator.source is not None else self.position
        return UnsupportedError(
            f"operator {index} ({self.operator.kind}), tensor {tensor!r}: {reason}", help=help_text
        )

    def unsupported_types(self, *names: str) -> UnsupportedError:
        """Return an error for a combination of element types that no kernel takes."""
        found = ", ".join(self.tensor(name).dtype.value for name in names)
        return self.unsupported(names[0], f"no kernel for element types {found}", QUANTIZE_HELP)

    def require_zero_point_0(self, *names: str) -> None:
        """Raise UnsupportedError where a tensor's zero point is not 0, as int16 kernels demand."""
        for name in names:
            if (zero_point := self.tensor(name).zero_point) != 0:
                raise self.unsupported(
                    name,
                    f"zero point {zero_point}, but int16 tensors must have 0",
                    "quantize int16 activations symmetrically",
                )


def struct(ctype: str, fields: Mapping[str, FieldValue]) -> StructArgument:
    """Return a structure of parameters from its fields in the order of declaration."""
    return StructArgument(ctype, tuple(fields.items()))
