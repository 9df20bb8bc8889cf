"""How calls are parted, what slots take, where buffers go: by hand, and by how good it is."""

from pathlib import Path

import pytest

from penstock.boards import load_board
from penstock.frontends.tflite import load_model
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning.lifetimes import Buffer, Lifetime, Segment
from penstock.planning.overlaid import plan_overlaid
from penstock.planning.overlays.parts import (
    FAR_PARTS_MIN,
    PACK_BYTES,
    Space,
    copied_arguments,
    cut,
    finest_stage,
    part_stage,
    stage_bytes,
)
from penstock.planning.overlays.plan import house_packs, overlay
from penstock.planning.overlays.program import Block
from penstock.planning.overlays.tight import choose_tight
from tests.planning.overlays.networks import ChainBuilder, lower

ROOM = 1 << 30
SPACE = Space("sram", ROOM, 16, 8)


def convolution(rows: int, channels: int, depth: int = 8, filters: int = 3) -> KernelGraph:
    """Return a program of one call, whose input is ``image`` and whose output is ``result``."""
    network = ChainBuilder(1)
    image = network.image(rows, 8, depth)
    result = network.conv(image, channels, (filters, filters))
    program = lower(network.build([result]), "model")
    assert len(program.calls) == 1
    return program


def far_of(program: KernelGraph) -> frozenset[str]:
    (call,) = program.calls
    return frozenset((*call.reads, *call.writes))


@pytest.mark.parametrize(
    ("parts", "count", "multiple", "lengths"),
    [
        (1, 10, 1, [10]),
        (3, 10, 1, [4, 4, 2]),
        (4, 10, 1, [3, 3, 3, 1]),
        (10, 10, 1, [1] * 10),
        (3, 10, 4, [4, 4, 2]),
        (10, 10, 4, [4, 4, 2]),
        (5, 3, 1, [1, 1, 1]),
        (2, 3, 4, [3]),
    ],
)
def test_cut(parts: int, count: int, multiple: int, lengths: list[int]) -> None:
    ranges = cut(parts, count, multiple)
    assert [len(r) for r in ranges] == lengths
    assert [n for r in ranges for n in r] == list(range(count))


def test_constants_are_copied_and_tensors_only_where_they_are_far() -> None:
    program = convolution(12, 16)
    (call,) = program.calls
    constants = copied_arguments(call, frozenset())
    both = copied_arguments(call, far_of(program))
    assert constants < both
    assert {1, len(call.arguments) - 1} == both - constants


def test_with_room_for_all_a_call_is_as_coarse_as_packs_and_bands_allow() -> None:
    program = convolution(16, 64, depth=40)
    (part,) = part_stage(program, range(1), frozenset(), SPACE, ROOM).parts
    filters = program.constants[program.calls[0].constants[0]].nbytes
    assert len(part.rows) == 1
    assert len(part.filters) == -(-filters // PACK_BYTES) > 1
    (banded,) = part_stage(program, range(1), far_of(program), SPACE, ROOM).parts
    assert len(banded.rows) == FAR_PARTS_MIN


def test_less_room_means_more_tiles_down_to_the_finest() -> None:
    program = convolution(20, 32, depth=24)
    far = far_of(program)
    least = stage_bytes(program, finest_stage(program, range(1), far), SPACE)
    sizes, counts = [], []
    for budget in (ROOM, 16_000, 12_000, 8_000, least):
        stage = part_stage(program, range(1), far, SPACE, budget)
        (part,) = stage.parts
        sizes.append(stage_bytes(program, stage, SPACE))
        counts.append(len(part.rows) * len(part.filters))
        assert sizes[-1] <= budget
    assert sizes == sorted(sizes, reverse=True)
    assert counts[0] < counts[-1]


def test_without_enough_room_the_smallest_slots_are_taken() -> None:
    program = convolution(20, 32, depth=24)
    far = far_of(program)
    stage = part_stage(program, range(1), far, SPACE, 0)
    finest = finest_stage(program, range(1), far)
    assert stage_bytes(program, stage, SPACE) == stage_bytes(program, finest, SPACE)


def buffer(size: int, first: int, end: int) -> Buffer:
    return Buffer((), (Segment(Lifetime(first, end), size),))


def test_tightly_coupled_memory_is_for_what_is_urgent_then_for_what_is_small() -> None:
    buffers = [buffer(64, 0, 4), buffer(32, 0, 4), buffer(48, 0, 4), buffer(64, 4, 8)]
    assert set(choose_tight(buffers, [2], 0).offsets) == set()
    assert set(choose_tight(buffers, [2], 64).offsets) == {2, 3}, "two at a time do not fit"
    assert set(choose_tight(buffers, [2], 80).offsets) == {2, 1, 3}
    assert choose_tight(buffers, [2], 80).size_bytes <= 80
    assert set(choose_tight(buffers, [], 144).offsets) == {0, 1, 2, 3}


def test_packs_stay_near_whose_tiles_compute_least_for_each_byte() -> None:
    network = ChainBuilder(2)
    image = network.image(24, 24, 8)
    busy = network.conv(image, 16)  # many pixels for each filter
    small = network.conv(busy, 16, (1, 1), (12, 12))
    program = lower(network.build([network.conv(small, 16)]), "model")
    overlaid = overlay(program, SPACE).program
    step_of = {c.source: overlaid.tiles[c.tile].step for c in overlaid.copies if c.is_load}
    sizes = {step_of[pack.address]: pack.size_bytes for pack in overlaid.packs}
    assert len(sizes) == 3
    housed = house_packs(program, overlaid, sizes[1] + sizes[2])
    blocks = {
        housed.tiles[copy.tile].step: copy.source.block
        for copy in housed.copies
        if copy.is_load and copy.source.block in (Block.PACKS, Block.FAR_PACKS)
    }
    assert blocks == {0: Block.FAR_PACKS, 1: Block.PACKS, 2: Block.PACKS}


@pytest.mark.models
@pytest.mark.shared
@pytest.mark.parametrize(
    ("model", "board", "far_max", "copied_share_max"),
    [
        # Constants once and nothing else: all tensors stay inside.
        ("mlperf_tiny/vww_96_14blk_836k_int8.tflite", "stm32f469i-disco", 0, 1.05),
        ("mlperf_tiny/pretrainedResnet_quant.tflite", "stm32f746g-disco", 0, 1.05),
        # 1.15 MiB of activations in 320 KiB, and in 160 KiB.
        ("imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite", "stm32f746g-disco", 6, 1.5),
        ("imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite", "stm32f469i-disco", 13, 2.15),
    ],
)
def test_little_is_far_and_little_is_copied_twice(
    model: str, board: str, far_max: int, copied_share_max: float, shared_dir: Path
) -> None:
    """A plan may be right and yet send everything away; these are what plans reach now."""
    program = select_kernels(run_passes(load_model(shared_dir / "models" / model)))
    overlays = plan_overlaid(program, load_board(board)).overlays
    assert overlays is not None
    assert len(overlays.far_offset_bytes) <= far_max
    constants = sum(pack.size_bytes for pack in overlays.packs)
    copied = sum(copy.size_bytes for copy in overlays.copies if not copy.is_halo)
    assert copied <= copied_share_max * constants
