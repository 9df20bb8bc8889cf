"""Checking overlays by running their copies and tiles over a map of what every byte is.

This shares no code with the planner. Copies are as bad as they may be: from its start to its wait a
copy's destination is anything, and nobody else touches what it works on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.errors import GraphError
from penstock.kernels.kernel_graph import (
    Argument,
    ConstantArgument,
    KernelCall,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall
from penstock.planning.validate_tables import check_tables
from penstock.planning.validate_tiles import check_call, touched

_ANYTHING = -1
_Bytes = npt.NDArray[np.int64]
_WRITABLE = (Block.ARENA, Block.TIGHT, Block.FAR)


@dataclass(frozen=True, slots=True)
class _Touch:
    """Bytes that a tile reads or writes.

    Attributes:
        block: where.
        places: their offsets.
        contents: what they have to be, or become.
    """

    block: Block
    places: _Bytes
    contents: _Bytes


def validate_overlays(plan: ExecutionPlan, overlays: OverlayProgram, line_bytes: int = 1) -> None:
    """Check that every tile finds what it reads, and that every output is there at the end.

    Args:
        plan: with tensors' homes.
        overlays: tiles and copies.
        line_bytes: of the data cache; 1 where there is none.

    Raises:
        GraphError: the overlays are wrong, which is a bug of ours; names tile and copy.
    """
    _Replay(plan, overlays, line_bytes).run()


class _Replay:
    """All blocks as maps from byte to contents, on which the program is replayed."""

    def __init__(self, plan: ExecutionPlan, overlays: OverlayProgram, line_bytes: int) -> None:
        self._plan = plan
        self._line_bytes = line_bytes
        self._program = plan.program
        self._overlays = overlays
        sizes = {
            Block.ARENA: plan.arena.size_bytes,
            Block.TIGHT: overlays.tight_bytes,
            Block.FAR: overlays.far_bytes,
            Block.PACKS: overlays.packs_bytes(Block.PACKS),
            Block.FAR_PACKS: overlays.packs_bytes(Block.FAR_PACKS),
        }
        self._memory = {b: np.full(size, _ANYTHING, np.int64) for b, size in sizes.items()}
        self._stages = overlays.stage_by_step
        self._base: dict[str, int] = {}
        self._first_write: dict[int, int] = {}
        self._last_write = {
            name: step for step, call in enumerate(plan.program.calls) for name in call.writes
        }
        self._running: dict[int, Copy] = {}
        self._starting: dict[tuple[int, bool], list[Copy]] = {}
        self._awaited: dict[tuple[int, bool], list[Copy]] = {}
        for copy in overlays.copies:
            is_late = copy.is_load and copy.started_at == copy.waited_at
            self._starting.setdefault((copy.started_at, copy.is_load), []).append(copy)
            self._awaited.setdefault((copy.waited_at, is_late), []).append(copy)

    def run(self) -> None:
        check_tables(self._program, self._overlays)
        self._fill_packs()
        for name in self._program.graph.inputs:
            self._put(self._whole(name))
        count = len(self._overlays.tiles)
        for number in range(count):
            self._finish(number, late=False)
            self._start(number, loads=True)
            self._finish(number, late=True)
            self._execute(number, self._overlays.tiles[number])
            self._start(number, loads=False)
            self._check_results(number)
        self._finish(count, late=False)
        if self._running:
            raise GraphError(f"channels {sorted(self._running)} are never waited for")
        for name in self._program.graph.outputs:
            if not self._program.graph.tensors[name].is_variable:
                self._require(self._whole(name), f"output {name!r} at the end")

    # Copies -----------------------------------------------------------------------------------

    def _start(self, tile: int, *, loads: bool) -> None:
        for copy in self._starting.get((tile, loads), ()):
            if copy.channel in self._running:
                raise GraphError(f"tile {tile} starts a copy on channel {copy.channel}, not idle")
            self._slice(copy.source, copy)  # is there such a place?
            destination = self._slice(copy.destination, copy)
            if copy.destination.block not in _WRITABLE:
                raise GraphError(f"tile {tile} copies to {copy.destination.block.value}")
            self._check_apart(tile, copy)
            self._check_line(tile, copy)
            self._running[copy.channel] = copy
            destination[:] = _ANYTHING

    def _check_apart(self, tile: int, copy: Copy) -> None:
        """What a copy writes is nothing that it reads, or that one beside it works on."""
        is_apart = not _overlap(copy, copy.destination, copy, copy.source)
        for other in self._running.values():
            is_apart &= not _overlap(copy, copy.destination, other, other.destination)
            is_apart &= not _overlap(copy, copy.destination, other, other.source)
            is_apart &= not _overlap(copy, copy.source, other, other.destination)
        if not is_apart:
            raise GraphError(
                f"tile {tile} starts a copy on channel {copy.channel} that writes what it reads, "
                f"or what another copy works on"
            )

    def _check_line(self, tile: int, copy: Copy) -> None:
        """A slot that a controller fills begins with a cache line.

        Where it ends within one, the driver lets the core copy what is in it, so that what the
        core writes behind it is safe.
        """
        address = copy.destination
        is_slot = copy.is_load and address.block in self._overlays.cached
        if is_slot and address.offset_bytes % self._line_bytes:
            raise GraphError(
                f"tile {tile} starts a copy to {address.block.value}({address.offset_bytes}), "
                f"within a cache line of {self._line_bytes} bytes"
            )

    def _finish(self, tile: int, *, late: bool) -> None:
        for copy in self._awaited.get((tile, late), ()):
            running = self._running.pop(copy.channel, None)
            if running is not copy:
                raise GraphError(
                    f"tile {tile} waits for a copy on channel {copy.channel}: not there"
                )
            self._slice(copy.destination, copy)[:] = self._slice(copy.source, copy)

    def _slice(self, address: Address, copy: Copy) -> _Bytes:
        if address.block not in self._memory:
            raise GraphError(f"a copy goes to or from {address.block.value}")
        memory = self._memory[address.block]
        end = address.offset_bytes + copy.size_bytes
        if not 0 <= address.offset_bytes < end <= memory.size:
            raise GraphError(
                f"a copy of {copy.size_bytes} bytes at {address.block.value}"
                f"({address.offset_bytes}) leaves a block of {memory.size} bytes"
            )
        return memory[address.offset_bytes : end]

    # Tiles ------------------------------------------------------------------------------------

    def _execute(self, number: int, tile: TileCall) -> None:
        who = f"tile {number} (step {tile.step})"
        call = self._program.calls[tile.step]
        check_call(self._program, tile, who)
        touches = {
            position: touch
            for position in range(len(call.arguments))
            if (touch := self._touch(who, call, tile, position)) is not None
        }
        written = {p for p, a in enumerate(call.arguments) if _writes(a)}
        self._check_overlaps(who, call, touches, written)
        for position, touch in touches.items():
            self._check_running(who, touch, is_written=position in written)
            if position not in written:
                self._require(touch, f"argument {position} of {who}")
        for position in written & touches.keys():
            if self._is_further_part(tile.step, call.arguments[position]):
                what = f"argument {position} of {who}, which writes a further part of it,"
                self._require(touches[position], what)
            self._put(touches[position])

    def _is_further_part(self, step: int, argument: Argument) -> bool:
        """Return whether an earlier step has written a part of a tensor: it must not be lost."""
        if not isinstance(argument, TensorArgument):
            return False
        return self._first_write.setdefault(self._identity(argument.tensor), step) < step

    def _check_results(self, number: int) -> None:
        """Once the copies are over that run after a stage, its results are where they belong."""
        stage = self._stages[self._overlays.tiles[number].step]
        following = self._overlays.tiles[number + 1 : number + 2]
        if following and following[0].step in stage:
            return
        for step in stage:
            self._check_step_results(step)

    def _check_step_results(self, step: int) -> None:
        for name in filter(self._plan.holds, self._program.calls[step].writes):
            if self._last_write[name] != step or self._program.graph.tensors[name].is_variable:
                continue
            touch = self._whole(name)
            found = self._memory[touch.block][touch.places]
            for copy in self._running.values():
                if copy.destination.block is touch.block and not copy.is_load:
                    contents = self._slice(copy.source, copy)
                    inside = touch.places - copy.destination.offset_bytes
                    taken = (inside >= 0) & (inside < copy.size_bytes)
                    found[taken] = contents[inside[taken]]
            self._compare(found, touch, f"result {name!r} of step {step}")

    def _check_overlaps(
        self, who: str, call: KernelCall, touches: dict[int, _Touch], written: set[int]
    ) -> None:
        for position in written & touches.keys():
            for other, touch in touches.items():
                if other == position or not _meet(touch, touches[position]):
                    continue
                names = [getattr(call.arguments[n], "tensor", "") for n in (other, position)]
                same = touch.places[0] == touches[position].places[0]
                if (names[0], names[1]) not in call.in_place or not same:
                    raise GraphError(f"arguments {other} and {position} of {who} overlap")

    def _check_running(self, who: str, touch: _Touch, *, is_written: bool) -> None:
        for copy in self._running.values():
            ends = [copy.destination, *([copy.source] if is_written else [])]
            for address in ends:
                if address.block is not touch.block:
                    continue
                start, end = address.offset_bytes, address.offset_bytes + copy.size_bytes
                if ((touch.places >= start) & (touch.places < end)).any():
                    raise GraphError(
                        f"{who} works on what a copy on channel {copy.channel} works on"
                    )

    def _touch(self, who: str, call: KernelCall, tile: TileCall, position: int) -> _Touch | None:
        argument = call.arguments[position]
        if position not in tile.addresses or isinstance(argument, StructArgument):
            return None
        address = tile.addresses[position]
        if isinstance(argument, ScratchArgument):
            part = np.arange(call.scratch_bytes, dtype=np.int64)
            contents: _Bytes = np.full(part.size, _ANYTHING, np.int64)
        else:
            part = touched(self._program, tile, position)
            contents = self._first_byte(argument) + part
        if address.block in (Block.STATE, Block.CONSTANT):
            self._check_read_in_place(f"argument {position} of {who}", address, argument, part)
            return None
        places = address.offset_bytes + part - part[:1].sum()
        if not self._holds(address.block, places):
            raise GraphError(f"argument {position} of {who} leaves its block")
        return _Touch(address.block, places, contents)

    def _check_read_in_place(
        self, what: str, address: Address, argument: object, part: _Bytes
    ) -> None:
        """What is neither copied nor overwritten is where it always is."""
        name = getattr(argument, "tensor", None) or getattr(argument, "constant", "")
        if address.name != name or (part.size and address.offset_bytes != part[0]):
            raise GraphError(
                f"{what} is {name!r} from byte {part[:1].sum()} on, and its address that of "
                f"{address.name!r}, byte {address.offset_bytes}"
            )
        if address.block is Block.CONSTANT and name not in self._plan.arrays:
            raise GraphError(f"{what} reads constant {name!r} in place, which only packs hold")

    # Contents ---------------------------------------------------------------------------------

    def _fill_packs(self) -> None:
        for pack in self._overlays.packs:
            for part in pack.parts:
                start = pack.address.offset_bytes + part.offset_bytes
                first = self._constant(part.constant) + part.window.offset_bytes
                self._memory[pack.address.block][start : start + part.window.size_bytes] = (
                    np.arange(first, first + part.window.size_bytes)
                )

    def _whole(self, name: str) -> _Touch:
        block, offset = self._plan.locate(name)
        size = self._program.graph.tensors[name].size_bytes
        part = np.arange(size, dtype=np.int64)
        if not self._holds(block, offset + part):
            raise GraphError(f"tensor {name!r} leaves its block")
        return _Touch(block, offset + part, self._identity(name) + part)

    def _holds(self, block: Block, places: _Bytes) -> bool:
        return not places.size or 0 <= places.min() <= places.max() < self._memory[block].size

    def _first_byte(self, argument: Argument) -> int:
        if isinstance(argument, TensorArgument):
            return self._identity(argument.tensor)
        assert isinstance(argument, ConstantArgument)
        assert argument.constant is not None
        return self._constant(argument.constant)

    def _identity(self, name: str) -> int:
        """Return the contents of a tensor's first byte; aliases are the same tensor."""
        for _ in self._program.aliases:
            name = self._program.aliases.get(name, name)
        return self._number(f"tensor {name}")

    def _constant(self, name: str) -> int:
        return self._number(f"constant {name}")

    def _number(self, key: str) -> int:
        return self._base.setdefault(key, len(self._base) << 32)

    def _put(self, touch: _Touch) -> None:
        self._memory[touch.block][touch.places] = touch.contents

    def _require(self, touch: _Touch, what: str) -> None:
        self._compare(self._memory[touch.block][touch.places], touch, what)

    def _compare(self, found: _Bytes, touch: _Touch, what: str) -> None:
        if not np.array_equal(found, touch.contents):
            wrong = int(np.flatnonzero(found != touch.contents)[0])
            raise GraphError(
                f"{what} is not there: byte {wrong} of {found.size}, at "
                f"{touch.block.value}({int(touch.places[wrong])})"
            )


def _overlap(left: Copy, left_end: Address, right: Copy, right_end: Address) -> bool:
    start = max(left_end.offset_bytes, right_end.offset_bytes)
    end = min(left_end.offset_bytes + left.size_bytes, right_end.offset_bytes + right.size_bytes)
    return left_end.block is right_end.block and start < end


def _writes(argument: object) -> bool:
    is_output = isinstance(argument, TensorArgument) and argument.is_written
    return is_output or isinstance(argument, ScratchArgument)


def _meet(left: _Touch, right: _Touch) -> bool:
    if left.block is not right.block or not left.places.size or not right.places.size:
        return False
    if left.places.max() < right.places.min() or right.places.max() < left.places.min():
        return False
    return bool(np.intersect1d(left.places, right.places).size)
