"""An execution plan in the words of the templates: plain data, every C expression spelled out."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from penstock.codegen.constants import ConstantArray, constant_array
from penstock.codegen.literals import CTYPES, c_comment, c_float, c_shape, c_string, c_value
from penstock.codegen.overlay_view import (
    TileTable,
    c_address,
    fields_of,
    tile_structs,
    tile_table,
)
from penstock.errors import GraphError
from penstock.ir.dtype import DType
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    KernelCall,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import TileCall

_C_DTYPES: dict[DType, str] = {
    DType.INT8: "PS_INT8",
    DType.UINT8: "PS_UINT8",
    DType.INT16: "PS_INT16",
    DType.INT32: "PS_INT32",
    DType.INT64: "PS_INT64",
    DType.FLOAT32: "PS_FLOAT32",
    DType.BOOL: "PS_BOOL",
}

_LINE_WIDTH = 98


@dataclass(frozen=True, slots=True)
class PortView:
    """An input or output.

    Attributes:
        macro: what its macros start with, ``NAME_INPUT_0``.
        comment: name, type and shape.
        meaning: how to read the numbers.
        name: string literal.
        address: C expression.
        ctype: element type.
        dtype: constant of ``ps_dtype``.
        element_count: elements.
        size_bytes: extent.
        shape: initializer of the shape array; empty for a scalar.
        rank: number of dimensions.
        scale: C constant.
        zero_point: C constant, in brackets where it is negative.
    """

    macro: str
    comment: str
    meaning: str
    name: str
    address: str
    ctype: str
    dtype: str
    element_count: int
    size_bytes: int
    shape: str
    rank: int
    scale: str
    zero_point: str


@dataclass(frozen=True, slots=True)
class StructView:
    """A ``static const`` structure of an operator function."""

    ctype: str
    name: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StepView:
    """An operator function.

    Attributes:
        function: its name.
        label: what ``operator_names`` calls it.
        title: first line of its comment.
        notes: further lines: what it reads and writes, and where.
        structs: its parameters, or those of its different tiles where it has a table of tiles.
        call: the statement that calls the kernel, in lines.
        table: its tiles; None where it is one.
        tile: number of its one tile, or an expression of ``i`` for one of its tiles; empty where no
            copies run beside it.
        has_before, has_after: whether there are copies to see to before a tile, and after one.
        is_chained: whether it is called for some of its tiles at a time.
    """

    function: str
    label: str
    title: str
    notes: tuple[str, ...]
    structs: tuple[StructView, ...]
    call: str
    table: TileTable | None = None
    tile: str = ""
    has_before: bool = False
    has_after: bool = False
    is_chained: bool = False


@dataclass(frozen=True, slots=True)
class StateView:
    """A variable tensor: how ``init`` fills it."""

    comment: str
    address: str
    ctype: str
    element_count: int
    size_bytes: int
    zero_point: int


def constant_symbol(model: str, name: str) -> str:
    """Return the C name of a constant: two models in one program must not clash."""
    return f"{model}_{name}"


def constant_views(plan: ExecutionPlan) -> list[ConstantArray]:
    """Return the arrays of the weights file."""
    model = plan.program.graph.name
    return [
        constant_array(constant_symbol(model, name), array) for name, array in plan.arrays.items()
    ]


def port_views(plan: ExecutionPlan, names: tuple[str, ...], role: str) -> list[PortView]:
    """Return the inputs or outputs; ``role`` is ``INPUT`` or ``OUTPUT``."""
    graph = plan.program.graph
    return [
        _port_view(plan, graph.tensors[name], f"{graph.name.upper()}_{role}_{index}")
        for index, name in enumerate(names)
    ]


def _port_view(plan: ExecutionPlan, tensor: Tensor, macro: str) -> PortView:
    has_scale = tensor.quantization is not None and tensor.quantization.is_per_tensor
    scale = c_float(float(np.float32(tensor.scale))) if has_scale else "0.0f"
    zero_point = tensor.zero_point if has_scale else 0
    return PortView(
        macro=macro,
        comment=f'"{c_comment(tensor.name)}", {CTYPES[tensor.dtype]} {c_shape(tensor.shape)}',
        meaning=_meaning(tensor) if has_scale else "as it is",
        name=c_string(tensor.name),
        address=_address(plan, tensor.name),
        ctype=CTYPES[tensor.dtype],
        dtype=_C_DTYPES[tensor.dtype],
        element_count=tensor.element_count,
        size_bytes=tensor.size_bytes,
        shape=", ".join(map(str, tensor.shape)),
        rank=len(tensor.shape),
        scale=scale,
        zero_point=f"({zero_point})" if zero_point < 0 else str(zero_point),
    )


def _meaning(tensor: Tensor) -> str:
    sign = "+" if tensor.zero_point < 0 else "-"
    offset = f" {sign} {abs(tensor.zero_point)}" if tensor.zero_point else ""
    return f"real = {tensor.scale:.9g} * (value{offset})"


def state_views(plan: ExecutionPlan) -> list[StateView]:
    """Return the variable tensors."""
    views = []
    for name in plan.state_offset_bytes:
        tensor = plan.program.graph.tensors[name]
        is_quantized = tensor.quantization is not None and tensor.quantization.is_per_tensor
        views.append(
            StateView(
                comment=f'"{c_comment(name)}", {CTYPES[tensor.dtype]} {c_shape(tensor.shape)}',
                address=_address(plan, name),
                ctype=CTYPES[tensor.dtype],
                element_count=tensor.element_count,
                size_bytes=tensor.size_bytes,
                zero_point=tensor.zero_point if is_quantized else 0,
            )
        )
    return views


def step_views(plan: ExecutionPlan) -> list[StepView]:
    """Return the operator functions in order."""
    views = [_step_view(plan, step, call) for step, call in enumerate(plan.program.calls)]
    overlays = plan.overlays
    if overlays is None:
        return [
            replace(view, call=_call(call, view.structs, partial(_expression, plan, step)))
            for step, (view, call) in enumerate(zip(views, plan.program.calls, strict=True))
        ]
    before, after = overlays.busy_before, overlays.busy_after
    tiles = overlays.tiles_by_step
    return [
        replace(
            _overlaid_step(plan, tiles[step], call, view),
            has_before=any(number in before for number, _ in tiles[step]),
            has_after=any(number in after for number, _ in tiles[step]),
        )
        for step, (view, call) in enumerate(zip(views, plan.program.calls, strict=True))
    ]


def _step_view(plan: ExecutionPlan, step: int, call: KernelCall) -> StepView:
    graph = plan.program.graph
    operator = graph.operators[call.operator]
    label = f"op_{step:03d}_{operator.kind.lower()}"
    source = "made by a pass" if operator.source is None else f"source operator {operator.source}"
    work = f", {call.macs} MACs" if call.macs else ""
    return StepView(
        function=f"{graph.name}_{label}",
        label=label,
        title=f"Step {step}: {operator.kind}, {source}{work}.",
        notes=_step_notes(plan, step, call),
        structs=_struct_views(call),
        call="",
    )


def _overlaid_step(
    plan: ExecutionPlan, numbered: Sequence[tuple[int, TileCall]], call: KernelCall, view: StepView
) -> StepView:
    tiles = [tile for _, tile in numbered]
    if len(tiles) == 1 and tiles[0].lines is None:
        places = tiles[0].addresses
        structs = tuple(
            replace(old, fields=fields_of(tiles[0].params[position]))
            for old, position in zip(view.structs, sorted(tiles[0].params), strict=True)
        )
        text = _call(call, structs, lambda n: c_address(plan, places[n]) if n in places else "NULL")
        return replace(view, structs=structs, call=text, tile=str(numbered[0][0]))
    table = tile_table(plan, numbered)
    structs = tuple(
        StructView(struct.ctype, "params", fields_of(struct)) for struct in tile_structs(tiles)
    )
    arguments = ["&params[tiles[i].params]"]
    arguments += [
        f"tiles[i].argument_{n}" if n in tiles[0].addresses else "NULL"
        for n in range(1, len(call.arguments))
    ]
    text = _call_statement(call.kernel.name, arguments, indent="    ")
    return replace(
        view,
        structs=structs,
        call=text,
        table=table,
        tile=table.numbers,
        is_chained=tiles[0].lines is not None,
    )


def _call(call: KernelCall, structs: Sequence[StructView], address: Callable[[int], str]) -> str:
    names = iter(structs)
    arguments = [
        f"&{next(names).name}" if isinstance(argument, StructArgument) else address(position)
        for position, argument in enumerate(call.arguments)
    ]
    return _call_statement(call.kernel.name, arguments)


def _call_statement(function: str, arguments: list[str], indent: str = "  ") -> str:
    """Return a call, broken between arguments and aligned behind the bracket."""
    return (
        textwrap.fill(
            ", ".join(arguments),
            width=_LINE_WIDTH,
            initial_indent=f"{indent}{function}(",
            subsequent_indent=" " * (len(indent) + len(function) + 1),
            break_long_words=False,
            break_on_hyphens=False,
        )
        + ");"
    )


def _step_notes(plan: ExecutionPlan, step: int, call: KernelCall) -> tuple[str, ...]:
    tensors = plan.program.graph.tensors
    notes = []
    for argument in call.arguments:
        if isinstance(argument, TensorArgument):
            tensor = tensors[argument.tensor]
            verb = "writes" if argument.is_written else "reads "
            kind = f"{tensor.dtype.value} {c_shape(tensor.shape)}"
            place = _address(plan, tensor.name)
            notes.append(f"{verb} {place}: {kind}, {c_comment(tensor.name, 48)}")
    if call.scratch_bytes:
        start = plan.arena.scratch_offset_bytes.get(step)
        place = "tight memory" if start is None else f"ARENA({start})"
        notes.append(f"scratch {place}: {call.scratch_bytes} bytes")
    return tuple(notes)


def _struct_views(call: KernelCall) -> tuple[StructView, ...]:
    structs = [argument for argument in call.arguments if isinstance(argument, StructArgument)]
    return tuple(
        StructView(
            ctype=struct.ctype,
            name="params" if len(structs) == 1 else f"params_{index}",
            fields=tuple((name, c_value(value)) for name, value in struct.fields),
        )
        for index, struct in enumerate(structs)
    )


def _expression(plan: ExecutionPlan, step: int, position: int) -> str:
    argument = plan.program.calls[step].arguments[position]
    if isinstance(argument, TensorArgument):
        return _address(plan, argument.tensor)
    if isinstance(argument, ConstantArgument):
        if argument.constant is None:
            return "NULL"
        return constant_symbol(plan.program.graph.name, argument.constant)
    if isinstance(argument, ScratchArgument):
        start = plan.arena.scratch_offset_bytes.get(step)
        return "NULL" if start is None else f"ARENA({start})"
    raise GraphError(f"step {step} has an argument that C cannot spell: {argument}")


def _address(plan: ExecutionPlan, tensor: str) -> str:
    if not plan.holds(tensor):
        return "slots"
    block, offset_bytes = plan.locate(tensor)
    return f"{block.value.upper()}({offset_bytes})"
