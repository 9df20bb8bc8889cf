"""A plan as text: what runs, where every byte lives and for how long."""

from collections.abc import Mapping

from penstock.ir.tensor import Tensor
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.lifetimes import Lifetime, alias_root, tensor_lifetimes
from penstock.planning.overlays.program import Block
from penstock.planning.overlays.text import describe_tiles, format_packs, format_slots
from penstock.planning.text_table import format_table
from penstock.units import format_bytes

_NAME_WIDTH = 96


def format_plan(plan: ExecutionPlan) -> str:
    """Return the plan as readable text that ends in a newline; same plan, same text."""
    parts = [_heading(plan), _regions(plan), _steps(plan), _tensors(plan), _constants(plan)]
    if plan.overlays is not None:
        parts += [format_packs(plan.overlays), format_slots(plan.overlays)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(plan: ExecutionPlan) -> str:
    arena = plan.arena
    what = "" if plan.overlays is None else "of these tiles"
    bound = (
        f"which no plan {what} can beat"
        if arena.size_bytes == arena.lower_bound_bytes
        else f"lower bound {what} {arena.lower_bound_bytes} B"
    ).replace("  ", " ")
    lines = [
        f"plan of {plan.program.graph.name} for {plan.board}",
        f"arena    {arena.size_bytes} B ({format_bytes(arena.size_bytes)}), {bound}",
        f"weights  {plan.weights_bytes} B ({format_bytes(plan.weights_bytes)})",
    ]
    if plan.state_bytes:
        lines.append(f"state    {plan.state_bytes} B ({format_bytes(plan.state_bytes)})")
    if plan.overlays is not None:
        sizes = {"tight": plan.overlays.tight_bytes, "far": plan.overlays.far_bytes}
        lines += [f"{k:8} {v} B ({format_bytes(v)})" for k, v in sizes.items() if v]
        lines.append(
            f"overlays {len(plan.overlays.tiles)} tiles, {len(plan.overlays.copies)} copies on "
            f"{plan.overlays.channel_count} channels"
        )
    elif plan.without_overlays:
        lines.append(f"overlays none: {plan.without_overlays}")
    lines += [f"kernels  no {name}: {why}" for name, why in plan.left_out.items()]
    return "\n".join(lines)


def _regions(plan: ExecutionPlan) -> str:
    if plan.placement is None:
        return ""
    placement = plan.placement
    rows = [
        ["code", placement.code],
        ["weights", placement.weights],
        *([["weights' image", image]] if (image := placement.weights_image) is not None else []),
        *([["far weights", placement.far_weights]] if placement.far_weights is not None else []),
        *([["far weights' image", image]] if (image := placement.far_weights_image) else []),
        ["arena, state", placement.arena],
        *([["tight", placement.tight]] if placement.tight is not None else []),
        *([["far", placement.far]] if placement.far is not None else []),
        ["stack", placement.stack],
    ]
    return format_table(["section", "region"], rows)


def _steps(plan: ExecutionPlan) -> str:
    rows = []
    tiles = None if plan.overlays is None else describe_tiles(plan.overlays)
    for step, call in enumerate(plan.program.calls):
        operator = plan.program.graph.operators[call.operator]
        source = "-" if operator.source is None else str(operator.source)
        scratch = "-"
        if call.scratch_bytes:
            start = plan.arena.scratch_offset_bytes.get(step, "tight")
            scratch = f"{call.scratch_bytes}@{start}"
        cells = [str(step), source, operator.kind, call.kernel.name, str(call.macs), scratch]
        rows.append(cells if tiles is None else [*cells, *tiles[step]])
    header = ["step", "source", "operator", "kernel", "macs", "scratch"]
    if tiles is None:
        return format_table(header, rows, "rr<<rr")
    header += ["tiles", "rows x filters", "in", "out", "halos", "chain"]
    return format_table(header, rows, "rr<<rrrrrrrr")


def _tensors(plan: ExecutionPlan) -> str:
    lifetimes = tensor_lifetimes(plan.program)
    last = max(len(plan.program.calls), 1)
    tensors = plan.program.graph.tensors
    rows = []
    for block, offset_bytes in _blocks(plan).items():
        by_start = sorted(
            offset_bytes,
            key=lambda name: (_lifetime(plan, name, lifetimes, last).first_step, name),
        )
        for name in by_start:
            lifetime = _lifetime(plan, name, lifetimes, last)
            steps = f"[{lifetime.first_step}, {lifetime.end_step})"
            rows.append(_tensor_row(block.value, offset_bytes[name], tensors[name], steps))
    for name, start in plan.state_offset_bytes.items():
        rows.append(_tensor_row("state", start, tensors[name], "always"))
    header = ["block", "offset", "bytes", "lifetime", "type", "tensor"]
    return format_table(header, rows, "<rr<<<")


def _blocks(plan: ExecutionPlan) -> dict[Block, Mapping[str, int]]:
    """Return the offsets of tensors by the block that they are in."""
    blocks = {Block.ARENA: plan.arena.offset_bytes}
    if plan.overlays is not None:
        blocks[Block.TIGHT] = plan.overlays.tight_offset_bytes
        blocks[Block.FAR] = plan.overlays.far_offset_bytes
    return blocks


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
    return format_table(["constant", "type", "shape", "bytes"], rows, "<<<r") if rows else ""
