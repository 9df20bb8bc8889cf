"""The arena as a picture made of characters: addresses upwards, steps to the right."""

from dataclasses import dataclass

from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.lifetimes import Lifetime, tensor_lifetimes

_ROWS = 16
_COLUMNS = 72
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_FREE, _SCRATCH = ".", "#"


@dataclass(frozen=True, slots=True)
class _Block:
    mark: str
    start: int
    end: int
    lifetime: Lifetime


def draw_arena(plan: ExecutionPlan) -> str:
    """Return a picture of what lives where and when.

    A cell shows whatever has most bytes there at that step: a letter is a tensor, ``#`` scratch,
    ``.`` free. Letters go round after the last one. Long programs show every n-th step.
    """
    steps = max(len(plan.program.calls), 1)
    columns = min(steps, _COLUMNS)
    blocks = _blocks(plan)
    lines = []
    for row in reversed(range(_ROWS)):
        first = plan.arena.size_bytes * row // _ROWS
        end = plan.arena.size_bytes * (row + 1) // _ROWS
        cells = [_cell(blocks, first, end, column * steps // columns) for column in range(columns)]
        lines.append(f"{first:>9} |{''.join(cells)}|")
    lines.append(f"{'bytes':>9}  steps 0 to {steps - 1}")
    return "\n".join(lines)


def _blocks(plan: ExecutionPlan) -> list[_Block]:
    lifetimes = tensor_lifetimes(plan.program)
    ordered = sorted(lifetimes, key=lambda name: (lifetimes[name].first_step, name))
    blocks = []
    for position, name in enumerate(ordered):
        start = plan.arena.offset_bytes[name]
        end = start + plan.program.graph.tensors[name].size_bytes
        mark = _LETTERS[position % len(_LETTERS)]
        blocks.append(_Block(mark, start, end, lifetimes[name]))
    for step, start in plan.arena.scratch_offset_bytes.items():
        end = start + plan.program.calls[step].scratch_bytes
        blocks.append(_Block(_SCRATCH, start, end, Lifetime(step, step + 1)))
    return blocks


def _cell(blocks: list[_Block], first: int, end: int, step: int) -> str:
    best, most = _FREE, 0
    for block in blocks:
        shared = min(block.end, end) - max(block.start, first)
        if shared >= max(most, 1) and block.lifetime.first_step <= step < block.lifetime.end_step:
            best, most = block.mark, shared
    return best
