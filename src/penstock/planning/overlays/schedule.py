"""When each copy starts and is waited for, and where each slot lies.

Double buffering: what a tile needs starts to come before the tile before it runs, and what it
computed is gone two tiles later. Slots and resident tensors share one arena, each for as long as
it is needed, so that nothing is reserved for an operator that does not run.
"""

from dataclasses import dataclass

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, KernelGraph, TensorArgument
from penstock.planning.arena import pack_buffers
from penstock.planning.lifetimes import Buffer, Segment
from penstock.planning.overlays.draft import DraftTile, Slot
from penstock.planning.overlays.partition import CallPart, Partition, Space
from penstock.planning.overlays.program import Address, Block, Pack, PackPart
from penstock.planning.tiles import filter_count, tile_part

_STORE_TILES = 2
"""Tiles after which a store has to be over."""


@dataclass(frozen=True, slots=True)
class _Direct:
    """Bytes of far memory, from ``start`` to ``end``, that a tile works on where they are."""

    tile: int
    start: int
    end: int
    is_written: bool

    def meets(self, slot: Slot) -> bool:
        home = slot.home
        return (
            home.block is Block.FAR
            and home.offset_bytes < self.end
            and self.start < home.offset_bytes + slot.size_bytes
        )


class Schedule:
    """Tiles in order, and slots with the times of their copies.

    Attributes:
        parted: what it is a schedule of.
        tiles: in order of execution.
        slots: in order of first use.
        packs: constants of tiles, one after the other.
        first_tile: by step, and one beyond the last tile at the end.
        far, far_bytes: offsets of tensors in far memory, and its extent.
        channel_count: channels that the copies take.
    """

    def __init__(self, program: KernelGraph, parted: Partition, space: Space) -> None:
        self._program = program
        self.parted = parted
        self._space = space
        self._early = int(space.prefetches)
        self.tiles: list[DraftTile] = []
        self.slots: list[Slot] = []
        self.packs: list[Pack] = []
        self._packs_end = 0
        self._direct: list[_Direct] = []
        self.first_tile: list[int] = []
        self.far, self.far_bytes = lay_out_far(parted, space)

        for step, (call, part) in enumerate(zip(program.calls, parted.calls, strict=True)):
            self.first_tile.append(len(self.tiles))
            self._add_call(step, call, part)
        self.first_tile.append(len(self.tiles))
        self._time_stores()
        self._time_loads()
        self._time_direct()
        self.channel_count = self._assign_channels()

    def _add_call(self, step: int, call: KernelCall, part: CallPart) -> None:
        packs = [self._add_pack(call, part, filters) for filters in part.filters]
        pack_slots: dict[int, Slot] = {}
        for rows in part.rows:
            bands = self._band_slots(call, part, rows)
            for number, filters in enumerate(part.filters):
                tile = tile_part(self._program, call, rows, filters)
                draft = DraftTile(
                    step,
                    tile,
                    rows if len(part.rows) > 1 else None,
                    filters if len(part.filters) > 1 else None,
                )
                now = len(self.tiles)
                for position, (slot, start) in bands.items():
                    offset = tile.windows[position].offset_bytes - start
                    draft.slots[position] = slot, offset
                    slot.first, slot.last = min(slot.first, now), now
                if packs[number] is not None:
                    self._use_pack(draft, packs[number], pack_slots, number, len(part.filters))
                self._note_direct(call, part, now)
                self.tiles.append(draft)

    def _note_direct(self, call: KernelCall, part: CallPart, tile: int) -> None:
        """Remember what a tile touches in far memory itself."""
        for position, argument in enumerate(call.arguments):
            is_far = isinstance(argument, TensorArgument) and argument.tensor in self.far
            if is_far and position not in part.copied:
                assert isinstance(argument, TensorArgument)
                start = self.far[argument.tensor]
                size = self._program.graph.tensors[argument.tensor].size_bytes
                self._direct.append(_Direct(tile, start, start + size, argument.is_written))

    def _band_slots(
        self, call: KernelCall, part: CallPart, rows: range
    ) -> dict[int, tuple[Slot, int]]:
        """Return slots for the tensors of some rows, with the offset of each in its tensor."""
        whole = tile_part(self._program, call, rows, range(filter_count(call)))
        found = {}
        for position in sorted(part.copied):
            argument = call.arguments[position]
            if not isinstance(argument, TensorArgument):
                continue
            window = whole.windows[position]
            if not window.size_bytes:
                continue  # these rows see nothing but padding
            home = Address(Block.FAR, self.far[argument.tensor] + window.offset_bytes)
            slot = self._add_slot(window.size_bytes, home, is_load=not argument.is_written)
            found[position] = slot, window.offset_bytes
        return found

    def _add_slot(self, size_bytes: int, home: Address, *, is_load: bool) -> Slot:
        now = len(self.tiles)
        slot = Slot(size_bytes, now, now, home, is_load)
        self.slots.append(slot)
        return slot

    def _add_pack(self, call: KernelCall, part: CallPart, filters: range) -> Pack | None:
        """Lay the constants of some filters side by side."""
        rows = part.rows[0]
        tile = tile_part(self._program, call, rows, filters)
        parts, end = [], 0
        for position in sorted(part.copied):
            argument = call.arguments[position]
            if isinstance(argument, ConstantArgument) and argument.constant is not None:
                window = tile.windows[position]
                parts.append(PackPart(argument.constant, window, end))
                end += self._space.align(window.size_bytes)
        if not parts:
            return None
        pack = Pack(Address(Block.PACKS, self._packs_end), end, tuple(parts))
        self._packs_end += end
        self.packs.append(pack)
        return pack

    def _use_pack(
        self,
        draft: DraftTile,
        pack: Pack | None,
        slots: dict[int, Slot],
        number: int,
        parts: int,
    ) -> None:
        """Point a tile at its constants: brought once for all rows, or again for each."""
        assert pack is not None
        now = len(self.tiles)
        if parts > 1 or number not in slots:
            slots[number] = self._add_slot(pack.size_bytes, pack.address, is_load=True)
        slot = slots[number]
        slot.last = now
        call = self._program.calls[draft.step]
        parts_left = iter(pack.parts)
        for position in sorted(self.parted.calls[draft.step].copied):
            if isinstance(call.arguments[position], ConstantArgument):
                draft.slots[position] = slot, next(parts_left).offset_bytes

    def _time_stores(self) -> None:
        for slot in self.slots:
            if not slot.is_load:
                slot.start = slot.last
                slot.end = min(slot.last + _STORE_TILES, len(self.tiles))

    def _time_loads(self) -> None:
        """Start each load one tile early, but not before what it brings has been stored."""
        stores = [slot for slot in self.slots if not slot.is_load]
        recent = 0
        for slot in (slot for slot in self.slots if slot.is_load):
            slot.start = max(slot.first - self._early, 0)
            if slot.home.block is not Block.FAR:
                continue
            while recent < len(stores) and stores[recent].end <= slot.start:
                recent += 1
            for store in stores[recent:]:
                if store.last >= slot.first:
                    break
                if _meet(store, slot) and store.end > slot.start:
                    store.end = min(store.end, slot.first)
                    slot.start = max(slot.start, store.end)

    def _time_direct(self) -> None:
        """Let stores be over before a tile works on far memory, and loads start after it."""
        for direct in self._direct:
            for slot in self.slots:
                if not direct.meets(slot):
                    continue
                if not slot.is_load and slot.last < direct.tile:
                    slot.end = min(slot.end, direct.tile)
                elif slot.is_load and direct.is_written and slot.first > direct.tile:
                    slot.start = max(slot.start, direct.tile + 1)

    def _assign_channels(self) -> int:
        """Give each copy a channel from its start to its wait; return how many are in use."""
        starting: dict[int, list[Slot]] = {}
        for slot in sorted(self.slots, key=lambda slot: not slot.is_load):
            starting.setdefault(slot.start, []).append(slot)
        busy: dict[int, Slot] = {}
        count = 0
        for now in range(len(self.tiles)):
            busy = {number: slot for number, slot in busy.items() if slot.wait > now}
            for slot in starting.get(now, ()):
                if not slot.is_load:  # after the tile, when what came at the last moment is there
                    busy = {n: s for n, s in busy.items() if not (s.is_load and s.first == now)}
                slot.channel = self._free_channel(busy, now)
                busy[slot.channel] = slot
                count = max(count, slot.channel + 1)
        return count

    def _free_channel(self, busy: dict[int, Slot], now: int) -> int:
        """Return an idle channel, waiting for a store where there is none."""
        for number in range(self._space.channel_count):
            if number not in busy:
                return number
        for number, slot in busy.items():
            if not slot.is_load and slot.last < now:
                slot.end = now
                return number
        raise CapacityError(
            f"more than {self._space.channel_count} copies have to run at once before tile {now} "
            f"of {self._program.graph.name}",
            help="take a board whose DMA controller has more channels",
        )


def _meet(left: Slot, right: Slot) -> bool:
    start = max(left.home.offset_bytes, right.home.offset_bytes)
    return start < min(
        left.home.offset_bytes + left.size_bytes, right.home.offset_bytes + right.size_bytes
    )


def lay_out_far(parted: Partition, space: Space) -> tuple[dict[str, int], int]:
    """Return the offsets of tensors in far memory, and its extent."""
    buffers = [_aligned(parted.buffers[index], space) for index in sorted(parted.far)]
    packing = pack_buffers(buffers)
    offsets = {
        name: offset
        for buffer, offset in zip(buffers, packing.offsets, strict=True)
        for name in buffer.tensors
    }
    return offsets, packing.size_bytes


def _aligned(buffer: Buffer, space: Space) -> Buffer:
    segments = (Segment(s.lifetime, space.align(s.size_bytes)) for s in buffer.segments)
    return Buffer(buffer.tensors, tuple(segments), buffer.scratch_step)
