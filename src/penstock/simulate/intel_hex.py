"""Intel HEX files: text records that put bytes at addresses (Intel specification, rev. A, 1988)."""

from dataclasses import dataclass

from penstock.errors import InputError
from penstock.simulate.firmware import Segment

_DATA, _END, _SEGMENT_BASE, _SEGMENT_START, _LINEAR_BASE, _LINEAR_START = range(6)
_PAYLOAD_BYTES = {_END: 0, _SEGMENT_BASE: 2, _SEGMENT_START: 4, _LINEAR_BASE: 2, _LINEAR_START: 4}
_HEADER_BYTES = 4
_ADDRESS_LIMIT = 1 << 32
_REMEDY = "make the file again: `objcopy -O ihex firmware.elf firmware.hex`"


@dataclass(frozen=True, slots=True)
class HexContent:
    """What a HEX file holds.

    Attributes:
        segments: sorted, disjoint, not adjacent.
        entry: address of the first instruction, if the file names one.
    """

    segments: tuple[Segment, ...]
    entry: int | None


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    offset: int
    payload: bytes

    @property
    def number(self) -> int:
        """The payload as a big-endian number."""
        return int.from_bytes(self.payload, "big")


def parse_intel_hex(text: bytes, name: str) -> HexContent:
    """Return the content of a HEX file; ``name`` is used in errors.

    Raises:
        InputError: a line is no record, its checksum is wrong, data overlap, or the end is missing.
    """
    base, entry, pieces, is_complete = 0, None, [], False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        record = _parse_record(line.strip(), where)
        if record.kind == _DATA:
            pieces.append(_piece(base + record.offset, record.payload, where))
        elif record.kind == _SEGMENT_BASE:
            base = record.number << 4
        elif record.kind == _LINEAR_BASE:
            base = record.number << 16
        elif record.kind == _LINEAR_START:
            entry = record.number
        elif record.kind == _END:
            is_complete = True
            break
    if not is_complete:
        raise InputError(f"{name} is cut off: its end record is missing", help=_REMEDY)
    return HexContent(_join(pieces, name), entry)


def _parse_record(line: bytes, where: str) -> _Record:
    if not line.startswith(b":"):
        raise InputError(f"{where}: a record begins with ':', found {line[:1]!r}", help=_REMEDY)
    try:
        content = bytes.fromhex(line[1:].decode("ascii"))
    except ValueError as error:
        raise InputError(f"{where}: not hexadecimal: {error}", help=_REMEDY) from error
    if len(content) < _HEADER_BYTES + 1 or len(content) != _HEADER_BYTES + content[0] + 1:
        raise InputError(
            f"{where}: a record of {len(content)} bytes, which does not fit the length that it "
            "states",
            help=_REMEDY,
        )
    if sum(content) % 256 != 0:
        computed = -sum(content[:-1]) % 256
        raise InputError(
            f"{where}: checksum {content[-1]:#04x} found, {computed:#04x} computed", help=_REMEDY
        )
    kind, payload = content[3], content[_HEADER_BYTES:-1]
    if kind != _DATA and _PAYLOAD_BYTES.get(kind) != len(payload):
        raise InputError(
            f"{where}: a record of type {kind} with {len(payload)} bytes, which does not exist",
            help=_REMEDY,
        )
    return _Record(kind, int.from_bytes(content[1:3], "big"), payload)


def _piece(address: int, payload: bytes, where: str) -> Segment:
    if address + len(payload) > _ADDRESS_LIMIT:
        raise InputError(
            f"{where}: data end at {address + len(payload):#x}, beyond the 32-bit address space",
            help=_REMEDY,
        )
    return Segment(address, payload)


def _join(pieces: list[Segment], name: str) -> tuple[Segment, ...]:
    """Return adjacent pieces as one segment each."""
    runs: list[tuple[int, bytearray]] = []
    for piece in sorted((p for p in pieces if p.content), key=lambda p: p.address):
        end = runs[-1][0] + len(runs[-1][1]) if runs else -1
        if piece.address < end:
            raise InputError(f"{name} says twice what is at {piece.address:#010x}", help=_REMEDY)
        if piece.address == end:
            runs[-1][1].extend(piece.content)
        else:
            runs.append((piece.address, bytearray(piece.content)))
    return tuple(Segment(address, bytes(content)) for address, content in runs)
