"""Checking the tables of overlays, without what is in memory: order, channels, steps, packs."""

import itertools
from collections import Counter
from collections.abc import Sequence

from penstock.boards.copying import CHANNELS_MAX
from penstock.errors import GraphError
from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.overlays.program import Block, Copy, OverlayProgram, Pack

_FOR_PACKS = (Block.PACKS, Block.FAR_PACKS)
_ROWS_MAX = 0xFFFF
"""Copies and tiles have numbers of 16 bits in C, and start at a tile in numbers of 8 bits."""
_STARTS_MAX = 0xFF


def check_tables(program: KernelGraph, overlays: OverlayProgram) -> None:
    """Check what holds for tiles, copies and packs wherever they lie.

    Raises:
        GraphError: the tables are wrong, which is a bug of ours.
    """
    _check_tiles(program, overlays)
    _check_copies(overlays)
    if not all(pack.address.block in _FOR_PACKS for pack in overlays.packs):
        raise GraphError("a pack is in a block that is not for packs")
    for block in _FOR_PACKS:
        _check_packs(program, [pack for pack in overlays.packs if pack.address.block is block])
    for name in overlays.packed:
        if name not in program.constants:
            raise GraphError(f"constant {name!r}, read from packs alone, does not exist")


def _check_tiles(program: KernelGraph, overlays: OverlayProgram) -> None:
    steps = [step for stage in overlays.stages for step in stage]
    if steps != list(range(len(program.calls))):
        raise GraphError("stages do not follow the order of the program's steps")
    if {tile.step for tile in overlays.tiles} != set(steps):
        raise GraphError("a step has no tile, or a tile no step")
    stages = overlays.stage_by_step
    order = [stages[tile.step].start for tile in overlays.tiles]
    if sorted(order) != order:
        raise GraphError("tiles do not follow the order of the program's stages")
    if len(order) > _ROWS_MAX:
        raise GraphError(f"there are {len(order)} tiles: allowed are {_ROWS_MAX}")
    if not 0 <= overlays.channel_count <= CHANNELS_MAX:
        raise GraphError(f"{overlays.channel_count} channels: allowed are {CHANNELS_MAX}")


def _check_copies(overlays: OverlayProgram) -> None:
    if len(overlays.copies) > _ROWS_MAX:
        raise GraphError(f"there are {len(overlays.copies)} copies: allowed are {_ROWS_MAX}")
    stages = overlays.stage_by_step
    order = [stages[tile.step].start for tile in overlays.tiles]
    for number, copy in enumerate(overlays.copies):
        _check_copy(overlays, order, copy, f"copy {number}")
    for left, right in itertools.pairwise(overlays.copies):
        if _when(left) > _when(right):
            raise GraphError("copies are not in the order in which they start")
    for (tile, _), starts in Counter(map(_when, overlays.copies)).items():
        if starts > _STARTS_MAX:
            raise GraphError(f"tile {tile} starts {starts} copies: allowed are {_STARTS_MAX}")


def _check_copy(overlays: OverlayProgram, stages: Sequence[int], copy: Copy, what: str) -> None:
    """Check a copy; `stages` are the first steps of the stages of all tiles."""
    tiles = overlays.tiles
    if not 0 <= copy.channel < overlays.channel_count:
        raise GraphError(f"{what} is on channel {copy.channel} of {overlays.channel_count}")
    if not 0 <= copy.started_at < len(tiles) or not 0 <= copy.tile < len(tiles):
        raise GraphError(f"{what} starts with no tile, or is for none")
    if copy.size_bytes <= 0:
        raise GraphError(f"{what} has {copy.size_bytes} bytes")
    is_awaited = copy.is_load and copy.waited_at < len(tiles)
    if is_awaited and stages[copy.tile] > stages[copy.waited_at]:
        # A run of the later step alone would start it when nobody waits for it any more.
        raise GraphError(f"{what} is for tile {copy.tile}, and waited for at an earlier step")


def _when(copy: Copy) -> tuple[int, bool]:
    """Return when a copy starts: loads before their tile, stores after it."""
    return copy.started_at, not copy.is_load


def _check_packs(program: KernelGraph, packs: list[Pack]) -> None:
    """Packs of a block lie one behind the other, and so do the parts of each."""
    end = 0
    for pack in sorted(packs, key=lambda pack: pack.address.offset_bytes):
        where = f"the pack at {pack.address.block.value}({pack.address.offset_bytes})"
        if pack.address.offset_bytes != end:
            raise GraphError(f"{where} begins elsewhere than at {end}, where the one before ends")
        end += pack.size_bytes
        free = 0
        for part in sorted(pack.parts, key=lambda part: part.offset_bytes):
            window, array = part.window, program.constants.get(part.constant)
            if array is None or not 0 <= window.offset_bytes <= array.nbytes - window.size_bytes:
                raise GraphError(f"{where} holds what constant {part.constant!r} does not have")
            if part.offset_bytes < free or part.offset_bytes + window.size_bytes > pack.size_bytes:
                raise GraphError(f"{where} has no room for constant {part.constant!r}")
            free = part.offset_bytes + window.size_bytes
