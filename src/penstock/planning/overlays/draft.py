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
        needed: the tile before which a load is over; 0, the first, until that is known.
        halo: what of it comes from another slot; None for nothing.
        start: the tile before which its load starts.
        end: the tile before which its store is over.
        home: where its contents come from or go to; None for rows of a tensor inside a chain.
        is_load: whether they come.
        channel: of the DMA controller.
        block: what it is in.
        offset_bytes: from the block's start, once it is known.
    """

    size_bytes: int
    first: int
    last: int
    home: Address | None
    is_load: bool
    needed: int = 0
    halo: "Halo | None" = None
    start: int = 0
    end: int = 0
    channel: int = 0
    block: Block = Block.ARENA
    offset_bytes: int = 0

    @property
    def is_pack(self) -> bool:
        """Whether it holds constants."""
        return self.home is not None and self.home.block in (Block.PACKS, Block.FAR_PACKS)

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(self.block, self.offset_bytes)

    @property
    def wait(self) -> int:
        """The tile before which its copy is over."""
        return self.needed if self.is_load else self.end

    @property
    def is_copied(self) -> bool:
        """Whether anything is copied to it or from it."""
        return self.home is not None or self.halo is not None


@dataclass(frozen=True, slots=True)
class Halo:
    """Rows that move on from one band's slot to the next one's.

    Attributes:
        slot: where they are.
        offset_bytes: from that slot's start.
        size_bytes: how much; it goes to the start of the other slot.
        ready: the tile before which they are all there.
    """

    slot: Slot
    offset_bytes: int
    size_bytes: int
    ready: int


@dataclass(slots=True)
class DraftTile:
    """A tile in the making.

    Attributes:
        step: position of the whole call.
        tile: parameters and windows.
        rows, filters: what the tile computes; None for all.
        lines: rows of the image that a tile of a chain computes; None outside chains.
        slots: by position of the argument, its slot and the bytes from the slot's start.
    """

    step: int
    tile: Tile
    rows: range | None
    filters: range | None
    lines: range | None = None
    slots: dict[int, tuple[Slot, int]] = field(default_factory=dict)
