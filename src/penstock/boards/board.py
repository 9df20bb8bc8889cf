"""A board as data: core, clock, memories. Each number has a source."""

from dataclasses import dataclass
from enum import Enum

from penstock.boards.power import MemoryEnergy, PowerModel
from penstock.boards.provenance import Fact, Provenance
from penstock.boards.timing import Accelerator, Cache, DmaController, MemoryTiming


class MemoryKind(Enum):
    """What a memory is; decides defaults of placement and the form of its timing."""

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
        provenance: how extent and addresses are known.
        timing: how long accesses take; None where nobody said.
        accelerator: of a flash memory; None for none.
        energy: of an external memory; None where nobody said.
        banks: what it has been joined of; empty for a memory as the board's file has it.
    """

    name: str
    kind: MemoryKind
    base: int
    size_bytes: int
    is_writable: bool
    is_external: bool
    aliases: tuple[int, ...]
    provenance: Provenance
    timing: MemoryTiming | None = None
    accelerator: Accelerator | None = None
    energy: MemoryEnergy | None = None
    banks: tuple["MemoryRegion", ...] = ()

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
        provenance: how they are known.
    """

    name: str
    base: int
    size_bytes: int
    provenance: Provenance


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
        instruction_cache: of the core, or of its code bus; None for none.
        data_cache: of the core; None for none.
        dma_controllers: what moves bytes beside the core.
        power: of the microcontroller; None where nobody said.
        emulator: what QEMU calls the board; None where it does not have it.
        facts: every entry of the board's file with its provenance, in the file's order.
    """

    name: str
    title: str
    mcu: str
    core: Core
    clock_hz: int
    port: str
    regions: tuple[MemoryRegion, ...]
    peripherals: tuple[PeripheralRange, ...] = ()
    instruction_cache: Cache | None = None
    data_cache: Cache | None = None
    dma_controllers: tuple[DmaController, ...] = ()
    power: PowerModel | None = None
    emulator: str | None = None
    facts: tuple[Fact, ...] = ()

    def region(self, name: str) -> MemoryRegion:
        """Return a region by name; raises KeyError."""
        for region in self.regions:
            if region.name == name:
                return region
        raise KeyError(name)
