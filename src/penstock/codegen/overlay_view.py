"""Overlays in the words of the templates: tables of tiles and copies, and kernels on tiles."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.codegen.constants import ConstantArray, byte_array
from penstock.codegen.literals import c_value
from penstock.kernels.kernel_graph import ScratchArgument, StructArgument, TensorArgument
from penstock.planning.execution_plan import ExecutionPlan
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall

_MACROS = {Block.ARENA: "ARENA", Block.TIGHT: "TIGHT", Block.FAR: "FAR", Block.STATE: "STATE"}


@dataclass(frozen=True, slots=True)
class TileTable:
    """The tiles of an operator function.

    Attributes:
        numbers: of the tiles in the program: an expression of ``i``.
        count: how many.
        members: of a row: type and name of the parameters' index and of each address.
        rows: initializers.
    """

    numbers: str
    count: int
    members: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain of operators.

    Attributes:
        steps: of the chain.
        runs: in order, a step and the range of its tiles that run then.
    """

    steps: tuple[int, ...]
    runs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class OverlayView:
    """The tables of an overlaid program.

    Attributes:
        copies: initializers.
        tiles: initializers.
        chains: of each chain, its operator functions as they are called.
        step_tiles: by step, number of its first tile; the number of all tiles at the end.
        blocks: further memory for tensors and slots: what macros and names of it are made of, and
            its extent.
        packs: arrays of constants as tiles need them, beside the others.
        far_packs: such arrays in far memory.
        cleaned: symbols of arrays that start-up wrote through the data cache.
    """

    copies: tuple[str, ...]
    tiles: tuple[str, ...]
    chains: tuple[ChainView, ...]
    step_tiles: tuple[int, ...]
    blocks: tuple[tuple[str, int], ...]
    packs: tuple[ConstantArray, ...]
    far_packs: tuple[ConstantArray, ...]
    cleaned: tuple[str, ...]


def overlay_view(plan: ExecutionPlan, overlays: OverlayProgram) -> OverlayView:
    """Return the tables of a plan's overlays."""
    name = plan.program.graph.name
    packs = {block: _pack_arrays(plan, block) for block in (Block.PACKS, Block.FAR_PACKS)}
    far_packs = packs[Block.FAR_PACKS]
    is_cleaned = Block.FAR_PACKS in overlays.cached
    return OverlayView(
        copies=tuple(_copy(name, copy, overlays) for copy in overlays.copies),
        tiles=tuple(_tile_rows(overlays)),
        chains=tuple(_chain(overlays, steps) for steps in overlays.stages if len(steps) > 1),
        step_tiles=overlays.step_tiles,
        blocks=tuple(
            (block.value, size)
            for block, size in (
                (Block.TIGHT, overlays.tight_bytes),
                (Block.FAR, overlays.far_bytes),
            )
            if size
        ),
        packs=packs[Block.PACKS],
        far_packs=far_packs,
        cleaned=tuple(array.symbol for array in far_packs) if is_cleaned else (),
    )


def _chain(overlays: OverlayProgram, steps: range) -> ChainView:
    runs: list[tuple[int, int, int]] = []
    done = dict.fromkeys(steps, 0)
    for step, tiles in itertools.groupby(t.step for t in overlays.tiles if t.step in steps):
        count = len(list(tiles))
        runs.append((step, done[step], done[step] + count))
        done[step] += count
    return ChainView(tuple(steps), tuple(runs))


def c_address(plan: ExecutionPlan, address: Address) -> str:
    """Return an address as a C expression."""
    return _address(plan.program.graph.name, address, plan.state_offset_bytes.get(address.name, 0))


def _address(name: str, address: Address, base_bytes: int = 0) -> str:
    offset = address.offset_bytes + base_bytes
    if address.block in _MACROS:
        return f"{_MACROS[address.block]}({offset})"
    if address.block is Block.CONSTANT:
        symbol = f"{name}_{address.name}"
        return symbol if not offset else f"(const uint8_t *){symbol} + {offset}"
    return f"{name}_{address.block.value} + {offset}"


