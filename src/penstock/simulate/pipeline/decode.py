"""Thumb-2 machine code → blocks of instructions, with capstone as the disassembler.

Only capstone's text is used: its lists of registers read and written leave out the second operand
of PKHBT, SXTAB and SSAT and the accumulator of SMLAL (seen in 5.0.9), and the text is ten times
faster to get.
"""

import re
from functools import lru_cache
from typing import Any

from penstock.errors import UnsupportedError
from penstock.extras import needs_extra
from penstock.simulate.pipeline.instruction import (
    FLAGS,
    FP_BASE,
    PC,
    SP,
    Block,
    BranchKind,
    Instruction,
    Kind,
    Role,
)
from penstock.simulate.pipeline.mnemonics import DOUBLE, Mnemonic, parse_mnemonic
from penstock.simulate.pipeline.operands import (
    COMPARES,
    REGISTER,
    Operands,
    parse_operands,
    register_numbers,
)

_IF_THEN = re.compile("it[te]{0,3}$")
_IMMEDIATE = re.compile(r"#(-?)(0x[0-9a-f]+|\d+)$")
_NO_REGISTER = re.compile(r"\bd(?:1[6-9]|[23]\d)\b|\bq\d")  # of application cores only
_SHIFTABLE = (Kind.ADD, Kind.ALU)
_DOUBLE_TRANSFERS = {Kind.FP_LOAD: Kind.FP_LOAD_DOUBLE, Kind.FP_STORE: Kind.FP_STORE_DOUBLE}
_SINGLE_TRANSFERS = (Kind.LOAD, Kind.LOAD_NARROW, Kind.STORE, Kind.STORE_INDEXED)

# Data processing with a modified immediate constant, Arm DDI0403 A5.3.1: 11110 i 0 op ...
_MODIFIED_CONSTANT, _MODIFIED_MASK = 0xF000, 0xFA00


@lru_cache(maxsize=1)
def _disassembler() -> Any:
    with needs_extra("telling the time of machine code", "simulate"):
        import capstone
    mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
    return capstone.Cs(capstone.CS_ARCH_ARM, mode)


@lru_cache(maxsize=16384)
def decode_block(code: bytes, address: int, predicated: int = 0) -> Block:
    """Return the instructions that the code holds from its first to its last byte.

    Args:
        code: whole instructions.
        address: of the first, even.
        predicated: how many of them an IT before the block makes conditional.

    Raises:
        ToolError: capstone is not installed.
        UnsupportedError: some bytes are no instruction that is known here.
    """
    instructions: list[Instruction] = []
    end = address
    for place, size, name, operands in _disassembler().disasm_lite(code, address):
        raw = int.from_bytes(code[place - address : place - address + 2], "little")
        instruction = _instruction(place, size, name, operands, predicated > 0, raw)
        is_if_then = instruction.kind is Kind.IF_THEN
        predicated = len(name) - 1 if is_if_then else max(predicated - 1, 0)
        instructions.append(instruction)
        end = place + size
    if end != address + len(code) or not instructions:
        rest = code[end - address : end - address + 4]
        raise _unknown(end, f"the bytes {rest.hex(' ')}")
    return Block(address, len(code), tuple(instructions), predicated)


def _unknown(address: int, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{what} at 0x{address:08x}: no instruction whose time is known",
        help="Armv7E-M and Armv8-M Mainline code without vector extension has its time known; "
        "on a board whose file has no [memory.timing], this runs too, without time",
    )


