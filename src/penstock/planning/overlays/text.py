"""Overlays as text: tiles by step, packs of constants, and slots with their copies."""

from penstock.planning.overlays.program import Address, Copy, OverlayProgram
from penstock.planning.text_table import format_table


def describe_tiles(overlays: OverlayProgram) -> dict[int, list[str]]:
    """Return by step: tiles, how they part it, bytes in, out and from band to band, its chain."""
    rows: dict[int, set[range | None]] = {}
    filters: dict[int, set[range | None]] = {}
    counts: dict[int, int] = {}
    for tile in overlays.tiles:
        counts[tile.step] = counts.get(tile.step, 0) + 1
        rows.setdefault(tile.step, set()).add(tile.band)
        filters.setdefault(tile.step, set()).add(tile.filters)
    moved = {step: {"in": 0, "out": 0, "halos": 0} for step in counts}
    for copy in overlays.copies:
        way = "halos" if copy.is_halo else "in" if copy.is_load else "out"
        moved[overlays.tiles[copy.tile].step][way] += copy.size_bytes
    stages = overlays.stage_by_step
    return {
        step: [
            str(counts[step]),
            f"{len(rows[step])} x {len(filters[step])}",
            *(str(size_bytes or "-") for size_bytes in moved[step].values()),
            f"{stages[step].start}-{stages[step].stop - 1}" if len(stages[step]) > 1 else "-",
        ]
        for step in counts
    }


def format_packs(overlays: OverlayProgram) -> str:
    """Return where the constants of tiles are; empty where there are none."""
    rows = [
        [*_place(pack.address), str(pack.size_bytes), ", ".join(p.constant for p in pack.parts)]
        for pack in overlays.packs
    ]
    header = ["packs", "offset", "bytes", "parts of"]
    return format_table(header, rows, "<rr<") if rows else ""


def format_slots(overlays: OverlayProgram) -> str:
    """Return slots by the tile before which their copy starts; empty where there are none."""
    rows = [_slot_row(copy, overlays) for copy in overlays.copies]
    header = ["slot", "offset", "bytes", "copy", "home", "offset", "step", "tiles", "channel"]
    return format_table(header, rows, "<rr<<rr<r") if rows else ""


def _slot_row(copy: Copy, overlays: OverlayProgram) -> list[str]:
    slot, home = copy.destination, copy.source
    if not copy.is_load:
        slot, home = home, slot
    return [
        *_place(slot),
        str(copy.size_bytes),
        "from" if copy.is_load else "to",
        *_place(home),
        str(overlays.tiles[copy.tile].step),
        f"[{copy.started_at}, {copy.waited_at})",
        str(copy.channel),
    ]


def _place(address: Address) -> list[str]:
    return [address.block.value, str(address.offset_bytes)]
