"""Overlays run by Python: the real kernels, and copies whose bytes arrive when they like to.

This is an opinion of its own about what a program does. It reads tables as `overlay.c` does, and
knows nothing of the validator.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penstock.ir.interpreter import initial_state, trace
from penstock.ir.tensor import Array, Tensor
from penstock.kernels.kernel_graph import StructArgument
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall
from penstock.simulate.verification import arrays_agree
from tests.kernels.driver import call_function, pack_struct

_GUARD_BYTES = 1 << 16
"""Around each block, so that a tile that leaves it harms nothing but the result."""
_POISON = 0xA5

Arrival = Callable[[np.random.Generator, int], Array]
"""Which bytes of a copy arrive at once; the others do when they are waited for."""


def early(random: np.random.Generator, size_bytes: int) -> Array:
    return np.ones(size_bytes, bool)


def late(random: np.random.Generator, size_bytes: int) -> Array:
    return np.zeros(size_bytes, bool)


def torn(random: np.random.Generator, size_bytes: int) -> Array:
    return random.random(size_bytes) < random.random()


ARRIVALS: tuple[Arrival, ...] = (early, late, torn)


class WrongBytesError(Exception):
    """A program does not compute what its graph means, or is no program at all."""


@dataclass
class _Running:
    copy: Copy
    pending: Array


@dataclass(frozen=True)
class _Row:
    """A tile of the table, as C has it."""

    first_copy: int
    loads: int
    stores: int
    waits: frozenset[int]
    late_waits: frozenset[int]


def _table(overlays: OverlayProgram) -> list[_Row]:
    rows = []
    first = 0
    for tile in range(len(overlays.tiles)):
        starting = [copy for copy in overlays.copies if copy.started_at == tile]
        awaited = [copy for copy in overlays.copies if copy.waited_at == tile]
        late_ones = [copy for copy in awaited if copy.is_load and copy.started_at == tile]
        others = [copy for copy in awaited if not (copy.is_load and copy.started_at == tile)]
        loads = sum(copy.is_load for copy in starting)
        rows.append(
            _Row(
                first,
                loads,
                len(starting) - loads,
                frozenset(copy.channel for copy in others),
                frozenset(copy.channel for copy in late_ones),
            )
        )
        first += len(starting)
    return rows


class OverlayMachine:
    """All blocks of a plan, with what `Machine` of the verification offers."""

    def __init__(self, plan: ExecutionPlan, arrival: Arrival, seed: int = 0) -> None:
        assert plan.overlays is not None
        self._plan, self._overlays, self._arrival = plan, plan.overlays, arrival
        self._random = np.random.default_rng(seed)
        self._rows = _table(plan.overlays)
        self._running: dict[int, _Running] = {}
        self._end_tile = 0
        sizes = {
            Block.ARENA: plan.arena.size_bytes,
            Block.STATE: plan.state_bytes,
            Block.TIGHT: plan.overlays.tight_bytes,
            Block.FAR: plan.overlays.far_bytes,
            Block.PACKS: plan.overlays.packs_bytes(Block.PACKS),
            Block.FAR_PACKS: plan.overlays.packs_bytes(Block.FAR_PACKS),
        }
        self._guarded = {block: _guarded(size) for block, size in sizes.items()}
        self._sizes = sizes
        self._constants = {name: array.nbytes for name, array in plan.arrays.items()}
        self._constant_blocks = {name: _guarded(size) for name, size in self._constants.items()}
        for name, array in plan.arrays.items():
            content = array.reshape(-1).view(np.uint8)
            self._constant_blocks[name][_GUARD_BYTES : _GUARD_BYTES + content.size] = content
        self._fill_packs()
        self.init()

    def init(self) -> None:
        for name, value in initial_state(self._plan.program.graph).items():
            self._write(name, value)

    def _fill_packs(self) -> None:
        for pack in self._overlays.packs:
            block = self._block(pack.address.block)
            for part in pack.parts:
                start, window = pack.address.offset_bytes + part.offset_bytes, part.window
                content = self._plan.program.constants[part.constant].reshape(-1).view(np.uint8)
                taken = content[window.offset_bytes : window.offset_bytes + window.size_bytes]
                _expect(start + taken.size <= block.size, "a pack leaves its block")
                block[start : start + taken.size] = taken

    # What verification drives -----------------------------------------------------------------

    def write_inputs(self, inputs: Sequence[Array], /) -> None:
        for name, value in zip(self._plan.program.graph.inputs, inputs, strict=True):
            self._write(name, value)

    def read_outputs(self) -> list[Array]:
        return [self._read(name) for name in self._plan.program.graph.outputs]

    def read_block(self, block: str, offset_bytes: int, size_bytes: int, /) -> bytes:
        content = self._block(Block(block))[offset_bytes : offset_bytes + size_bytes]
        return bytes(content)

    def run_range(self, first: int, last: int, /) -> None:
        if first == last:
            return
        starts = self._overlays.step_tiles
        self._begin(starts[first], starts[last])
        for tile in range(starts[first], starts[last]):
            self._before(tile)
            self._execute(self._overlays.tiles[tile])
            self._trickle()
            self._after(tile)
        for channel in range(8):
            self._finish(channel)

    # overlay.c --------------------------------------------------------------------------------

    def _begin(self, first_tile: int, end_tile: int) -> None:
        self._end_tile = end_tile
        for row in self._rows[:first_tile]:
            for copy in self._overlays.copies[row.first_copy : row.first_copy + row.loads]:
                if first_tile <= copy.tile < end_tile:
                    self._start(copy)

    def _before(self, tile: int) -> None:
        row = self._rows[tile]
        for channel in sorted(row.waits):
            self._finish(channel)
        for copy in self._overlays.copies[row.first_copy : row.first_copy + row.loads]:
            if copy.tile < self._end_tile:
                self._start(copy)
        for channel in sorted(row.late_waits):
            self._finish(channel)

    def _after(self, tile: int) -> None:
        row = self._rows[tile]
        first = row.first_copy + row.loads
        for copy in self._overlays.copies[first : first + row.stores]:
            self._start(copy)

    def _start(self, copy: Copy) -> None:
        _expect(0 <= copy.channel < 8, "no such channel")
        _expect(copy.channel not in self._running, "the channel is busy")
        pending = ~self._arrival(self._random, copy.size_bytes)
        running = _Running(copy, pending)
        self._running[copy.channel] = running
        destination = self._bytes(copy.destination, copy.size_bytes)
        self._bytes(copy.source, copy.size_bytes)
        if pending.all():
            destination[:] = _POISON
        self._move(running, ~pending)

    def _trickle(self) -> None:
        """Let more bytes arrive while a tile computes."""
        for running in self._running.values():
            if self._arrival is torn:
                arriving = running.pending & (self._random.random(running.pending.size) < 0.5)
                self._move(running, arriving)

    def _finish(self, channel: int) -> None:
        running = self._running.pop(channel, None)
        if running is not None:
            self._move(running, running.pending.copy())

    def _move(self, running: _Running, arriving: Array) -> None:
        copy = running.copy
        source = self._bytes(copy.source, copy.size_bytes)
        self._bytes(copy.destination, copy.size_bytes)[arriving] = source[arriving]
        running.pending &= ~arriving

    # Memory -----------------------------------------------------------------------------------

    def _execute(self, tile: TileCall) -> None:
        call = self._plan.program.calls[tile.step]
        keep_alive: list[Array] = []
        addresses: list[int | None] = []
        for position, argument in enumerate(call.arguments):
            if isinstance(argument, StructArgument):
                keep_alive.append(pack_struct(tile.params[position].fields))
                addresses.append(keep_alive[-1].ctypes.data)
            elif position in tile.addresses:
                addresses.append(self._pointer(tile.addresses[position]))
            else:
                addresses.append(None)
        call_function(call.kernel.name, addresses)

    def _pointer(self, address: Address) -> int:
        if address.block is Block.CONSTANT:
            _expect(address.name in self._constants, "no such constant")
            inside = 0 <= address.offset_bytes <= self._constants[address.name]
            _expect(inside, "beyond its constant")
            start = int(self._constant_blocks[address.name].ctypes.data) + _GUARD_BYTES
            return start + address.offset_bytes
        base = 0
        if address.block is Block.STATE:
            _expect(address.name in self._plan.state_offset_bytes, "no such state")
            base = self._plan.state_offset_bytes[address.name]
        block, offset = self._block(address.block), address.offset_bytes + base
        _expect(0 <= offset <= block.size, "beyond its block")
        return int(block.ctypes.data) + offset

    def _block(self, block: Block) -> Array:
        return self._guarded[block][_GUARD_BYTES : _GUARD_BYTES + self._sizes[block]]

    def _bytes(self, address: Address, size_bytes: int) -> Array:
        block, end = self._block(address.block), address.offset_bytes + size_bytes
        _expect(0 <= address.offset_bytes <= end <= block.size, "a copy leaves its block")
        return block[address.offset_bytes : end]

    def _home(self, name: str) -> Array:
        block, offset = self._plan.locate(name)
        return self._bytes(Address(block, offset), self._tensor(name).size_bytes)

    def _tensor(self, name: str) -> Tensor:
        return self._plan.program.graph.tensors[name]

    def _write(self, name: str, value: Array) -> None:
        self._home(name)[:] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)

    def _read(self, name: str) -> Array:
        tensor = self._tensor(name)
        return self._home(name).copy().view(tensor.dtype.numpy).reshape(tensor.shape)


def _guarded(size_bytes: int) -> Array:
    """Return a block with poison in it and around it, aligned as C's are."""
    spare = np.full(size_bytes + 2 * _GUARD_BYTES + 64, _POISON, np.uint8)
    start = -spare.ctypes.data % 64
    return spare[start : start + size_bytes + 2 * _GUARD_BYTES]


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise WrongBytesError(what)


