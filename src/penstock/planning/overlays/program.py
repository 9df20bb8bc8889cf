"""An overlaid program: calls of kernels on tiles, and the copies that run beside them.

Time is counted in tiles. Before a tile runs, the core waits for some copies and starts others;
after it, it starts the copies that write results back. A copy owns a channel of the DMA controller
from its start to its wait.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from penstock.kernels.kernel_graph import StructArgument
from penstock.planning.tiles import Window


class Block(Enum):
    """A stretch of memory that the generated program has under one name."""

    ARENA = "arena"  # where kernels work: resident tensors, slots, scratch
    TIGHT = "tight"  # the same in memory that is tightly coupled to the core
    FAR = "far"  # tensors that do not fit there
    STATE = "state"
    PACKS = "packs"  # constants tile by tile, beside those that are read in place
    FAR_PACKS = "far_packs"  # constants tile by tile, in slower memory
    CONSTANT = "constant"  # a constant that is read in place


@dataclass(frozen=True, slots=True)
class Address:
    """A place in memory.

    Attributes:
        block: what it is in.
        offset_bytes: from the block's start.
        name: of the constant or of the variable tensor, where the block is one of those.
    """

    block: Block
    offset_bytes: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A transfer between a slot and a home.

    Attributes:
        destination: where to.
        source: where from.
        size_bytes: how much.
        channel: of the DMA controller.
        is_load: True brings an input before its tile; False takes an output away after it.
        started_at: the tile before which a load starts, or after which a store does.
        waited_at: the tile before which the core waits for it; one beyond the last tile is the
            program's end. A load whose two tiles are the same is waited for at once.
        tile: the first that uses a load's contents, or the one that computed a store's.
    """

    destination: Address
    source: Address
    size_bytes: int
    channel: int
    is_load: bool
    started_at: int
    waited_at: int
    tile: int

    @property
    def is_halo(self) -> bool:
        """Whether rows move on from one band of a chain to the next, within fast memory."""
        return self.is_load and self.source.block in (Block.ARENA, Block.TIGHT)


@dataclass(frozen=True, slots=True)
class TileCall:
    """A kernel's call on a tile.

    Attributes:
        step: position of the whole call in the program.
        params: the structures of parameters, by position of the argument.
        addresses: of the first byte of each other argument, by position; null pointers have none.
        rows: of the output; None for all of them.
        filters: output channels; None for all of them.
        lines: rows of the image that a tile of a chain computes; None outside chains.
    """

    step: int
    params: Mapping[int, StructArgument]
    addresses: Mapping[int, Address]
    rows: range | None = None
    filters: range | None = None
    lines: range | None = None

    @property
    def band(self) -> range | None:
        """Rows of either kind."""
        return self.rows if self.lines is None else self.lines


@dataclass(frozen=True, slots=True)
class PackPart:
    """A stretch of a constant inside a pack.

    Attributes:
        constant: its name.
        window: which bytes of it.
        offset_bytes: where, from the pack's start.
    """

    constant: str
    window: Window
    offset_bytes: int


@dataclass(frozen=True, slots=True)
class Pack:
    """The constants of one tile side by side, so that one copy brings them.

    Attributes:
        address: where it lies.
        size_bytes: its extent, a multiple of the alignment.
        parts: what it holds.
    """

    address: Address
    size_bytes: int
    parts: tuple[PackPart, ...]


@dataclass(frozen=True, slots=True, eq=False)
class OverlayProgram:
    """Everything that runs, and what it is copied from.

    Attributes:
        tiles: in order of execution; those of one stage are adjacent.
        stages: steps that run together: one, or those of a chain.
        copies: in the order in which they start.
        packs: of all constants that are copied.
        packed: names of the constants that are only ever read from packs.
        far_offset_bytes: offsets of tensors in the far block.
        far_bytes: extent of the far block.
        tight_offset_bytes: offsets of tensors in the tight block.
        tight_bytes: extent of the tight block.
        channel_count: channels in use.
        cached: blocks that a data cache may hold lines of.
    """

    tiles: tuple[TileCall, ...]
    stages: tuple[range, ...]
    copies: tuple[Copy, ...]
    packs: tuple[Pack, ...]
    packed: frozenset[str]
    far_offset_bytes: Mapping[str, int]
    far_bytes: int
    tight_offset_bytes: Mapping[str, int]
    tight_bytes: int
    channel_count: int
    cached: frozenset[Block] = frozenset()

    @property
    def step_tiles(self) -> tuple[int, ...]:
        """By step, the number of its first tile; the number of all tiles at the end.

        The first step of a chain has all tiles of the chain, and the others have none.
        """
        sizes: dict[int, int] = {}
        stage_of = self.stage_by_step
        for tile in self.tiles:
            first = stage_of[tile.step].start
            sizes[first] = sizes.get(first, 0) + 1
        counts = (sizes.get(step, 0) for step in range(len(stage_of)))
        return (0, *itertools.accumulate(counts))

    @property
    def stage_by_step(self) -> dict[int, range]:
        """The steps that each step runs together with."""
        return {step: steps for steps in self.stages for step in steps}

    @property
    def tiles_by_step(self) -> dict[int, list[tuple[int, TileCall]]]:
        """The tiles of each step with their numbers."""
        tiles: dict[int, list[tuple[int, TileCall]]] = {}
        for number, tile in enumerate(self.tiles):
            tiles.setdefault(tile.step, []).append((number, tile))
        return tiles

    @property
    def busy_before(self) -> frozenset[int]:
        """Tiles before which copies start or are waited for."""
        starts = {copy.started_at for copy in self.copies if copy.is_load}
        return frozenset(starts.union(copy.waited_at for copy in self.copies))

    @property
    def busy_after(self) -> frozenset[int]:
        """Tiles after which copies start."""
        return frozenset(copy.started_at for copy in self.copies if not copy.is_load)

    def packs_bytes(self, block: Block) -> int:
        """Return the extent of a block of packs."""
        return sum(pack.size_bytes for pack in self.packs if pack.address.block is block)
