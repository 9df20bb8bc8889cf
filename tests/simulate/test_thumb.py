"""The native decoder agrees with an independent disassembler on real machine code."""

import ctypes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.simulate.firmware import read_firmware
from penstock.simulate.monitor import load_native

capstone = pytest.importorskip("capstone")
NEEDS_ALIGNMENT = ("ldm", "stm", "ldrd", "strd", "vldr", "vstr", "vldm", "vstm")


class Summary(ctypes.Structure):
    _fields_ = (("instructions", ctypes.c_uint32), ("needs_alignment", ctypes.c_uint32))


def summarize(code: bytes) -> tuple[int, int]:
    function = load_native().ps_thumb_summarize
    function.restype = Summary
    function.argtypes = (ctypes.c_char_p, ctypes.c_uint32)
    summary = function(code, len(code))
    return summary.instructions, summary.needs_alignment


def find_unaligned(code: bytes, registers: list[int], address: int) -> int:
    function = load_native().ps_thumb_find_unaligned
    function.restype = ctypes.c_int32
    array = (ctypes.c_uint32 * 16)(*registers)
    return int(function(code, ctypes.c_uint32(len(code)), array, ctypes.c_uint32(address)))


def disassembler() -> "capstone.Cs":
    return capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)


def needs_alignment(mnemonic: str, operands: str) -> bool:
    base = operands.split("[")[-1] if "[" in operands else operands
    is_fixed = base.lstrip().startswith(("sp", "pc"))
    return mnemonic.startswith(NEEDS_ALIGNMENT) and not is_fixed


def test_real_functions_are_decoded(elf: Path) -> None:
    firmware = read_firmware(elf)
    text = {s.address: s.content for s in firmware.segments}
    decoded = 0
    for function in firmware.functions:
        segment = max((a for a in text if a <= function.start), default=None)
        assert segment is not None
        code = text[segment][function.start - segment : function.end - segment]
        listing = list(disassembler().disasm(code, function.start))
        covered = sum(instruction.size for instruction in listing)
        strict = sum(needs_alignment(i.mnemonic, i.op_str) for i in listing)
        assert summarize(code[:covered]) == (len(listing), strict), function.name
        decoded += len(listing)
    assert decoded > 300


ENCODINGS = [  # instruction, code, register, first byte accessed, bytes
    ("ldm r1!, {r2, r3}", 0xC90C, 1, 0, 8),
    ("stm r1!, {r2}", 0xC104, 1, 0, 4),
    ("ldm.w r1, {r4, r5, r6}", 0x0070E891, 1, 0, 12),
    ("stmdb r1!, {r4, r5}", 0x0030E921, 1, -8, 8),
    ("ldrd r2, r3, [r1, #8]", 0x2302E9D1, 1, 8, 8),
    ("strd r2, r3, [r1, #-0x8]!", 0x2302E961, 1, -8, 8),
    ("ldrd r2, r3, [r1], #0x10", 0x2304E8F1, 1, 0, 8),
    ("ldrex r2, [r1, #4]", 0x2F01E851, 1, 4, 4),
    ("vldr s0, [r1, #4]", 0x0A01ED91, 1, 4, 4),
    ("vstr d0, [r1, #-8]", 0x0B02ED01, 1, -8, 8),
    ("vldmia r1!, {s0, s1}", 0x0A02ECB1, 1, 0, 8),
    ("vstmdb r1!, {d8}", 0x8B02ED21, 1, -8, 8),
]


def encode(word: int) -> bytes:
    return word.to_bytes(4 if word > 0xFFFF else 2, "little")


@pytest.mark.parametrize(("text", "word", "register", "offset", "size_bytes"), ENCODINGS)
def test_unaligned_accesses_are_found(
    text: str, word: int, register: int, offset: int, size_bytes: int
) -> None:
    code = encode(word)
    listing = list(disassembler().disasm(code, 0))
    assert f"{listing[0].mnemonic} {listing[0].op_str}".replace(".w", "") == text.replace(".w", "")
    registers = [0x4000_0000 + 0x100 * n for n in range(16)]
    registers[register] = 0x2000_0101
    start = registers[register] + offset
    nop = b"\x00\xbf"
    assert find_unaligned(nop + code, registers, start) == 2
    assert find_unaligned(nop + code, registers, start + size_bytes - 4) == 2
    assert find_unaligned(nop + code, registers, start + size_bytes) == -1
    assert find_unaligned(nop + code, registers, start - 4) == -1


@pytest.mark.parametrize(
    "word",
    [
        0x6808,  # ldr r0, [r1]
        0x2000F8D1,  # ldr.w r2, [r1]
        0xF001E8D1,  # tbb [r1, r1]
        0xF011E8D1,  # tbh [r1, r1]
        0x0F4FE8D1,  # ldrexb r0, [r1]
        0xB40C,  # push {r2, r3}
        0x2301E9DD,  # ldrd r2, r3, [sp, #4]
        0x0B10EC51,  # vmov r0, r1, d0
    ],
)
def test_others_may_be_unaligned(word: int) -> None:
    assert summarize(encode(word)) == (1, 0)


@settings(deadline=None)
@given(st.binary(min_size=2, max_size=64))
def test_any_bytes_are_decoded_within_their_bounds(code: bytes) -> None:
    instructions, strict = summarize(code)
    assert len(code) // 4 <= instructions <= (len(code) + 1) // 2
    assert strict <= instructions
