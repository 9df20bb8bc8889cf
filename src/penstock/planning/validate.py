"""Checking a plan by running its reads and writes over a map of who owns each byte.

This shares no code with the planner: lifetimes are never computed here. Whatever a step destroys
too early is noticed when a later step, or the user, misses it.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from penstock.boards.board import Board, MemoryKind, MemoryRegion
from penstock.errors import GraphError
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall
from penstock.planning.execution_plan import ALIGNMENT_BYTES, ExecutionPlan, Placement
from penstock.planning.overlays.program import Block
from penstock.planning.validate_overlays import validate_overlays

_NOBODY = -1
_NEVER_CACHED = (MemoryKind.TCM_DATA, MemoryKind.TCM_INSTRUCTION)
_Span = tuple[int, int]


def validate_plan(plan: ExecutionPlan, board: Board | None = None) -> None:
    """Check that a plan is right.

    Every tensor read is wholly there, every output is there at the end, everything is aligned
    and within bounds, kernels overwrite an input only where they say that they may, and each
    region of the board holds what is placed in it.

    Args:
        plan: the plan.
        board: the board that the plan's regions are of; None leaves out capacity.

    Raises:
        GraphError: the plan is wrong, which is a bug of ours; names step and tensor.
    """
    _check_addresses(plan)
    _check_state(plan)
    if plan.overlays is None:
        _ArenaReplay(plan).run()
    else:
        validate_overlays(plan, plan.overlays, _line_bytes(board))
    if plan.arena.lower_bound_bytes > plan.arena.size_bytes:
        raise GraphError("the arena is smaller than the lower bound that it claims")
    if board is not None:
        _check_regions(plan, board)
        _check_cached(plan, board)


def _line_bytes(board: Board | None) -> int:
    return 1 if board is None or board.data_cache is None else board.data_cache.line_bytes


def _check_cached(plan: ExecutionPlan, board: Board) -> None:
    """The plan knows which blocks the core writes through a data cache."""
    if plan.overlays is None or plan.placement is None or board.data_cache is None:
        return
    homes = {
        Block.ARENA: plan.placement.arena,
        Block.FAR: plan.placement.far,
        Block.FAR_PACKS: plan.placement.far_weights,
    }
    for block, name in homes.items():
        region = None if name is None else board.region(name)
        is_tight = region is None or region.kind in _NEVER_CACHED
        is_cached = region is not None and region.is_writable and not is_tight
        if is_cached is not (block in plan.overlays.cached):
            raise GraphError(f"the plan is wrong about caching {block.value}, in {name!r}")


def _check_addresses(plan: ExecutionPlan) -> None:
    """Every tensor and scratch buffer has an aligned address within its block."""
    tensors = plan.program.graph.tensors
    spans = {
        f"tensor {name!r}": (offset, tensors[name].size_bytes, plan.arena.size_bytes)
        for name, offset in plan.arena.offset_bytes.items()
    }
    for name, offset in plan.state_offset_bytes.items():
        spans[f"state {name!r}"] = (offset, tensors[name].size_bytes, plan.state_bytes)
    if plan.overlays is not None:
        blocks = (
            ("tight", plan.overlays.tight_offset_bytes, plan.overlays.tight_bytes),
            ("far", plan.overlays.far_offset_bytes, plan.overlays.far_bytes),
        )
        for block, offsets, limit in blocks:
            for name, offset in offsets.items():
                spans[f"{block} tensor {name!r}"] = (offset, tensors[name].size_bytes, limit)
    for step, offset in plan.arena.scratch_offset_bytes.items():
        size = plan.program.calls[step].scratch_bytes
        spans[f"scratch of step {step}"] = (offset, size, plan.arena.size_bytes)
    for what, (offset, size, limit) in spans.items():
        if offset < 0 or offset % ALIGNMENT_BYTES:
            raise GraphError(f"{what} starts at {offset}, not a multiple of {ALIGNMENT_BYTES}")
        if offset + size > limit:
            raise GraphError(f"{what} ends at {offset + size}, beyond its block of {limit} bytes")


def _check_state(plan: ExecutionPlan) -> None:
    """Every variable tensor has memory of its own that survives."""
    tensors = plan.program.graph.tensors
    variables = {name for name, tensor in tensors.items() if tensor.is_variable}
    if variables != set(plan.state_offset_bytes):
        raise GraphError("the state block does not hold exactly the variable tensors")
    spans = sorted(
        (offset, offset + tensors[name].size_bytes, name)
        for name, offset in plan.state_offset_bytes.items()
    )
    for (_, end, left), (start, _, right) in itertools.pairwise(spans):
        if start < end:
            raise GraphError(f"states {left!r} and {right!r} overlap")


class _ArenaReplay:
    """The arena as a map from byte to owner, on which the program's accesses are replayed.

    Bytes that no tensor or scratch buffer tells apart are one cell of the map.
    """

    def __init__(self, plan: ExecutionPlan) -> None:
        self._plan = plan
        self._tensors = plan.program.graph.tensors
        self._cells = _cells(plan)
        self._owner: npt.NDArray[np.int32] = np.full(len(self._cells), _NOBODY, np.int32)
        self._identity: dict[str, int] = {}
        self._written: set[int] = set()

    def run(self) -> None:
        graph = self._plan.program.graph
        for name in graph.inputs:
            self._write(name, "the user")
        for name in graph.inputs:
            self._require(name, "the user, who fills all inputs,")
        for step, call in enumerate(self._plan.program.calls):
            self._replay(step, call)
        for name in graph.outputs:
            self._require(name, "the user, after the last step,")

    def _replay(self, step: int, call: KernelCall) -> None:
        who = f"step {step} ({call.kernel.name})"
        self._check_constants(who, call)
        reads, writes = self._in_arena(call.reads), self._in_arena(call.writes)
        for name in reads:
            self._require(name, who)
        self._check_writes(who, call, reads, writes)
        if call.scratch_bytes:
            self._use_scratch(who, step, (*reads, *writes))
        for name in writes:
            if self._owner_of(name) in self._written:
                self._require(name, f"{who}, which writes a further part of it,")
        for name in writes:
            self._write(name, who)

    def _check_constants(self, who: str, call: KernelCall) -> None:
        for argument in call.arguments:
            name = argument.constant if isinstance(argument, ConstantArgument) else None
            if name is not None and name not in self._plan.program.constants:
                raise GraphError(f"{who} needs constant {name!r}: there is none")

    def _check_writes(
        self, who: str, call: KernelCall, reads: Sequence[str], writes: Sequence[str]
    ) -> None:
        """No write of the call touches what the same call reads, unless it is in place."""
        for position, output in enumerate(writes):
            for other in writes[:position]:
                if other != output and _meet(self._span(output), self._span(other)):
                    raise GraphError(f"outputs {other!r} and {output!r} of {who} overlap")
            for name in reads:
                if not _meet(self._span(name), self._span(output)):
                    continue
                same_start = self._span(name)[0] == self._span(output)[0]
                if (name, output) not in call.in_place or not same_start:
                    raise GraphError(f"{who} overwrites its input {name!r} by output {output!r}")

    def _use_scratch(self, who: str, step: int, names: Iterable[str]) -> None:
        """Scratch destroys what was there, and must not be what the call works on."""
        if step not in self._plan.arena.scratch_offset_bytes:
            raise GraphError(f"{who} needs scratch and has none")
        start = self._plan.arena.scratch_offset_bytes[step]
        span = (start, start + self._plan.program.calls[step].scratch_bytes)
        for name in names:
            if _meet(span, self._span(name)):
                raise GraphError(f"scratch of {who} overlaps tensor {name!r}")
        self._owner[self._cells[span[0]] : self._cells[span[1]]] = _NOBODY

    def _in_arena(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self._tensors[name].is_variable]

    def _span(self, name: str) -> _Span:
        if name not in self._plan.arena.offset_bytes:
            raise GraphError(f"tensor {name!r} has no address")
        start = self._plan.arena.offset_bytes[name]
        return start, start + self._tensors[name].size_bytes

    def _owner_of(self, name: str) -> int:
        """Return the number of a tensor's contents, the same for all its aliases."""
        aliases = self._plan.program.aliases
        for _ in aliases:
            if name not in aliases:
                break
            if self._span(name) != self._span(aliases[name]):
                raise GraphError(f"{name!r} and its alias {aliases[name]!r} have two addresses")
            name = aliases[name]
        return self._identity.setdefault(name, len(self._identity))

    def _write(self, name: str, who: str) -> None:
        if self._tensors[name].is_constant:
            raise GraphError(f"{who} writes constant tensor {name!r}")
        first, end = self._span(name)
        owner = self._owner_of(name)
        self._owner[self._cells[first] : self._cells[end]] = owner
        self._written.add(owner)

    def _require(self, name: str, who: str) -> None:
        first, end = self._span(name)
        if self._owner_of(name) not in self._written:
            raise GraphError(f"{who} needs tensor {name!r}, which nobody has written")
        if (self._owner[self._cells[first] : self._cells[end]] != self._owner_of(name)).any():
            raise GraphError(f"{who} needs tensor {name!r}, which has been overwritten")


