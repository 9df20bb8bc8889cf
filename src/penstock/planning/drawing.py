"""The arena as a picture made of characters: addresses upwards, steps to the right."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.lifetimes import Lifetime, tensor_lifetimes
from penstock.planning.overlays.program import Block, OverlayProgram

_ROWS = 16
_COLUMNS = 72
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_FREE, _SCRATCH, _SLOT = ".", "#", "="


@dataclass(frozen=True, slots=True)
class _Block:
    mark: str
    start: int
    end: int
    lifetime: Lifetime


def draw_arena(plan: ExecutionPlan) -> str:
    """Return a picture of what lives where and when.

    A cell shows whatever has most bytes there at that step: a letter is a tensor, ``#`` scratch,
    ``=`` slots of overlays, ``.`` free. Letters go round after the last one. Long programs show
    every n-th step.
    """
    steps = max(len(plan.program.calls), 1)
    columns = min(steps, _COLUMNS)
    blocks = _blocks(plan)
    edges = [plan.arena.size_bytes * row // _ROWS for row in range(_ROWS + 1)]
    drawn = [_column(blocks, edges, column * steps // columns) for column in range(columns)]
    lines = [
        f"{edges[row]:>9} |{''.join(marks[row] for marks in drawn)}|"
        for row in reversed(range(_ROWS))
    ]
    lines.append(f"{'bytes':>9}  steps 0 to {steps - 1}")
    return "\n".join(lines)


def _blocks(plan: ExecutionPlan) -> list[_Block]:
    lifetimes = tensor_lifetimes(plan.program)
    ordered = sorted(lifetimes, key=lambda name: (lifetimes[name].first_step, name))
    blocks = []
    resident = [name for name in ordered if name in plan.arena.offset_bytes]
    for position, name in enumerate(resident):
        start = plan.arena.offset_bytes[name]
        end = start + plan.program.graph.tensors[name].size_bytes
        mark = _LETTERS[position % len(_LETTERS)]
        blocks.append(_Block(mark, start, end, lifetimes[name]))
    for step, start in plan.arena.scratch_offset_bytes.items():
        end = start + plan.program.calls[step].scratch_bytes
        blocks.append(_Block(_SCRATCH, start, end, Lifetime(step, step + 1)))
    if plan.overlays is not None:
        blocks += _slots(plan.overlays)
    return blocks


def _slots(overlays: OverlayProgram) -> list[_Block]:
    blocks = []
    for copy in overlays.copies:
        near = copy.destination if copy.is_load else copy.source
        if near.block is not Block.ARENA:
            continue
        step = overlays.tiles[copy.tile].step
        end = near.offset_bytes + copy.size_bytes
        blocks.append(_Block(_SLOT, near.offset_bytes, end, Lifetime(step, step + 1)))
    return blocks


def _column(blocks: list[_Block], edges: list[int], step: int) -> list[str]:
    """Return the marks of one step, from the lowest row up; rows lie between ``edges``."""
    marks, most = [_FREE] * _ROWS, [1] * _ROWS
    for block in blocks:
        if not block.lifetime.first_step <= step < block.lifetime.end_step:
            continue
        lowest = bisect_right(edges, block.start) - 1
        for row in range(max(lowest, 0), min(bisect_left(edges, block.end), _ROWS)):
            shared = min(block.end, edges[row + 1]) - max(block.start, edges[row])
            if shared >= most[row]:
                marks[row], most[row] = block.mark, shared
    return marks
