"""What the core caches: the default memory map, and MPU set-ups of real firmware."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulate.attributes import (
    DEVICE,
    UNCACHED,
    WRITE_BACK,
    WRITE_BACK_ALLOCATE,
    WRITE_THROUGH,
    Attributes,
    Mpu,
)

CTRL, RNR, RBAR, RASR = 0xD94, 0xD98, 0xD9C, 0xDA0
SDRAM = 0xC000_0000


def attributes_at(mpu: Mpu, address: int) -> Attributes:
    [(_, _, found)] = mpu.ranges(address, address + 1)
    return found


def rasr(size_log2: int, *, tex: int = 0, c: int = 0, b: int = 0, s: int = 0, srd: int = 0) -> int:
    return tex << 19 | s << 18 | c << 17 | b << 16 | srd << 8 | (size_log2 - 1) << 1 | 1


def set_region(mpu: Mpu, number: int, base: int, size: int) -> None:
    mpu.write(RBAR, base | 1 << 4 | number)
    mpu.write(RASR, size)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (0x0800_0000, WRITE_THROUGH),
        (0x2000_0000, WRITE_BACK_ALLOCATE),
        (0x4000_0000, DEVICE),
        (0x6000_0000, WRITE_BACK_ALLOCATE),
        (0x9000_0000, WRITE_THROUGH),
        (0xC000_0000, DEVICE),
        (0xD000_0000, DEVICE),
    ],
)
def test_default_map(address: int, expected: Attributes) -> None:
    assert attributes_at(Mpu(), address) == expected


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ({"tex": 0, "c": 0, "b": 0}, DEVICE),
        ({"tex": 0, "c": 0, "b": 1}, DEVICE),
        ({"tex": 0, "c": 1, "b": 0}, WRITE_THROUGH),
        ({"tex": 0, "c": 1, "b": 1}, WRITE_BACK),
        ({"tex": 1, "c": 0, "b": 0}, UNCACHED),
        ({"tex": 1, "c": 1, "b": 1}, WRITE_BACK_ALLOCATE),
        ({"tex": 2, "c": 0, "b": 0}, DEVICE),
        ({"tex": 4, "c": 0, "b": 0}, UNCACHED),
        ({"tex": 5, "c": 0, "b": 1}, WRITE_BACK_ALLOCATE),
        ({"tex": 6, "c": 1, "b": 0}, WRITE_THROUGH),
        ({"tex": 1, "c": 1, "b": 1, "s": 1}, UNCACHED),
    ],
)
def test_encodings(bits: dict[str, int], expected: Attributes) -> None:
    mpu = Mpu()
    set_region(mpu, 0, SDRAM, rasr(23, **bits))
    assert attributes_at(mpu, SDRAM) == DEVICE, "the unit is still off"
    mpu.write(CTRL, 5)
    assert attributes_at(mpu, SDRAM) == expected
    assert attributes_at(mpu, SDRAM + (1 << 23) - 1) == expected
    assert attributes_at(mpu, SDRAM + (1 << 23)) == DEVICE


def test_the_higher_region_wins_and_eighths_can_be_left_out() -> None:
    mpu = Mpu()
    mpu.write(CTRL, 5)
    set_region(mpu, 1, SDRAM, rasr(23, tex=1, c=1, b=1, srd=0b0000_0010))
    set_region(mpu, 0, SDRAM, rasr(23, tex=1))
    eighth = 1 << 20
    found = list(mpu.ranges(SDRAM, SDRAM + 3 * eighth))
    assert found == [
        (SDRAM, SDRAM + eighth, WRITE_BACK_ALLOCATE),
        (SDRAM + eighth, SDRAM + 2 * eighth, UNCACHED),
        (SDRAM + 2 * eighth, SDRAM + 3 * eighth, WRITE_BACK_ALLOCATE),
    ]


def test_a_region_is_chosen_by_number_too_and_can_be_disabled() -> None:
    mpu = Mpu()
    mpu.write(CTRL, 1)
    mpu.write(RNR, 3)
    mpu.write(RBAR, SDRAM)
    mpu.write(RASR, rasr(20, tex=1, c=1, b=1))
    assert attributes_at(mpu, SDRAM) == WRITE_BACK_ALLOCATE
    mpu.write(RASR, rasr(20) & ~1)
    assert attributes_at(mpu, SDRAM) == DEVICE


@given(
    st.integers(0, 0xFFFF).map(lambda page: page << 16),
    st.integers(1, 1 << 24),
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 0xFFF), st.integers(5, 31), st.integers(0, 255))
    ),
)
def test_ranges_cover_without_gap_and_agree_with_single_addresses(
    start: int, size: int, regions: list[tuple[int, int, int, int]]
) -> None:
    mpu = Mpu()
    mpu.write(CTRL, 5)
    for number, base, size_log2, disabled in regions:
        set_region(mpu, number, base << 20, rasr(size_log2, tex=1, c=1, b=1, srd=disabled))
    end = min(start + size, 1 << 32)
    found = list(mpu.ranges(start, end))
    assert found[0][0] == start and found[-1][1] == end
    for (_, left, _), (right, _, _) in pairwise(found):
        assert left == right
    for first, last, attributes in found[:20]:
        assert attributes_at(mpu, first) == attributes
        assert attributes_at(mpu, last - 1) == attributes
