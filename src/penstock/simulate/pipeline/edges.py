"""What it costs to go from one basic block to the next.

The cost of an edge is T(A·B) − T(A): what block B takes behind block A. Costs along a path add up
to the time of the whole, except for what reaches over more than one block. A block that follows
itself gets its steady state.
"""

from dataclasses import dataclass
from fractions import Fraction

from penstock.simulate.pipeline.core_timing import CoreTiming, Outcome
from penstock.simulate.pipeline.decode import decode_block
from penstock.simulate.pipeline.instruction import FLAGS, Block, BranchKind
from penstock.simulate.pipeline.scheduler import Pipeline

_MASK_BITS = 64
_ITERATIONS_MAX = 64
"""After so many iterations a loop counts as steady even if its state never came back."""


@dataclass(frozen=True, slots=True)
class EdgeCost:
    """What a block takes behind another, with every access in memory without wait states.

    Attributes:
        cycles: with branches foreseen, accesses aligned, and no two loads in one bank.
        load_use_cycles: of them, lost waiting for what loads bring.
        pair_mask: bit k is set if access k of the block goes to memory together with the one
            before it; accesses behind a predicated one are not marked, since their number is open.
    """

    cycles: Fraction | int
    load_use_cycles: Fraction | int
    pair_mask: int


@dataclass(frozen=True, slots=True)
class BranchCost:
    """How a block ends.

    Attributes:
        kind: NONE if it goes on with the next instruction.
        mispredict_cycles: of a wrong guess; 0 on cores that do not guess.
    """

    kind: BranchKind
    mispredict_cycles: int


def edge_cost(core: CoreTiming, previous: Block | None, block: Block) -> EdgeCost:
    """Return what the block takes behind the previous one; None: at the start of everything.

    A block that does not lie behind the previous one in memory is reached by a taken branch.
    """
    if previous is block and block.end != block.address:
        return _steady_state(core, block)
    pipeline = Pipeline(core)
    before = 0
    if previous is not None:
        before = _run_before(pipeline, previous, block)
    waited = pipeline.load_wait_cycles
    mask = _run(pipeline, block, None)
    return EdgeCost(pipeline.end - before, pipeline.load_wait_cycles - waited, mask)


def branch_cost(core: CoreTiming, block: Block) -> BranchCost:
    """Return how the block ends, and what a wrong guess about it costs."""
    branch = core.branch
    if block.branch is BranchKind.NONE or not branch.is_predicted:
        return BranchCost(block.branch, 0)
    pipeline = Pipeline(core)
    flags_at = None
    for instruction in block.instructions:
        pipeline.step(instruction)
        if instruction.sets_flags:
            flags_at = pipeline.issue
    decides_by_flags = any(register == FLAGS for _, register in block.instructions[-1].reads)
    distance = pipeline.issue - (flags_at if flags_at is not None else -branch.early_distance)
    is_early = decides_by_flags and distance >= branch.early_distance
    cycles = branch.mispredict_cycles_early if is_early else branch.mispredict_cycles
    return BranchCost(block.branch, cycles)


def sequence_cycles(core: CoreTiming, code: bytes, iterations: int) -> float:
    """Return the cycles of each iteration when the code is repeated.

    Code that ends with a branch is a loop; other code is unrolled.

    Args:
        core: that runs it.
        code: machine code.
        iterations: at least 1.
    """
    block = decode_block(code, 0)
    is_loop = block.branch is not BranchKind.NONE
    pipeline = Pipeline(core)
    for _ in range(iterations):
        _run(pipeline, block, Outcome.TAKEN if is_loop else None)
        if is_loop:
            pipeline.branch_away(block.instructions[0])
    return pipeline.end / iterations


def _run(pipeline: Pipeline, block: Block, outcome: Outcome | None) -> int:
    """Issue a block's instructions; return which accesses go together with the one before."""
    mask, access, is_certain = 0, 0, True
    for instruction in block.instructions:
        is_last = instruction is block.instructions[-1]
        pipeline.step(instruction, outcome if is_last else Outcome.NOT_TAKEN)
        if instruction.access_bytes:
            is_certain = is_certain and not instruction.is_predicated
            if pipeline.is_paired and is_certain and access < _MASK_BITS:
                mask |= 1 << access
            access += len(instruction.access_bytes)
    return mask


def _run_before(pipeline: Pipeline, previous: Block, block: Block) -> int:
    """Run the previous block into this one; return what it takes when its outcome is open.

    That is what the edge into the previous block has already charged.
    """
    is_taken = block.address != previous.end
    for instruction in previous.instructions[:-1]:
        pipeline.step(instruction, Outcome.NOT_TAKEN)
    last = previous.instructions[-1]
    charged = pipeline.copy()
    charged.step(last)
    pipeline.step(last, Outcome.TAKEN if is_taken else Outcome.NOT_TAKEN)
    if is_taken:
        pipeline.branch_away(block.instructions[0])
    return charged.end


def _steady_state(core: CoreTiming, block: Block) -> EdgeCost:
    """Return what an iteration takes on average once the pipeline's state repeats."""
    pipeline = Pipeline(core)
    seen: dict[tuple[object, ...], tuple[int, int, int]] = {}
    mask = 0
    for iteration in range(_ITERATIONS_MAX):
        signature = pipeline.signature()
        if signature in seen:
            break
        seen[signature] = (iteration, pipeline.end, pipeline.load_wait_cycles)
        mask = _run(pipeline, block, Outcome.TAKEN)
        pipeline.branch_away(block.instructions[0])
    first, end, waited = seen.get(pipeline.signature(), (0, 0, 0))
    count = len(seen) - first
    return EdgeCost(
        cycles=Fraction(pipeline.end - end, count),
        load_use_cycles=Fraction(pipeline.load_wait_cycles - waited, count),
        pair_mask=mask,
    )
