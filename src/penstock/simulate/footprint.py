"""What a linked firmware puts where: bytes by memory region and kind of contents."""

from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from penstock.boards.board import Board

_CONTENTS = {
    ".penstock_weights": "weights",
    ".penstock_far_weights": "weights",
    ".penstock_arena": "arena",
    ".penstock_tight": "arena",
    ".penstock_far": "arena",
    ".penstock_state": "state",
    ".stack": "stack",
    ".data": "data",
    ".bss": "data",
}
"""Everything else that is loaded is code, with the constants that compilers put beside it."""


def memory_footprint(elf: Path, board: Board) -> dict[str, dict[str, int]]:
    """Return bytes by region of the board and by contents.

    Initialized data counts twice: where it lives, and in the flash that it is copied from.
    """
    footprint: dict[str, dict[str, int]] = {}
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        for section in file.iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_size"]:
                what = _CONTENTS.get(section.name, "code")
                _add(footprint, board, section["sh_addr"], what, section["sh_size"])
                if (load := _load_address(file, section)) is not None:
                    _add(footprint, board, load, f"{what} to copy", section["sh_size"])
    order = [region.name for region in board.regions]
    return {name: footprint[name] for name in order if name in footprint}


def _load_address(file: Any, section: Any) -> int | None:
    """Return where a section's bytes wait in flash, when that is not where they are used."""
    if section["sh_type"] == "SHT_NOBITS":
        return None
    for segment in file.iter_segments("PT_LOAD"):
        if segment["p_paddr"] != segment["p_vaddr"] and segment.section_in_segment(section):
            return int(section["sh_addr"] - segment["p_vaddr"] + segment["p_paddr"])
    return None


def _add(
    footprint: dict[str, dict[str, int]], board: Board, address: int, what: str, size_bytes: int
) -> None:
    for region in board.regions:
        if region.contains(address):
            contents = footprint.setdefault(region.name, {})
            contents[what] = contents.get(what, 0) + size_bytes
            return