def _cells(plan: ExecutionPlan) -> dict[int, int]:
    """Return the number of the cell that begins at each address where something begins or ends."""
    tensors = plan.program.graph.tensors
    cuts = set()
    for name, start in plan.arena.offset_bytes.items():
        cuts |= {start, start + tensors[name].size_bytes}
    for step, start in plan.arena.scratch_offset_bytes.items():
        cuts |= {start, start + plan.program.calls[step].scratch_bytes}
    return {address: number for number, address in enumerate(sorted(cuts))}


def _meet(left: _Span, right: _Span) -> bool:
    return left[0] < right[1] and right[0] < left[1] and left[0] < left[1] and right[0] < right[1]


def _check_regions(plan: ExecutionPlan, board: Board) -> None:
    """Each section is in a region that can hold it, with all that lives there."""
    placement = plan.placement
    if placement is None or plan.board != board.name:
        raise GraphError(f"the plan is for board {plan.board!r}, not for {board.name!r}")
    regions = {region.name: region for region in board.regions}
    used: dict[str, int] = {}
    for section, name, size, needs_writing in _sections(plan, placement, regions):
        if name is None:
            if size:
                raise GraphError(f"{size} bytes of {section} have no region")
            continue
        if name not in regions:
            raise GraphError(f"the {section} is placed in {name!r}, which the board does not have")
        if needs_writing and not regions[name].is_writable:
            raise GraphError(f"the {section} is placed in {name!r}, which is read-only")
        used[name] = used.get(name, 0) + size
        if used[name] > regions[name].size_bytes:
            raise GraphError(
                f"region {name!r} offers {regions[name].size_bytes} bytes and gets {used[name]}"
            )


