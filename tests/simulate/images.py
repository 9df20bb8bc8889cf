"""Programs as others link them, in the formats that they come in."""

from collections.abc import Sequence
from pathlib import Path

from penstock.boards import Board
from penstock.simulate.firmware import Segment
from penstock.toolchain import Compiler, link_firmware

CASES = Path(__file__).with_name("program_cases.c")
ASSEMBLY = Path(__file__).with_name("program_cases.S")
FLASH, RAM = 0x0800_0000, 0x2000_0000

LINKER_SCRIPT = """
MEMORY {
  flash (rx) : ORIGIN = 0x08000000, LENGTH = 256K
  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 32K
}
stack_top = ORIGIN(ram) + LENGTH(ram);
__stack = stack_top;
SECTIONS {
  .vectors : { KEEP(*(.vectors)) } > flash
  .text : { KEEP(*(.text .text.*)) *(.rodata .rodata.*) KEEP(*(.init)) KEEP(*(.fini))
            KEEP(*(.init_array)) KEEP(*(.fini_array)) . = ALIGN(4); } > flash
  .ARM.extab : { *(.ARM.extab*) } > flash
  .ARM.exidx : { *(.ARM.exidx*) } > flash
  data_load = LOADADDR(.data);
  .data : { data_start = .; *(.data .data.* .tm_clone_table .jcr) . = ALIGN(4); data_end = .; }
          > ram AT > flash
  .bss : { bss_start = .; __bss_start__ = .; *(.bss .bss.* COMMON) . = ALIGN(4);
           bss_end = .; __bss_end__ = .; } > ram
  end = .;
  __end__ = .;
}
"""


def link_cases(board: Board, compiler: Compiler, folder: Path) -> Path:
    """Link the cases for flash and data TCM of the board."""
    script = folder / "cases.ld"
    script.write_text(LINKER_SCRIPT)
    sources = [CASES, ASSEMBLY]
    return link_firmware(
        sources, script, folder / "cases.elf", board.core, compiler=compiler, flags=["-O2"]
    )


def hex_record(kind: int, offset: int, payload: bytes) -> str:
    """Return one record of an Intel HEX file."""
    content = bytes([len(payload), offset >> 8, offset & 0xFF, kind]) + payload
    return f":{content.hex().upper()}{-sum(content) % 256:02X}\n"


def hex_text(segments: Sequence[Segment], entry: int | None = None) -> bytes:
    """Return an Intel HEX file with short records, and a base record wherever the base changes."""
    lines, base = [], -1
    for segment in segments:
        for start in range(0, len(segment.content), 16):
            address = segment.address + start
            if address >> 16 != base:
                base = address >> 16
                lines.append(hex_record(4, 0, base.to_bytes(2, "big")))
            room = 0x1_0000 - (address & 0xFFFF)
            piece = segment.content[start : start + 16]
            lines.append(hex_record(0, address & 0xFFFF, piece[:room]))
            if piece[room:]:
                base += 1
                lines.append(hex_record(4, 0, base.to_bytes(2, "big")))
                lines.append(hex_record(0, 0, piece[room:]))
    if entry is not None:
        lines.append(hex_record(5, 0, entry.to_bytes(4, "big")))
    return "".join([*lines, hex_record(1, 0, b"")]).encode()


def flat_bytes(segments: Sequence[Segment]) -> bytes:
    """Return a raw binary file from the lowest address on."""
    base = min(segment.address for segment in segments)
    flat = bytearray(max(s.address + len(s.content) for s in segments) - base)
    for segment in segments:
        start = segment.address - base
        flat[start : start + len(segment.content)] = segment.content
    return bytes(flat)
