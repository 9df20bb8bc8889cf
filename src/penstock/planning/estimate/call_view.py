"""What a kernel call says about its own size: parameters and constants by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.errors import GraphError
from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    FieldValue,
    KernelCall,
    KernelGraph,
    StructArgument,
)

_BLOCKS = {"s8": 4, "s16": 2}
"""Output channels that inner loops of products compute together, by the kernel's type."""


@dataclass(frozen=True, slots=True)
class CallView:
    """A call of a program, read by names.

    Attributes:
        program: what it belongs to.
        call: itself.
        fields: of its structures of parameters, the later ones winning.
    """

    program: KernelGraph
    call: KernelCall
    fields: Mapping[str, FieldValue]

    def number(self, name: str) -> int:
        """Return a field that is an integer; raises GraphError when there is none."""
        value = self.fields.get(name)
        if not isinstance(value, int):
            raise GraphError(f"{self.call.kernel.name} has no integer parameter {name!r}")
        return value

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return a field that is an array; raises GraphError when there is none."""
        value = self.fields.get(name)
        if not isinstance(value, tuple):
            raise GraphError(f"{self.call.kernel.name} has no array parameter {name!r}")
        return value

    @property
    def block(self) -> int:
        """Output channels that an inner loop of products computes together."""
        return _BLOCKS[self.call.kernel.name.rsplit("_", 1)[1]]

    def constant(self, position: int) -> Array | None:
        """Return the constant among the call's arguments; None for a null pointer."""
        argument = self.call.arguments[position]
        if not isinstance(argument, ConstantArgument):
            raise GraphError(f"{self.call.kernel.name} has no constant argument {position}")
        return None if argument.constant is None else self.program.constants[argument.constant]


def view_call(program: KernelGraph, call: KernelCall) -> CallView:
    """Return a call with its parameters by name."""
    fields: dict[str, FieldValue] = {}
    for argument in call.arguments:
        if isinstance(argument, StructArgument):
            fields.update(argument.fields)
    return CallView(program, call, fields)