def _sections(
    plan: ExecutionPlan, placement: Placement, regions: Mapping[str, MemoryRegion]
) -> Iterator[tuple[str, str | None, int, bool]]:
    """Yield what lies where: name, region, bytes, and whether programs write there."""
    overlays = plan.overlays
    packed = frozenset() if overlays is None else overlays.packed
    weights = sum(
        (array.nbytes + ALIGNMENT_BYTES - 1) // ALIGNMENT_BYTES * ALIGNMENT_BYTES
        for name, array in plan.program.constants.items()
        if name not in packed
    )
    far_weights = tight = far = 0
    if overlays is not None:
        weights += overlays.packs_bytes(Block.PACKS)
        far_weights = overlays.packs_bytes(Block.FAR_PACKS)
        tight, far = overlays.tight_bytes, overlays.far_bytes
    yield "code", placement.code, 0, False
    yield "weights", placement.weights, weights, False
    yield "weights", placement.copied_from, _copied_bytes(regions, placement, weights), False
    yield "arena", placement.arena, plan.arena.size_bytes + plan.state_bytes, True
    yield "stack", placement.stack, 0, True
    yield "tight arena", placement.tight, tight, True
    yield "far tensors", placement.far, far, True
    yield "far weights", placement.far_weights, far_weights, False
    if placement.far_weights_image is not None:
        yield "far weights' image", placement.far_weights_image, far_weights, False


def _copied_bytes(
    regions: Mapping[str, MemoryRegion], placement: Placement, weights_bytes: int
) -> int:
    """Return the bytes kept in flash to be copied to their place by start-up."""
    region = regions.get(placement.weights)
    return weights_bytes if region is not None and region.is_writable else 0
