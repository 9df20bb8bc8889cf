"""When each copy starts and is waited for, and where each slot lies.

Double buffering: what a tile needs starts to come before the tile before it runs, and what it
computed is gone two tiles later. Slots and resident tensors share one arena, each for as long as
it is needed, so that nothing is reserved for an operator that does not run.
"""

from dataclasses import dataclass

import numpy as np

from penstock.errors import CapacityError
from penstock.kernels.kernel_graph import ConstantArgument, KernelCall, KernelGraph, TensorArgument
from penstock.planning.arena import pack_buffers
from penstock.planning.lifetimes import retime
from penstock.planning.overlays.draft import DraftTile, Halo, Slot
from penstock.planning.overlays.fusion import Band, inner_tensors, line_bytes, plan_bands
from penstock.planning.overlays.partition import Partition
from penstock.planning.overlays.parts import CallPart, Space, Stage
from penstock.planning.overlays.program import Address, Block, Pack, PackPart
from penstock.planning.tiles import Window, filter_count, tile_lines, tile_part

_STORE_TILES = 2
"""Tiles after which a store has to be over."""


@dataclass(frozen=True, slots=True)
class _Direct:
    """Bytes of far memory, from ``start`` to ``end``, that a tile works on where they are."""

    tile: int
    start: int
    end: int
    is_written: bool


@dataclass(slots=True)
class HeldRows:
    """Rows of a tensor inside a chain.

    Attributes:
        slot: where they are.
        rows: which.
        line_bytes: of each.
        written: the tile that computed the last of them.
    """

    slot: Slot
    rows: range
    line_bytes: int
    written: int

    def use(self, window: Window, tile: int, *, is_read: bool) -> tuple[Slot, int]:
        """Let a tile work on some of them; return the slot and the offset in it."""
        self.slot.last = tile
        if is_read and not self.slot.needed:
            self.slot.needed = tile
        return self.slot, window.offset_bytes - self.rows.start * self.line_bytes