def tile_structs(tiles: Sequence[TileCall]) -> tuple[StructArgument, ...]:
    """Return the different parameters of a step's tiles, in order of first use."""
    return tuple(dict.fromkeys(tile.params[0] for tile in tiles))


def tile_table(plan: ExecutionPlan, numbered: Sequence[tuple[int, TileCall]]) -> TileTable:
    """Return a step's tiles, whose parameters are the first argument, with their numbers."""
    tiles = [tile for _, tile in numbered]
    first = numbered[0][0]
    is_chained = tiles[0].lines is not None
    structs = tile_structs(tiles)
    arguments = plan.program.calls[tiles[0].step].arguments
    positions = sorted(tiles[0].addresses)
    written = {
        n
        for n, argument in enumerate(arguments)
        if isinstance(argument, ScratchArgument)
        or (isinstance(argument, TensorArgument) and argument.is_written)
    }
    members = ["uint32_t number"] if is_chained else []
    members += ["uint32_t params"]
    members += [f"{'' if n in written else 'const '}void *argument_{n}" for n in positions]
    rows = []
    for number, tile in numbered:
        cells = [str(number)] if is_chained else []
        cells += [str(structs.index(tile.params[0]))]
        cells += [c_address(plan, tile.addresses[n]) for n in positions]
        rows.append("{" + ", ".join(cells) + "}")
    numbers = "tiles[i].number" if is_chained else f"{first} + i"
    return TileTable(numbers, len(tiles), tuple(members), tuple(rows))


def fields_of(struct: StructArgument) -> tuple[tuple[str, str], ...]:
    """Return names and C values of a structure's fields."""
    return tuple((name, c_value(value)) for name, value in struct.fields)


def _copy(name: str, copy: Copy, overlays: OverlayProgram) -> str:
    source_is_constant = copy.source.block in (Block.PACKS, Block.FAR_PACKS)
    cache = []
    if copy.source.block in overlays.cached and not source_is_constant:
        cache.append("PS_OVERLAY_CLEAN")
    if copy.destination.block in overlays.cached:
        cache.append("PS_OVERLAY_INVALIDATE")
    places = f"{_address(name, copy.destination)}, {_address(name, copy.source)}"
    return (
        f"{{{places}, {copy.size_bytes}, {copy.tile}, {copy.channel}, {' | '.join(cache) or '0'}}}"
    )


def _tile_rows(overlays: OverlayProgram) -> list[str]:
    count = len(overlays.tiles)
    waits, late = [0] * (count + 1), [0] * (count + 1)
    loads, stores, first = [0] * count, [0] * count, [0] * (count + 1)
    for copy in overlays.copies:
        (loads if copy.is_load else stores)[copy.started_at] += 1
        is_late = copy.is_load and copy.started_at == copy.waited_at
        (late if is_late else waits)[copy.waited_at] |= 1 << copy.channel
    for tile in range(count):
        first[tile + 1] = first[tile] + loads[tile] + stores[tile]
    return [
        f"{{{first[t]}, {loads[t]}, {stores[t]}, {waits[t]:#04x}, {late[t]:#04x}}}"
        for t in range(count)
    ]


def _pack_arrays(plan: ExecutionPlan, block: Block) -> tuple[ConstantArray, ...]:
    overlays = plan.overlays
    assert overlays is not None
    size = overlays.packs_bytes(block)
    if not size:
        return ()
    content = np.zeros(size, np.uint8)
    for pack in overlays.packs:
        if pack.address.block is not block:
            continue
        for part in pack.parts:
            source = plan.program.constants[part.constant].reshape(-1).view(np.uint8)
            start = pack.address.offset_bytes + part.offset_bytes
            window = part.window
            taken = source[window.offset_bytes : window.offset_bytes + window.size_bytes]
            content[start : start + window.size_bytes] = taken
    return (byte_array(f"{plan.program.graph.name}_{block.value}", content),)