def check_execution(
    plan: ExecutionPlan,
    inputs: Sequence[Sequence[Array]],
    arrivals: Sequence[Arrival] = ARRIVALS,
    *,
    seed: int = 0,
) -> None:
    """Run inferences as a whole and step by step; raises WrongBytesError where a tensor is wrong.

    Args:
        plan: with overlays; each tensor is compared when the last step that writes it is done.
        inputs: for each inference of a sequence.
        arrivals: of the bytes of copies.
        seed: of bytes that arrive when they like to.
    """
    graph = plan.program.graph
    state = initial_state(graph)
    wanted = [trace(graph, list(values), state=state) for values in inputs]
    for arrival in arrivals:
        whole = OverlayMachine(plan, arrival, seed)
        stepped = OverlayMachine(plan, arrival, seed + 1)
        for values, expected in zip(inputs, wanted, strict=True):
            whole.write_inputs(values)
            whole.run_range(0, len(plan.program.calls))
            _compare_outputs(plan, whole, expected)
            stepped.write_inputs(values)
            _check_steps(plan, stepped, expected)
            _compare_outputs(plan, stepped, expected)


def _check_steps(
    plan: ExecutionPlan, machine: OverlayMachine, expected: Mapping[str, Array]
) -> None:
    calls, tensors = plan.program.calls, plan.program.graph.tensors
    last_write = {name: step for step, call in enumerate(calls) for name in call.writes}
    for step, call in enumerate(calls):
        machine.run_range(step, step + 1)
        for name in call.writes:
            if last_write[name] == step and not tensors[name].is_variable and plan.holds(name):
                found = machine._read(name)
                _expect(arrays_agree(found, expected[name]), f"step {step} computes {name!r}")


def _compare_outputs(
    plan: ExecutionPlan, machine: OverlayMachine, expected: Mapping[str, Array]
) -> None:
    for name, found in zip(plan.program.graph.outputs, machine.read_outputs(), strict=True):
        _expect(arrays_agree(found, expected[name]), f"output {name!r}")


def steps_of(plan: ExecutionPlan) -> list[range]:
    """Return the tiles of each step."""
    assert plan.overlays is not None
    return [range(a, b) for a, b in itertools.pairwise(plan.overlays.step_tiles)]