class Schedule:
    """Tiles in order, and slots with the times of their copies.

    Attributes:
        parted: what it is a schedule of.
        tiles: in order of execution.
        slots: in order of first use.
        packs: constants of tiles, one after the other.
        begins, ends: by step, the first tile of its stage, and one beyond the last.
        far, far_bytes: offsets of tensors in far memory, and its extent.
        inner: tensors inside chains, which have no memory of their own.
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
        self.begins: list[int] = []
        self.ends: list[int] = []
        self.far, self.far_bytes = lay_out_far(parted, space)
        chains = [stage.steps for stage in parted.stages if stage.bands]
        self.inner = frozenset(n for steps in chains for n in inner_tensors(program, steps))

        for stage in parted.stages:
            self.begins.extend([len(self.tiles)] * len(stage.steps))
            if stage.bands:
                self._add_chain(stage)
            else:
                step = stage.steps[0]
                self._add_call(step, program.calls[step], stage.parts[0])
            self.ends.extend([len(self.tiles)] * len(stage.steps))
        self._time_stores()
        self._time_loads()
        self._time_direct()
        self._time_halos()
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
                    self._use_pack(draft, part, packs[number], pack_slots, number)
                self._note_direct(call, part, now)
                self.tiles.append(draft)

    def _add_chain(self, stage: Stage) -> None:
        """Add the tiles of fused calls, band by band."""
        inner = inner_tensors(self._program, stage.steps)
        packs = {
            step: self._add_pack(self._program.calls[step], part, part.filters[0])
            for step, part in zip(stage.steps, stage.parts, strict=True)
        }
        pack_slots: dict[int, Slot] = {}
        held: dict[str, HeldRows] = {}
        for band in plan_bands(self._program, stage.steps, stage.bands):
            for step, part in zip(stage.steps, stage.parts, strict=True):
                if not band.rows[step]:
                    continue
                call = self._program.calls[step]
                tile = tile_lines(self._program, call, band.rows[step])
                draft = DraftTile(step, tile, None, None, band.rows[step])
                now = len(self.tiles)
                if call.writes[0] in inner:
                    self._hold(call, band, held)
                self._add_windows(draft, call, part)
                for position, argument in enumerate(call.arguments):
                    if not isinstance(argument, TensorArgument) or argument.tensor not in inner:
                        continue
                    window = tile.windows[position]
                    draft.slots[position] = (
                        held[argument.tensor].use(window, now, is_read=not argument.is_written)
                        if window.size_bytes
                        else (self._add_nothing(), 0)
                    )
                if packs[step] is not None:
                    self._use_pack(draft, part, packs[step], pack_slots, step)
                self._note_direct(call, part, now)
                self.tiles.append(draft)

    def _add_nothing(self) -> Slot:
        """Return a slot for rows that see nothing but padding: an address that nobody reads."""
        now = len(self.tiles)
        slot = Slot(1, now, now, None, is_load=True)
        self.slots.append(slot)
        return slot

    def _add_windows(self, draft: DraftTile, call: KernelCall, part: CallPart) -> None:
        """Give a chained tile slots for its windows of far tensors."""
        for position in sorted(part.copied):
            argument = call.arguments[position]
            window = draft.tile.windows.get(position)
            if isinstance(argument, TensorArgument) and window is not None and window.size_bytes:
                home = Address(Block.FAR, self.far[argument.tensor] + window.offset_bytes)
                slot = self._add_slot(window.size_bytes, home, is_load=not argument.is_written)
                draft.slots[position] = slot, 0

    def _hold(self, call: KernelCall, band: Band, held: dict[str, HeldRows]) -> None:
        """Make room for the rows of a tensor inside a chain; those kept come from the last room."""
        name = call.writes[0]
        rows = band.held[name]
        each = line_bytes(self._program, call, len(call.arguments) - 1)
        now = len(self.tiles)
        slot = Slot(len(rows) * each, now, now, None, is_load=True)
        before = held.get(name)
        if before is not None:
            kept = range(rows.start, min(before.rows.stop, rows.stop))
            if kept:
                start = (kept.start - before.rows.start) * each
                slot.halo = Halo(before.slot, start, len(kept) * each, before.written + 1)
        self.slots.append(slot)
        held[name] = HeldRows(slot, rows, each, now)

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
        part: CallPart,
        pack: Pack | None,
        slots: dict[int, Slot],
        number: int,
    ) -> None:
        """Point a tile at its constants: brought once for all rows, or again for each."""
        assert pack is not None
        now = len(self.tiles)
        if len(part.filters) > 1 or number not in slots:
            slots[number] = self._add_slot(pack.size_bytes, pack.address, is_load=True)
        slot = slots[number]
        slot.last = now
        call = self._program.calls[draft.step]
        parts_left = iter(pack.parts)
        for position in sorted(part.copied):
            if isinstance(call.arguments[position], ConstantArgument):
                draft.slots[position] = slot, next(parts_left).offset_bytes

    def _time_halos(self) -> None:
        """Let kept rows move on once they are all there, and stay until they have moved."""
        for slot in self.slots:
            if slot.halo is None:
                continue
            before = slot.halo.slot
            ready = slot.halo.ready
            if before.halo is not None:
                ready = max(ready, before.needed + int(before.start == before.needed))
            slot.needed = slot.needed or ready  # rows that only a later band reads
            slot.start = min(max(slot.needed - self._early, ready), slot.needed)
            late = int(slot.start == slot.needed)
            before.end = max(before.end, slot.needed + late)

    def _time_stores(self) -> None:
        for slot in self.slots:
            if not slot.is_load:
                slot.start = slot.last
                slot.end = min(slot.last + _STORE_TILES, len(self.tiles))

    def _time_loads(self) -> None:
        """Start each load one tile early, but not before what it brings has been stored."""
        stores = sorted((s for s in self.slots if not s.is_load), key=lambda slot: slot.last)
        recent = 0
        for slot in (slot for slot in self.slots if slot.is_load and slot.home is not None):
            slot.needed = slot.first
            slot.start = max(slot.first - self._early, 0)
            assert slot.home is not None
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
        if not self._direct:
            return
        homes = [
            (slot, slot.home.offset_bytes, slot.home.offset_bytes + slot.size_bytes)
            for slot in self.slots
            if slot.home is not None and slot.home.block is Block.FAR
        ]
        slots = [slot for slot, _, _ in homes]
        starts = np.array([start for _, start, _ in homes], np.int64)
        ends = np.array([end for _, _, end in homes], np.int64)
        for direct in self._direct:
            for number in np.flatnonzero((starts < direct.end) & (direct.start < ends)).tolist():
                slot = slots[number]
                if not slot.is_load and slot.last < direct.tile:
                    slot.end = min(slot.end, direct.tile)
                elif slot.is_load and direct.is_written and slot.first > direct.tile:
                    slot.start = max(slot.start, direct.tile + 1)

    def _assign_channels(self) -> int:
        """Give each copy a channel from its start to its wait; return how many are in use."""
        starting: dict[int, list[Slot]] = {}
        copied = (slot for slot in self.slots if slot.is_copied)
        for slot in sorted(copied, key=lambda slot: not slot.is_load):
            starting.setdefault(slot.start, []).append(slot)
        busy: dict[int, Slot] = {}
        count = 0
        for now in range(len(self.tiles)):
            busy = {number: slot for number, slot in busy.items() if slot.wait > now}
            for slot in starting.get(now, ()):
                if not slot.is_load:  # after the tile, when what came at the last moment is there
                    busy = {n: s for n, s in busy.items() if not (s.is_load and s.needed == now)}
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
    if left.home is None or right.home is None or left.home.block is not right.home.block:
        return False
    start = max(left.home.offset_bytes, right.home.offset_bytes)
    return start < min(
        left.home.offset_bytes + left.size_bytes, right.home.offset_bytes + right.size_bytes
    )


def lay_out_far(parted: Partition, space: Space) -> tuple[dict[str, int], int]:
    """Return the offsets of tensors in far memory, and its extent.

    They live for whole stages: a chain reads its first bands after it wrote others.
    """
    begins = [stage.steps.start for stage in parted.stages for _ in stage.steps]
    ends = [stage.steps.stop for stage in parted.stages for _ in stage.steps]
    buffers = [
        retime(parted.buffers[index], begins, ends, space.align) for index in sorted(parted.far)
    ]
    packing = pack_buffers(buffers)
    offsets = {
        name: offset
        for buffer, offset in zip(buffers, packing.offsets, strict=True)
        for name in buffer.tensors
    }
    return offsets, packing.size_bytes