def _instruction(
    address: int, size: int, name: str, operands: str, is_predicated: bool, raw: int
) -> Instruction:
    text = f"{name} {operands}".rstrip()
    if _IF_THEN.match(name):
        return Instruction(address, size, text, Kind.IF_THEN)
    mnemonic = parse_mnemonic(name)
    if mnemonic is None or _NO_REGISTER.search(operands):
        raise _unknown(address, f"'{text}'")
    is_constant_shifted = size == 4 and _is_shifted_constant(raw, operands)
    kind = _kind(mnemonic, name, operands, is_constant_shifted)
    parts = parse_operands(mnemonic, kind, operands)
    if parts.is_shifted and kind in _SHIFTABLE:
        kind = Kind.ALU_SHIFTED
    elif parts.is_indexed and kind is Kind.STORE:
        kind = Kind.STORE_INDEXED
    reads = parts.reads
    if is_predicated or mnemonic.form.reads_flags or mnemonic.condition:
        reads = (*reads, (Role.BRANCH if kind is Kind.BRANCH else Role.LATE, FLAGS))
    return Instruction(
        address=address,
        size_bytes=size,
        text=text,
        kind=kind,
        reads=tuple(r for r in reads if r[1] != PC),
        writes=tuple(w for w in parts.writes if w != PC),
        updates=parts.updates,
        access_bytes=_access_bytes(mnemonic, kind, parts),
        is_predicated=is_predicated,
        branch=_branch(mnemonic, kind, parts, is_predicated),
    )


def _kind(mnemonic: Mnemonic, name: str, operands: str, is_constant_shifted: bool) -> Kind:
    kind = mnemonic.form.kind
    if mnemonic.name == "vmov":
        return _move_kind(operands)
    if ".f64" in name:
        return DOUBLE.get(kind, kind)
    if kind in _DOUBLE_TRANSFERS and operands.startswith("d"):
        return _DOUBLE_TRANSFERS[kind]
    return Kind.ALU_CONSTANT if is_constant_shifted and kind in _SHIFTABLE else kind


def _move_kind(operands: str) -> Kind:
    if "#" in operands:
        return Kind.FP_CONSTANT
    registers = [register_numbers(name)[0] for name in REGISTER.findall(operands)]
    if all(register >= FP_BASE for register in registers):
        return Kind.FP_MOVE
    return Kind.FP_FROM_CORE if registers[0] >= FP_BASE else Kind.FP_TO_CORE


def _is_shifted_constant(raw: int, operands: str) -> bool:
    """Whether a wide instruction's constant is eight bits shifted: no byte, no pattern of bytes."""
    immediate = _IMMEDIATE.search(operands)
    if raw & _MODIFIED_MASK != _MODIFIED_CONSTANT or immediate is None:
        return False
    value = int(immediate[2], 0) & 0xFFFFFFFF
    if value < 0x100:
        return False
    low, high = value & 0xFF, value >> 8 & 0xFF
    patterns = (low * 0x00010001, high * 0x01000100, low * 0x01010101)
    return value not in patterns


def _access_bytes(mnemonic: Mnemonic, kind: Kind, parts: Operands) -> tuple[int, ...]:
    """Return the sizes of the accesses, one for each register of a pair or list.

    So Unicorn 2.1.3 reports them: a double-precision register is one access of 8 bytes.
    """
    size = mnemonic.form.access_bytes
    if size == 0 or kind is Kind.TABLE_BRANCH:
        return (size,) if size else ()
    if kind in _SINGLE_TRANSFERS:
        return (size,)
    return tuple(size * len(register_numbers(name)) for name in parts.transferred)


def _branch(mnemonic: Mnemonic, kind: Kind, parts: Operands, is_predicated: bool) -> BranchKind:
    writes_pc = "pc" in parts.transferred[: 1 if kind is not Kind.LOAD_MULTIPLE else None]
    is_load = kind in (Kind.LOAD, Kind.LOAD_MULTIPLE)
    is_move = kind in (Kind.ADD, Kind.ALU, Kind.ALU_SHIFTED) and mnemonic.name not in COMPARES
    if kind is Kind.TABLE_BRANCH:
        return BranchKind.INDIRECT
    if kind is not Kind.BRANCH and not (writes_pc and (is_load or is_move)):
        return BranchKind.NONE
    if is_predicated or mnemonic.condition or mnemonic.name in ("cbz", "cbnz"):
        return BranchKind.CONDITIONAL
    if mnemonic.name in ("b", "bl"):
        return BranchKind.DIRECT
    is_return = "lr" in parts.transferred or (is_load and SP in parts.updates)
    return BranchKind.RETURN if is_return else BranchKind.INDIRECT
