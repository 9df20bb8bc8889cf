"""A board as data: core, clock, memories. Each number has a source."""

from dataclasses import dataclass
from enum import Enum


class Confidence(Enum):
    """How a number is known."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUESS = "guess"


class MemoryKind(Enum):
    """What a memory is; decides defaults of placement, not timing."""

    TCM_INSTRUCTION = "tcm_instruction"
    TCM_DATA = "tcm_data"
    SRAM = "sram"
    FLASH = "flash"
    SDRAM = "sdram"
    QSPI_FLASH = "qspi_flash"


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """A range of addresses.

    Attributes:
        name: lower-case, as in linker scripts and reports.
        kind: what it is made of.
        base: first address.
        size_bytes: extent.
        is_writable: False for flash.
        is_external: True outside the microcontroller.
        aliases: other base addresses of the same bytes.
        source: where the numbers come from.
        confidence: how sure they are.
    """

    name: str
    kind: MemoryKind
    base: int
    size_bytes: int
    is_writable: bool
    is_external: bool
    aliases: tuple[int, ...]
    source: str
    confidence: Confidence

    @property
    def bases(self) -> tuple[int, ...]:
        """Every address at which the first byte is seen: ``base``, then the aliases."""
        return (self.base, *self.aliases)

    def contains(self, address: int) -> bool:
        """Return whether the address is in the region, at any of its bases."""
        return any(base <= address < base + self.size_bytes for base in self.bases)


@dataclass(frozen=True, slots=True)
class PeripheralRange:
    """Addresses of registers: the virtual board tolerates accesses there.

    Attributes:
        name: lower-case.
        base: first address.
        size_bytes: extent.
        source: where the numbers come from.
        confidence: how sure they are.
    """

    name: str
    base: int
    size_bytes: int
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Core:
    """A processor core.

    Attributes:
        name: the compiler's name, for example ``cortex-m7``.
        fpu: the compiler's ``-mfpu`` name; None for a core without one.
    """

    name: str
    fpu: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """A microcontroller with its board's memories.

    Attributes:
        name: what ``--board`` takes.
        title: for people.
        mcu: part number.
        core: its processor.
        clock_hz: core clock that all figures assume.
        port: folder of ``runtime/ports`` with start-up code and drivers.
        regions: all memories, in order of preference within a kind.
        peripherals: register space.
        clock_source: where the clock comes from.
        clock_confidence: how sure it is.
    """

    name: str
    title: str
    mcu: str
    core: Core
    clock_hz: int
    port: str
    regions: tuple[MemoryRegion, ...]
    peripherals: tuple[PeripheralRange, ...] = ()
    clock_source: str = "not stated"
    clock_confidence: Confidence = Confidence.GUESS

    def region(self, name: str) -> MemoryRegion:
        """Return a region by name; raises KeyError."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)
