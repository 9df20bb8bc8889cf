"""How much of a firmware's code comes from which file, as its debug information says."""

from collections.abc import Iterator
from typing import Any

from elftools.elf.elffile import ELFFile

from penstock.simulate.firmware import Firmware


def source_code_bytes(firmware: Firmware) -> dict[str, int]:
    """Return the bytes of the functions that were compiled from each file, as they are linked.

    What the compiler put into a caller counts there; what the linker left out counts nowhere.
    Tables of constants beside the code are no functions, but literals within one are of it.

    Args:
        firmware: linked with debug information (`link_firmware` does), still on disk.

    Returns:
        By path, as the compiler was told it: relative to the folder where the sources begin.
    """
    found: dict[str, int] = {}
    with firmware.path.open("rb") as stream:
        elf = ELFFile(stream)
        if not elf.has_dwarf_info():
            return found
        dwarf = elf.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            name = unit.get_top_DIE().attributes["DW_AT_name"].value.decode()
            source = name.removeprefix("./")
            program = dwarf.line_program_for_CU(unit)
            lines = set() if program is None else set(_line_addresses(program))
            sizes = (f.end - f.start for f in firmware.functions if f.start in lines)
            found[source] = found.get(source, 0) + sum(sizes)
    return found


def _line_addresses(program: Any) -> Iterator[int]:
    """Yield the addresses where lines begin, every function's first one among them.

    Not every compiler describes every function at this level of debug information. What the linker
    left out seems to lie at 0, where firmware has its vectors, if anything.
    """
    is_linked, begins = False, True
    for state in (entry.state for entry in program.get_entries() if entry.state):
        if begins:
            is_linked = state.address != 0
        begins = state.end_sequence  # whose address is already that of what comes behind
        if is_linked and not begins:
            yield state.address
