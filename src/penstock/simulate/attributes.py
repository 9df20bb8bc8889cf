"""Memory attributes: the default map of ARMv7-M, and what the firmware's MPU set-up makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_RBAR_VALID = 1 << 4
_RASR_ENABLE = 1
_RASR_SHAREABLE = 1 << 18
_CTRL_ENABLE = 1
_SUBREGION_SIZE_MIN = 256


@dataclass(frozen=True, slots=True)
class Attributes:
    """How the core treats a range of addresses.

    Attributes:
        is_cached: an L1 cache may hold it.
        is_written_back: a cached write stays in the cache; otherwise it goes through.
        is_allocated_by_writes: a write that misses brings the line into the cache.
        is_device: accesses are made one by one, and waited for.
    """

    is_cached: bool = False
    is_written_back: bool = False
    is_allocated_by_writes: bool = False
    is_device: bool = False


UNCACHED = Attributes()
WRITE_THROUGH = Attributes(is_cached=True)
WRITE_BACK = Attributes(is_cached=True, is_written_back=True)
WRITE_BACK_ALLOCATE = Attributes(True, True, True)
DEVICE = Attributes(is_device=True)

_INNER_POLICIES = (UNCACHED, WRITE_BACK_ALLOCATE, WRITE_THROUGH, WRITE_BACK)
"""By the bits C and B when TEX is 0b1xx: ARMv7-M architecture reference manual, table B3-14."""

_DEFAULT_MAP = (
    WRITE_THROUGH,
    WRITE_BACK_ALLOCATE,
    DEVICE,
    WRITE_BACK_ALLOCATE,
    WRITE_THROUGH,
    DEVICE,
    DEVICE,
    DEVICE,
)
"""By the top three bits of the address: ARMv7-M architecture reference manual, table B3-1."""

_DEFAULT_BYTES = 1 << 29


@dataclass(frozen=True, slots=True)
class MpuRegion:
    """One enabled region: ``[base, base + size_bytes)`` without its disabled eighths."""

    base: int
    size_bytes: int
    disabled_eighths: int
    attributes: Attributes

    def contains(self, address: int) -> bool:
        """Return whether the region decides about an address."""
        offset = address - self.base
        if not 0 <= offset < self.size_bytes:
            return False
        if self.size_bytes < _SUBREGION_SIZE_MIN:
            return True
        return not self.disabled_eighths >> (offset * 8 // self.size_bytes) & 1

    def edges(self) -> range:
        """Return the addresses where what it decides may change."""
        step = max(self.size_bytes // 8, 1)
        return range(self.base, self.base + self.size_bytes + 1, step)


class Mpu:
    """The memory protection unit of ARMv7-M, as far as it decides about caching.

    Register offsets are those of the system control page 0xE000E000.
    """

    def __init__(self) -> None:
        """Start disabled, as the core does."""
        self._control = 0
        self._number = 0
        self._bases: dict[int, int] = {}
        self._sizes: dict[int, int] = {}

    def write(self, offset: int, value: int) -> None:
        """Take a write to MPU_CTRL, MPU_RNR, MPU_RBAR, MPU_RASR or an alias of the last two."""
        if offset == 0xD94:
            self._control = value
        elif offset == 0xD98:
            self._number = value & 0xFF
        elif offset in range(0xD9C, 0xDBC, 8):
            if value & _RBAR_VALID:
                self._number = value & 0xF
            self._bases[self._number] = value & ~0x1F
        elif offset in range(0xDA0, 0xDBC, 8):
            self._sizes[self._number] = value

    def ranges(self, start: int, end: int) -> Iterator[tuple[int, int, Attributes]]:
        """Divide ``[start, end)`` into ranges that the core treats alike."""
        regions = self.regions() if self._control & _CTRL_ENABLE else []
        edges = {start, end, *range(0, 1 << 32, _DEFAULT_BYTES)}
        edges.update(edge for region in regions for edge in region.edges())
        inside = sorted(edge for edge in edges if start <= edge <= end)
        for first, last in pairwise(inside):
            deciding = (region.attributes for region in regions if region.contains(first))
            yield first, last, next(deciding, _DEFAULT_MAP[first // _DEFAULT_BYTES])

    def regions(self) -> list[MpuRegion]:
        """Return the enabled regions, the one that decides first."""
        return [
            _region(self._bases.get(number, 0), self._sizes[number])
            for number in sorted(self._sizes, reverse=True)
            if self._sizes[number] & _RASR_ENABLE
        ]


def _region(base: int, rasr: int) -> MpuRegion:
    size_bytes = 1 << ((rasr >> 1 & 0x1F) + 1)
    return MpuRegion(base & -size_bytes, size_bytes, rasr >> 8 & 0xFF, _attributes(rasr))


def _attributes(rasr: int) -> Attributes:
    """Decode TEX, C, B and S: ARMv7-M architecture reference manual, tables B3-13 and B3-14.

    A Cortex-M7 does not cache what is shareable (Cortex-M7 TRM, DDI0489, 5.3).
    """
    tex, cacheable_bufferable = rasr >> 19 & 7, rasr >> 16 & 3
    if tex & 4:
        found = _INNER_POLICIES[cacheable_bufferable]
    elif tex == 1:
        found = {0: UNCACHED, 3: WRITE_BACK_ALLOCATE}.get(cacheable_bufferable, DEVICE)
    elif tex == 0:
        found = (DEVICE, DEVICE, WRITE_THROUGH, WRITE_BACK)[cacheable_bufferable]
    else:
        found = DEVICE
    return UNCACHED if found.is_cached and rasr & _RASR_SHAREABLE else found
