"""Checking overlays by running their copies and tiles over a map of what every byte is.

This shares no code with the planner. Copies are as bad as they may be: from its start on a copy's
destination is anything, and what it brings is what its source holds when it is waited for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.errors import GraphError
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    KernelCall,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall

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


def validate_overlays(plan: ExecutionPlan, overlays: OverlayProgram) -> None:
    """Check that every tile finds what it reads, and that every output is there at the end.

    Raises:
        GraphError: the overlays are wrong, which is a bug of ours; names tile and copy.
    """
    _Replay(plan, overlays).run()


class _Replay:
    """All blocks as maps from byte to contents, on which the program is replayed."""

    def __init__(self, plan: ExecutionPlan, overlays: OverlayProgram) -> None:
        self._plan = plan
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
        self._base: dict[str, int] = {}
        self._running: dict[int, tuple[Copy, _Bytes]] = {}
        self._fill_packs()

    def run(self) -> None:
        for name in self._program.graph.inputs:
            self._put(self._whole(name))
        count = len(self._overlays.tiles)
        order = [tile.step for tile in self._overlays.tiles]
        if sorted(order) != order or set(order) != set(range(len(self._program.calls))):
            raise GraphError("tiles do not follow the order of the program's steps")
        for number in range(count):
            self._finish(number, late=False)
            self._start(number, loads=True)
            self._finish(number, late=True)
            self._execute(number, self._overlays.tiles[number])
            self._start(number, loads=False)
        self._finish(count, late=False)
        if self._running:
            raise GraphError(f"channels {sorted(self._running)} are never waited for")
        for name in self._program.graph.outputs:
            if not self._program.graph.tensors[name].is_variable:
                self._require(self._whole(name), f"output {name!r} at the end")

    # Copies -----------------------------------------------------------------------------------

    def _start(self, tile: int, *, loads: bool) -> None:
        for copy in self._overlays.copies:
            if copy.started_at != tile or copy.is_load is not loads:
                continue
            if copy.channel in self._running:
                raise GraphError(f"tile {tile} starts a copy on channel {copy.channel}, not idle")
            source, destination = (
                self._slice(copy.source, copy),
                self._slice(copy.destination, copy),
            )
            if copy.destination.block not in _WRITABLE:
                raise GraphError(f"tile {tile} copies to {copy.destination.block.value}")
            self._running[copy.channel] = copy, source.copy()
            destination[:] = _ANYTHING

    def _finish(self, tile: int, *, late: bool) -> None:
        for copy in self._overlays.copies:
            is_late = copy.is_load and copy.started_at == copy.waited_at
            if copy.waited_at != tile or is_late is not late:
                continue
            running = self._running.pop(copy.channel, None)
            if running is None or running[0] is not copy:
                raise GraphError(
                    f"tile {tile} waits for a copy on channel {copy.channel}: not there"
                )
            source = self._slice(copy.source, copy)
            if not np.array_equal(source, running[1]):
                raise GraphError(f"the source of a copy changes before tile {tile} waits for it")
            self._slice(copy.destination, copy)[:] = source

    def _slice(self, address: Address, copy: Copy) -> _Bytes:
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
        touches = {
            position: touch
            for position, argument in enumerate(call.arguments)
            if (touch := self._touch(who, call, tile, position)) is not None
            and not isinstance(argument, StructArgument)
        }
        written = {p for p, a in enumerate(call.arguments) if _writes(a)}
        self._check_overlaps(who, call, touches, written)
        for position, touch in touches.items():
            self._check_running(who, touch, is_written=position in written)
            if position not in written:
                self._require(touch, f"argument {position} of {who}")
        for position in written & touches.keys():
            self._put(touches[position])

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
        for copy, _ in self._running.values():
            ends = [copy.destination, *([copy.source] if is_written else [])]
            for address in ends:
                if address.block is not touch.block:
                    continue
                end = address.offset_bytes + copy.size_bytes
                if ((touch.places >= address.offset_bytes) & (touch.places < end)).any():
                    raise GraphError(f"{who} works on what a copy on {copy.channel} works on")

    def _touch(self, who: str, call: KernelCall, tile: TileCall, position: int) -> _Touch | None:
        argument = call.arguments[position]
        if position not in tile.addresses:
            return None
        address = tile.addresses[position]
        if address.block in (Block.STATE, Block.CONSTANT):
            return None
        if isinstance(argument, ScratchArgument):
            places = np.arange(address.offset_bytes, address.offset_bytes + call.scratch_bytes)
            contents: _Bytes = np.full(places.size, _ANYTHING, np.int64)
        elif isinstance(argument, TensorArgument):
            part = self._tensor_part(call, tile, position, argument)
            places = address.offset_bytes + part - part[:1].sum()
            contents = self._identity(argument.tensor) + part
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            part = self._constant_part(call, tile, argument.constant)
            places = address.offset_bytes + part - part[:1].sum()
            contents = self._constant(argument.constant) + part
        else:
            return None
        if places.size and not 0 <= places.min() <= places.max() < self._memory[address.block].size:
            raise GraphError(f"argument {position} of {who} leaves its block")
        return _Touch(address.block, places, contents)

    def _tensor_part(
        self, call: KernelCall, tile: TileCall, position: int, argument: TensorArgument
    ) -> _Bytes:
        """Return the offsets, in the whole tensor, of the bytes that a tile touches."""
        tensor = self._program.graph.tensors[argument.tensor]
        every = np.arange(tensor.size_bytes, dtype=np.int64)
        if not tensor.size_bytes or (tile.rows is None and tile.filters is None):
            return every
        fields = _fields(call)
        if "extents" in fields:
            assert tile.rows is not None
            element = tensor.dtype.size_bytes
            names = ("left_strides", "right_strides", "output_strides")
            if "input_strides" in fields:
                names = ("input_strides", "", "output_strides")
            if not fields[names[position - 1]][-1]:
                return every
            return every[64 * tile.rows.start * element : 64 * tile.rows.stop * element]
        return self._plane_part(every, tensor.shape, fields, tile, is_output=argument.is_written)

    def _plane_part(
        self,
        every: _Bytes,
        shape: tuple[int, ...],
        fields: dict[str, tuple[int, ...]],
        tile: TileCall,
        *,
        is_output: bool,
    ) -> _Bytes:
        channels = shape[-1]
        if is_output:
            height = fields["output_height"][0] if "output_height" in fields else 1
            cube = every.reshape(height, -1, channels, every.size // (int(np.prod(shape)) or 1))
            rows = slice(None) if tile.rows is None else slice(tile.rows.start, tile.rows.stop)
            taken = slice(None)
            if tile.filters is not None:
                taken = slice(tile.filters.start, tile.filters.stop)
            return cube[rows, :, taken].reshape(-1)
        if tile.rows is None:
            return every
        stride, top = fields["stride_height"][0], fields["padding_top"][0]
        dilation = fields.get("dilation_height", (1,))[0]
        height = fields["input_height"][0]
        seen = [
            row * stride + tap * dilation - top
            for row in tile.rows
            for tap in range(fields["filter_height"][0])
        ]
        inside = [row for row in seen if 0 <= row < height]
        if not inside:
            return every[:0]
        return every.reshape(height, -1)[min(inside) : max(inside) + 1].reshape(-1)

    def _constant_part(self, call: KernelCall, tile: TileCall, name: str) -> _Bytes:
        array = self._program.constants[name]
        every = np.arange(array.nbytes, dtype=np.int64)
        if tile.filters is None or array.size == 1 or not _is_by_filter(call, name):
            return every
        count = _fields(call)["output_channels"][0]
        return every.reshape(count, -1)[tile.filters.start : tile.filters.stop].reshape(-1)

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
        return _Touch(block, offset + part, self._identity(name) + part)

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
        if touch.block in _WRITABLE:
            self._memory[touch.block][touch.places] = touch.contents

    def _require(self, touch: _Touch, what: str) -> None:
        found = self._memory[touch.block][touch.places]
        if not np.array_equal(found, touch.contents):
            wrong = int(np.flatnonzero(found != touch.contents)[0])
            raise GraphError(
                f"{what} is not there: byte {wrong} of {found.size}, at "
                f"{touch.block.value}({int(touch.places[wrong])})"
            )


def _fields(call: KernelCall) -> dict[str, tuple[int, ...]]:
    return dict(_numbers(call))


def _numbers(call: KernelCall) -> Iterator[tuple[str, tuple[int, ...]]]:
    for argument in call.arguments:
        if isinstance(argument, StructArgument):
            for name, value in argument.fields:
                if isinstance(value, tuple):
                    yield name, value
                elif isinstance(value, int):
                    yield name, (value,)


def _is_by_filter(call: KernelCall, name: str) -> bool:
    """Return whether a constant has something for each output channel."""
    fields = _fields(call)
    positions = [n for n, a in enumerate(call.arguments) if getattr(a, "constant", "") == name]
    return "output_channels" in fields and min(positions, default=0) >= 1


def _writes(argument: object) -> bool:
    is_output = isinstance(argument, TensorArgument) and argument.is_written
    return is_output or isinstance(argument, ScratchArgument)


def _meet(left: _Touch, right: _Touch) -> bool:
    if left.block is not right.block or not left.places.size or not right.places.size:
        return False
    if left.places.max() < right.places.min() or right.places.max() < left.places.min():
        return False
    return bool(np.intersect1d(left.places, right.places).size)
