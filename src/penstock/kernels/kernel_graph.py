"""A graph lowered to calls of C kernels: what planning places and code generation prints.

Each call names a C function and its arguments in order. Everything that needed deciding (which
variant, which multipliers, which tables) has been decided; what is still open is where each tensor
lives and, with that, its address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.ir.graph import Graph
from penstock.ir.tensor import Array

FieldValue = int | float | bool | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function of the C library.

    Attributes:
        name: the C function, ``ps_<operator>[_<variant>]_<type>``.
        header: the public header that declares it, relative to ``runtime/include``.
        sources: files to compile, relative to ``runtime``; those of functions it calls included.
    """

    name: str
    header: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TensorArgument:
    """Address of a computed tensor's first element.

    Attributes:
        tensor: name in the graph.
        ctype: C element type that the kernel expects, for example ``int8_t``.
        is_written: True when the kernel writes through it.
    """

    tensor: str
    ctype: str
    is_written: bool


@dataclass(frozen=True, slots=True)
class ConstantArgument:
    """Address of a read-only array, a key of `KernelGraph.constants`; None is a null pointer."""

    constant: str | None


@dataclass(frozen=True, slots=True)
class StructArgument:
    """Address of a ``static const`` structure.

    Attributes:
        ctype: its C type, for example ``ps_conv_2d_params``.
        fields: values by field name, in the order of declaration; a tuple is an array member.
    """

    ctype: str
    fields: tuple[tuple[str, FieldValue], ...]


@dataclass(frozen=True, slots=True)
class ScratchArgument:
    """Address of `KernelCall.scratch_bytes` of memory, aligned to 16, contents undefined."""


Argument = TensorArgument | ConstantArgument | StructArgument | ScratchArgument


@dataclass(frozen=True, slots=True)
class KernelCall:
    """One call of a kernel; a step of the program.

    Attributes:
        kernel: what is called.
        arguments: in the order of the C declaration.
        operator: position in ``graph.operators`` of the operator that it computes.
        macs: multiply-accumulate operations of that operator.
        scratch_bytes: temporary memory, alive during the call only.
        in_place: pairs (input, output) of tensors that may share one address, because the kernel
            reads each element before it writes the one at the same offset.
        filter_starts: where in the filters each output channel begins, in bytes, and where the last
            one ends; empty where all are of one length.
    """

    kernel: Kernel
    arguments: tuple[Argument, ...]
    operator: int
    macs: int = 0
    scratch_bytes: int = 0
    in_place: tuple[tuple[str, str], ...] = ()
    filter_starts: tuple[int, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Computed tensors that the call reads."""
        return tuple(
            argument.tensor
            for argument in self.arguments
            if isinstance(argument, TensorArgument) and not argument.is_written
        )

    @property
    def writes(self) -> tuple[str, ...]:
        """Computed tensors that the call writes."""
        return tuple(
            argument.tensor
            for argument in self.arguments
            if isinstance(argument, TensorArgument) and argument.is_written
        )

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants that the call reads."""
        return tuple(
            argument.constant
            for argument in self.arguments
            if isinstance(argument, ConstantArgument) and argument.constant is not None
        )


@dataclass(frozen=True, slots=True, eq=False)
class KernelGraph:
    """A program of kernel calls in execution order.

    Attributes:
        graph: the graph that was lowered; shapes, quantization, inputs and outputs are read there.
        calls: an operator that only re-labels memory (RESHAPE) has none: see ``aliases``.
        constants: read-only arrays by a name that is a C identifier: weights as the kernel wants
            them, biases, multipliers, shifts, tables.
        aliases: output → input of operators that move no byte: both are the same memory.
    """

    graph: Graph
    calls: tuple[KernelCall, ...]
    constants: Mapping[str, Array]
    aliases: Mapping[str, str] = field(default_factory=dict)
