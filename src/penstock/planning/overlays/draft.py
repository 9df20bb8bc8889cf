"""Slots and tiles of a schedule in the making."""

from dataclasses import dataclass, field

from penstock.planning.overlays.program import Address, Block
from penstock.planning.tiles import Tile


@dataclass(slots=True)
class Slot:
    """A window of an argument in fast memory, and the tiles that use it.

    Attributes:
        size_bytes: its extent.
        first, last: tiles that use it.
        start: the tile before which its load starts.
        end: the tile before which its store is over.
        home: where its contents come from or go to.
        is_load: whether they come.
        channel: of the DMA controller.
        block: what it is in.
        offset_bytes: from the block's start, once it is known.
    """

    size_bytes: int
    first: int
    last: int
    home: Address
    is_load: bool
    start: int = 0
    end: int = 0
    channel: int = 0
    block: Block = Block.ARENA
    offset_bytes: int = 0

    @property
    def is_pack(self) -> bool:
        """Whether it holds constants."""
        return self.home.block in (Block.PACKS, Block.FAR_PACKS)

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(self.block, self.offset_bytes)

    @property
    def wait(self) -> int:
        """The tile before which its copy is over."""
        return self.first if self.is_load else self.end


@dataclass(slots=True)
class DraftTile:
    """A tile in the making.

    Attributes:
        step: position of the whole call.
        tile: parameters and windows.
        rows, filters: what the tile computes; None for all.
        slots: by position of the argument, its slot and the bytes from the slot's start.
    """

    step: int
    tile: Tile
    rows: range | None
    filters: range | None
    slots: dict[int, tuple[Slot, int]] = field(default_factory=dict)
