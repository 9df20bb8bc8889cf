"""The operands of an instruction, from its text: which registers it reads, and what for."""

import re
from dataclasses import dataclass

from penstock.simulate.pipeline.instruction import (
    FLAGS,
    FP_BASE,
    FP_FLAGS,
    LANE_FLAGS,
    LR,
    PC,
    SP,
    Kind,
    Role,
)
from penstock.simulate.pipeline.mnemonics import READ_WRITES, ROLES, WRITES, Mnemonic

Reads = tuple[tuple[Role, int], ...]

_ALIASES = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": SP, "lr": LR, "pc": PC}
REGISTER = re.compile(r"\b(?:[rsd]\d+|sb|sl|fp|ip|sp|lr|pc)\b")
_MEMORY = re.compile(r"\[([^\]]*)\](!?)(.*)")
_SHIFT = re.compile(r", (?:(?:lsl|lsr|asr|ror) #?\w+|rrx)$")
_STACK = ("push", "pop", "vpush", "vpop")
COMPARES = ("cmp", "cmn", "tst", "teq")
_LANE_FLAG_SETTERS = re.compile(r"[su](?:add8|add16|sub8|sub16|asx|sax)$")


@dataclass(frozen=True, slots=True)
class Operands:
    """What an instruction does to registers.

    Attributes:
        reads: with the role of each.
        writes: registers that get a result.
        updates: registers that get an address.
        transferred: registers loaded or stored, as the text names them.
        is_shifted: the last operand is a register that passes a shifter.
        is_indexed: the address is the sum of two registers.
    """

    reads: Reads
    writes: tuple[int, ...]
    updates: tuple[int, ...]
    transferred: tuple[str, ...]
    is_shifted: bool
    is_indexed: bool


def register_numbers(name: str) -> tuple[int, ...]:
    """Return the registers that a name stands for: two for d0 to d15."""
    if name in _ALIASES:
        return (_ALIASES[name],)
    number = int(name[1:])
    if name[0] == "r":
        return (number,)
    if name[0] == "s":
        return (FP_BASE + number,)
    return (FP_BASE + 2 * number, FP_BASE + 2 * number + 1)


def parse_operands(mnemonic: Mnemonic, kind: Kind, text: str) -> Operands:
    """Return what the operands of an instruction with that mnemonic do."""
    memory = _MEMORY.search(text) if mnemonic.form.kind is not Kind.FP_MOVE else None
    outside = text[: memory.start()] if memory else text
    names = tuple(REGISTER.findall(outside))
    address: tuple[int, ...] = ()
    updates: tuple[int, ...] = ()
    if memory:
        inner = REGISTER.findall(memory[1])
        address = tuple(n for name in inner for n in register_numbers(name))
        updates = address[:1] if memory[2] or memory[3].startswith(",") else ()
    elif "{" in text:
        base = SP if mnemonic.name in _STACK else register_numbers(names[0])[0]
        names = names if mnemonic.name in _STACK else names[1:]
        address = (base,)
        updates = address if "!" in text or mnemonic.name in _STACK else ()
    # A rotated extension needs its operand no earlier than another extension.
    is_shifted = memory is None and kind is not Kind.EXTEND and bool(_SHIFT.search(text))
    letters = _letters(mnemonic, kind, names, text)
    reads, writes = _assign(letters, names, is_shifted)
    extra_reads, extra_writes = _implicit(mnemonic, kind, text)
    return Operands(
        reads=(*((Role.ADDRESS, n) for n in address), *reads, *extra_reads),
        writes=(*writes, *extra_writes),
        updates=updates,
        transferred=names,
        is_shifted=is_shifted,
        is_indexed=len(address) > 1,
    )


def _letters(mnemonic: Mnemonic, kind: Kind, names: tuple[str, ...], text: str) -> str:
    """Return the letter of each register; the form's last one repeats."""
    letters = mnemonic.form.operands
    if kind is Kind.FP_FROM_CORE and mnemonic.name == "vmov":
        return "".join("r" if register_numbers(n)[0] < FP_BASE else "d" for n in names)
    if kind is Kind.FP_TO_CORE and mnemonic.name == "vmov":
        return "".join("d" if register_numbers(n)[0] < FP_BASE else "C" for n in names)
    if letters == "drr" and len(_SHIFT.sub("", text).split(",")) == 2:
        letters = "wr"
    return (letters + letters[-1:] * len(names))[: len(names)]


def _assign(letters: str, names: tuple[str, ...], is_shifted: bool) -> tuple[Reads, list[int]]:
    reads: list[tuple[Role, int]] = []
    writes: list[int] = []
    for position, (letter, name) in enumerate(zip(letters, names, strict=False)):
        numbers = register_numbers(name)
        if letter in WRITES:
            writes += numbers
        role = READ_WRITES.get(letter, ROLES.get(letter))
        if role is not None:
            is_last = position == len(names) - 1
            if is_shifted and is_last and role is Role.LATE:
                role = Role.EARLY
            reads += [(role, n) for n in numbers]
    return tuple(reads), writes


def _implicit(mnemonic: Mnemonic, kind: Kind, text: str) -> tuple[Reads, tuple[int, ...]]:
    """Return what the text does not name: flags and the link register."""
    name = mnemonic.name
    if name in ("bl", "blx", "blxns"):
        return (), (LR,)
    if name in ("vcmp", "vcmpe"):
        return (), (FP_FLAGS,)
    if name == "vmrs":
        return ((Role.FP_TO_CORE, FP_FLAGS),), ((FLAGS,) if "apsr" in text else ())
    if name == "sel":
        return ((Role.LATE, LANE_FLAGS),), ()
    if kind is Kind.LANES and _LANE_FLAG_SETTERS.match(name):
        return (), (LANE_FLAGS,)
    if mnemonic.sets_flags or name in COMPARES or (name == "msr" and "apsr" in text):
        return (), (FLAGS,)
    return (), ()
