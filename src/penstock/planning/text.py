"""A plan as text: what runs, where every byte lives and for how long."""

from collections.abc import Iterable, Sequence

from penstock.ir.tensor import Tensor
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.lifetimes import Lifetime, alias_root, tensor_lifetimes
from penstock.units import format_bytes

_NAME_WIDTH = 96


def format_plan(plan: ExecutionPlan) -> str:
    """Return the plan as readable text that ends in a newline; same plan, same text."""
    parts = [_heading(plan), _regions(plan), _steps(plan), _tensors(plan), _constants(plan)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(plan: ExecutionPlan) -> str:
    arena = plan.arena
    bound = (
        "which no plan can beat"
        if arena.size_bytes == arena.lower_bound_bytes
        else f"lower bound {arena.lower_bound_bytes} B"
    )
    lines = [
        f"plan of {plan.program.graph.name} for {plan.board}",
        f"arena    {arena.size_bytes} B ({format_bytes(arena.size_bytes)}), {bound}",
        f"weights  {plan.weights_bytes} B ({format_bytes(plan.weights_bytes)})",
    ]
    if plan.state_bytes:
        lines.append(f"state    {plan.state_bytes} B ({format_bytes(plan.state_bytes)})")
    return "\n".join(lines)


def _regions(plan: ExecutionPlan) -> str:
    if plan.placement is None:
        return ""
    placement = plan.placement
    rows = [
        ["code", placement.code],
        ["weights", placement.weights],
        *([["weights' image", image]] if (image := placement.weights_image) is not None else []),
        ["arena, state", placement.arena],
        ["stack", placement.stack],
    ]
    return _table(["section", "region"], rows)


def _steps(plan: ExecutionPlan) -> str:
    rows = []
    for step, call in enumerate(plan.program.calls):
        operator = plan.program.graph.operators[call.operator]
        source = "-" if operator.source is None else str(operator.source)
        scratch = "-"
        if call.scratch_bytes:
            start = plan.arena.scratch_offset_bytes[step]
            scratch = f"{call.scratch_bytes}@{start}"
        rows.append([str(step), source, operator.kind, call.kernel.name, str(call.macs), scratch])
    return _table(["step", "source", "operator", "kernel", "macs", "scratch"], rows, "rr<<rr")


def _tensors(plan: ExecutionPlan) -> str:
    lifetimes = tensor_lifetimes(plan.program)
    last = max(len(plan.program.calls), 1)
    tensors = plan.program.graph.tensors
    rows = []
    by_start = sorted(
        plan.arena.offset_bytes,
        key=lambda name: (_lifetime(plan, name, lifetimes, last).first_step, name),
    )
    for name in by_start:
        lifetime = _lifetime(plan, name, lifetimes, last)
        steps = f"[{lifetime.first_step}, {lifetime.end_step})"
        rows.append(_tensor_row("arena", plan.arena.offset_bytes[name], tensors[name], steps))
    for name, start in plan.state_offset_bytes.items():
        rows.append(_tensor_row("state", start, tensors[name], "always"))
    header = ["block", "offset", "bytes", "lifetime", "type", "tensor"]
    return _table(header, rows, "<rr<<<")


def _lifetime(
    plan: ExecutionPlan, name: str, lifetimes: dict[str, Lifetime], last: int
) -> Lifetime:
    return lifetimes.get(alias_root(plan.program.aliases, name), Lifetime(0, last))


def _tensor_row(block: str, start: int, tensor: Tensor, lifetime: str) -> list[str]:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return [
        block,
        str(start),
        str(tensor.size_bytes),
        lifetime,
        f"{tensor.dtype.value} {shape}",
        _shortened(tensor.name),
    ]


def _shortened(name: str) -> str:
    """Return a name with its middle left out where it is long: converters chain dozens of names."""
    if len(name) <= _NAME_WIDTH:
        return name
    half = (_NAME_WIDTH - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def _constants(plan: ExecutionPlan) -> str:
    rows = [
        [name, array.dtype.name, "x".join(map(str, array.shape)), str(array.nbytes)]
        for name, array in plan.program.constants.items()
    ]
    return _table(["constant", "type", "shape", "bytes"], rows, "<<<r") if rows else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], sides: str = "") -> str:
    """Lay out columns; ``sides`` has one ``<`` or ``r`` for each, left by default."""
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides.ljust(len(widths), "<"), strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
