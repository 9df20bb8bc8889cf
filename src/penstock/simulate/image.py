"""Images that somebody else linked: ELF, Intel HEX and raw binary, with or without symbols."""

import difflib
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from elftools.elf.elffile import ELFFile

from penstock.errors import InputError, os_reason
from penstock.simulate.firmware import Firmware, Segment, read_firmware
from penstock.simulate.intel_hex import parse_intel_hex

FILE_BYTES_MAX = 1 << 29
"""More than any memory map of a microcontroller holds, in the most verbose format."""

_ADDRESS_LIMIT = 1 << 32
_PLACE = re.compile(r"(?P<base>.+?)(?:\+(?P<offset>0[xX][0-9a-fA-F]+|[0-9]+))?")
_HEX_SUFFIXES = (".hex", ".ihex", ".ihx")


class ImageFormat(Enum):
    """How a file holds its bytes."""

    ELF = "elf"
    HEX = "hex"
    BINARY = "bin"


@dataclass(frozen=True, slots=True)
class Image:
    """A file that can be loaded into a board's memories.

    Attributes:
        firmware: bytes to program, and symbols as far as the file has them.
        format: what the file was.
        entry: first instruction, if the file names one; the lowest bit is cleared.
        initialized: bytes at the addresses where start-up code copies them to, for calling
            functions without start-up; only ELF files tell.
    """

    firmware: Firmware
    format: ImageFormat
    entry: int | None
    initialized: tuple[Segment, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.firmware.path.name

    def holds(self, address: int) -> bool:
        """Return whether the file programs a byte at an address."""
        return any(0 <= address - s.address < len(s.content) for s in self.firmware.segments)

    def resolve(self, text: str, purpose: str) -> int:
        """Return the address that ``SYMBOL``, ``ADDRESS`` or either ``+OFFSET`` names.

        Args:
            text: what the user typed.
            purpose: the option, for the error.

        Raises:
            InputError: there is no such symbol; the help names the closest.
        """
        match = _PLACE.fullmatch(text.strip())
        if match is None:
            raise InputError(f"{purpose} is empty, where a symbol or an address belongs")
        base = parse_number(match["base"])
        if base is None:
            base = self._symbol(match["base"], purpose)
        address = base + (parse_number(match["offset"] or "0") or 0)
        if not 0 <= address < _ADDRESS_LIMIT:
            raise InputError(f"{purpose}: {text} is beyond the 32-bit address space")
        return address

    def _symbol(self, name: str, purpose: str) -> int:
        symbols = self.firmware.symbols
        if name in symbols:
            return symbols[name]
        if not symbols:
            remedy = "the file has no symbols: give an address, such as 0x08001234"
        else:
            close = difflib.get_close_matches(name, symbols, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            remedy = f"{hint}`nm {self.name}` lists them; an address works too"
        raise InputError(f"{purpose}: {self.name} has no symbol '{name}'", help=remedy)


def parse_number(text: str) -> int | None:
    """Return a decimal or 0x number; None when the text is neither."""
    try:
        return int(text, 0)
    except ValueError:
        return None


def read_image(path: Path, base: int | None = None) -> Image:
    """Read a file of any of the formats.

    Args:
        path: the file.
        base: address of the first byte of a raw binary file; None for the other formats.

    Raises:
        InputError: the file is missing, damaged or for another processor, or ``base`` is missing
            or does not belong.
    """
    content = _read(path)
    if content.startswith(b"\x7fELF"):
        _refuse_base(path, base, "an ELF file")
        return _read_elf(path)
    if base is not None:
        if base % 2:
            raise InputError(
                f"--base is {base:#x}, an odd address",
                help="an image begins at an even one; only addresses of functions in registers "
                "and tables are odd",
            )
        if base + len(content) > _ADDRESS_LIMIT:
            raise InputError(f"{path} does not end within the 32-bit address space from {base:#x}")
        segments = (Segment(base, content),)
        return Image(_without_symbols(path, segments), ImageFormat.BINARY, None, ())
    if content.lstrip().startswith(b":") or path.suffix.lower() in _HEX_SUFFIXES:
        parsed = parse_intel_hex(content, str(path))
        if not parsed.segments:
            raise InputError(f"{path} holds no data", help="give the file that would be flashed")
        entry = None if parsed.entry is None else parsed.entry & ~1
        return Image(_without_symbols(path, parsed.segments), ImageFormat.HEX, entry, ())
    raise InputError(
        f"{path} is neither ELF nor Intel HEX, and a raw binary file does not say where it belongs",
        help="add --base ADDRESS, which for most images is the start of flash",
    )


def _read(path: Path) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise InputError(
                f"{path} has {size_bytes} bytes, allowed are {FILE_BYTES_MAX}",
                help="give the file that would be flashed",
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {os_reason(error)}") from error
    if not content:
        raise InputError(f"{path} is empty", help="give the file that would be flashed")
    return content


def _refuse_base(path: Path, base: int | None, what: str) -> None:
    if base is not None:
        raise InputError(
            f"{path} is {what}, which says itself where it belongs", help="leave out --base"
        )


def _without_symbols(path: Path, segments: tuple[Segment, ...]) -> Firmware:
    return Firmware(path=path, segments=segments, symbols={}, functions=())


def _read_elf(path: Path) -> Image:
    remedy = "link the firmware again; `readelf -lS` shows what is in the file"
    try:
        firmware = read_firmware(path)
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            kind, entry = str(elf["e_type"]), int(elf["e_entry"]) & ~1
            loaded = [segment for segment in elf.iter_segments("PT_LOAD") if segment["p_filesz"]]
            extents = [int(segment["p_filesz"]) for segment in loaded]
            initialized = tuple(
                Segment(int(segment["p_vaddr"]), segment.data())
                for segment in loaded
                if segment["p_vaddr"] != segment["p_paddr"]
            )
    except InputError:
        raise
    except Exception as error:  # a damaged file makes the reader fail in any way
        reason = str(error) or type(error).__name__
        raise InputError(f"{path} is a damaged ELF file: {reason}", help=remedy) from error
    if not firmware.segments:
        what = "an object file that is not linked" if kind == "ET_REL" else "an ELF file"
        raise InputError(f"{path} is {what} and holds nothing to load", help=remedy)
    found = [len(segment.content) for segment in firmware.segments]
    if found != extents:
        raise InputError(
            f"{path} is cut off: its segments should have {sum(extents)} bytes, found {sum(found)}",
            help=remedy,
        )
    return Image(firmware, ImageFormat.ELF, entry or None, initialized)
