"""Basic blocks → the addresses that they access, as functions of the registers before them.

The emulator is several times faster where nobody watches its accesses. Most need not be watched:
an address that follows from registers, constants and words in memory is known before the block
runs. What is derived here is a small program that native/addresses.c evaluates. A block for which
there is none is watched as before.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from penstock.simulate.pipeline.instruction import FP_BASE, LR, PC, Block, Instruction, Kind
from penstock.simulate.pipeline.mnemonics import parse_mnemonic
from penstock.simulate.pipeline.operands import register_numbers

ZERO = PC
"""Number of the value 0: the program counter is a constant in each place."""
FIRST_TEMPORARY = 16
VALUES_MAX = 64
"""Registers and temporaries; ``PS_VALUES_MAX`` of native/addresses.h."""

_WORD_MASK = 0xFFFF_FFFF
_ADDRESS = re.compile(r"\[([^\]]*)\](!?)(?:, (.*))?")
_SHIFT = re.compile(r"(lsl|lsr|asr) #(\w+)$")
_DESCENDING = ("push", "vpush", "stmdb", "vstmdb", "ldmdb", "vldmdb")
_WORD_BYTES = 4
_ALIGNED = (
    Kind.LOAD_PAIR,
    Kind.LOAD_MULTIPLE,
    Kind.STORE_PAIR,
    Kind.STORE_MULTIPLE,
    Kind.FP_LOAD,
    Kind.FP_STORE,
    Kind.FP_LOAD_DOUBLE,
    Kind.FP_STORE_DOUBLE,
    Kind.FP_LOAD_MULTIPLE,
    Kind.FP_STORE_MULTIPLE,
)
"""What faults at addresses that are no multiple of four: ARMv7-M ARM (DDI0403), A3.2.1."""
_LOADS = (Kind.LOAD, Kind.LOAD_NARROW, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE)
STORES = (
    Kind.STORE,
    Kind.STORE_INDEXED,
    Kind.STORE_PAIR,
    Kind.STORE_MULTIPLE,
    Kind.FP_STORE,
    Kind.FP_STORE_DOUBLE,
    Kind.FP_STORE_MULTIPLE,
)


class Code(IntEnum):
    """What a step does; ``ps_address_code`` of native/addresses.h.

    ``first`` is ``values[a]``, ``second`` is ``(values[b] << shift) + constant``.
    """

    READ = 0  # an access at first + second
    WRITE = 1
    LOAD = 2  # the unsigned value there
    LOAD_SIGNED = 3
    ADD = 4
    SUBTRACT = 5  # first - (values[b] << shift) + constant
    AND = 6
    OR = 7
    EXCLUSIVE_OR = 8
    CLEAR = 9  # first & ~second
    MULTIPLY = 10
    SHIFT_RIGHT = 11  # first >> constant
    SHIFT_RIGHT_SIGNED = 12
    EXTRACT = 13  # `size` bits of first from bit `shift`
    EXTRACT_SIGNED = 14
    PRELOAD = 15  # a hint at first + second, before access `size` of the block


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program; the fields that a code does not name are 0."""

    code: Code
    target: int = ZERO
    a: int = ZERO
    b: int = ZERO
    shift: int = 0
    size: int = 0
    alignment: int = 0
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """What a register holds: ``values[base] + constant``."""

    base: int
    constant: int = 0

    def plus(self, offset: int) -> "Value":
        """Return the value that is so much larger."""
        return replace(self, constant=(self.constant + offset) & _WORD_MASK)


class UnwatchableError(Exception):
    """The block has accesses whose addresses do not follow from what is known before it."""


def derive_addresses(block: Block) -> tuple[Step, ...] | None:
    """Return the steps that give a block's accesses in order; None if it has to be watched."""
    derivation = Derivation()
    try:
        for instruction in block.instructions:
            derivation.follow(instruction)
    except UnwatchableError:
        return None
    return needed(derivation.steps)


def needed(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Drop steps whose result is not part of any address."""
    needed: set[int] = set()
    kept: list[Step] = []
    for step in reversed(steps):
        if step.code in (Code.READ, Code.WRITE, Code.PRELOAD) or step.target in needed:
            needed |= {step.a, step.b}
            kept.append(step)
    return tuple(reversed(kept))


class Derivation:
    """Follows a block; knows what each register holds, or that it does not."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._registers: dict[int, Value] = {n: Value(n) for n in range(LR + 1)}
        self._values = FIRST_TEMPORARY

    def follow(self, instruction: Instruction) -> None:
        """Add what one instruction accesses, and what it leaves in registers."""
        name, _, text = instruction.text.partition(" ")
        mnemonic = parse_mnemonic(name)
        result: Value | None = None
        if instruction.access_bytes:
            if mnemonic is None or instruction.is_predicated:
                raise UnwatchableError
            self._access(instruction, mnemonic.name, text)
            return
        if instruction.kind is Kind.SYSTEM:
            raise UnwatchableError
        if mnemonic is not None and not instruction.is_predicated and not mnemonic.condition:
            result = self._compute(instruction, mnemonic.name, _split(text))
        self.forget(instruction)
        if result is not None:
            self._registers[instruction.writes[0]] = result

    def forget(self, instruction: Instruction) -> None:
        """Know nothing of what an instruction has changed."""
        for register in (*instruction.writes, *instruction.updates):
            self._registers.pop(register, None)

    def know(self, register: int, value: Value) -> None:
        """Know what a register holds."""
        self._registers[register] = value

    def _access(self, instruction: Instruction, name: str, text: str) -> None:
        is_store = instruction.kind in STORES
        if "ex" in name or name.endswith("t"):  # exclusive and unprivileged accesses may not happen
            raise UnwatchableError
        step, updated = self.first_access(instruction, name, text)
        code = Code.WRITE if is_store else Code.READ
        mask = _WORD_BYTES - 1 if instruction.kind in _ALIGNED else 0
        offset = 0
        for size in instruction.access_bytes:
            constant = (step.constant + offset) & _WORD_MASK
            access = replace(step, code=code, size=size, alignment=mask, constant=constant)
            self.steps.append(access)
            offset += size
        values = self.loaded(instruction, name, step)
        self.forget(instruction)
        if updated is not None:
            self._registers[instruction.updates[0]] = updated
        self._registers.update(values)

    def loaded(self, instruction: Instruction, name: str, step: Step) -> dict[int, Value]:
        """Return what core registers hold behind a load whose first access a step has."""
        if instruction.kind not in _LOADS:
            return {}
        code = Code.LOAD_SIGNED if "rs" in name else Code.LOAD
        registers = [n for n in instruction.writes if n < FP_BASE]
        values: dict[int, Value] = {}
        for register, size in zip(registers, instruction.access_bytes, strict=False):
            values[register] = self._add_step(replace(step, code=code, size=size))
            step = replace(step, constant=(step.constant + size) & _WORD_MASK)
        return values

    def first_access(
        self, instruction: Instruction, name: str, text: str
    ) -> tuple[Step, Value | None]:
        """Return the step of the first access, and what the base register holds afterwards."""
        memory = _ADDRESS.search(text)
        if memory is None:
            return self._list_access(instruction, name, text)
        parts = _split(memory[1])
        base = self._pc(instruction) if parts[0] == "pc" else self._register(parts[0])
        step = self._address(base, parts[1:])
        if not instruction.updates:
            return step, None
        if memory[3] is None:
            if step.b != ZERO:
                raise UnwatchableError
            return step, Value(step.a, step.constant)
        if not memory[3].startswith("#"):
            raise UnwatchableError
        return step, base.plus(_number(memory[3]))

    def _list_access(
        self, instruction: Instruction, name: str, text: str
    ) -> tuple[Step, Value | None]:
        base_name = "sp" if "push" in name or "pop" in name else text.split(",")[0].rstrip("!")
        base = self._register(base_name)
        size = sum(instruction.access_bytes)
        start = base.plus(-size) if name in _DESCENDING else base
        end = start if name in _DESCENDING else base.plus(size)
        updated = end if instruction.updates else None
        return Step(Code.READ, a=start.base, constant=start.constant), updated

    def _pc(self, instruction: Instruction) -> Value:
        """Literals count from an aligned program counter, tables of branches from it as it is."""
        pc = instruction.address + 4
        return Value(ZERO, pc if instruction.kind is Kind.TABLE_BRANCH else pc & ~3)

    def _address(self, base: Value, rest: Sequence[str]) -> Step:
        if not rest:
            return Step(Code.READ, a=base.base, constant=base.constant)
        if rest[0].startswith("#"):
            value = base.plus(_number(rest[0]))
            return Step(Code.READ, a=value.base, constant=value.constant)
        index = self._register(rest[0])
        shift = _left_shift(rest[1:])
        constant = (base.constant + (index.constant << shift)) & _WORD_MASK
        return Step(Code.READ, a=base.base, b=index.base, shift=shift, constant=constant)

    def _register(self, name: str) -> Value:
        (number,) = register_numbers(name)
        value = self._registers.get(number)
        if value is None:
            raise UnwatchableError
        return value

    def _add_step(self, step: Step) -> Value:
        if self._values == VALUES_MAX:
            raise UnwatchableError
        self.steps.append(replace(step, target=self._values))
        self._values += 1
        return Value(self._values - 1)

    def _plain(self, value: Value) -> int:
        """Return the number of a value, which then has no constant."""
        if value.constant == 0:
            return value.base
        return self._add_step(Step(Code.ADD, a=value.base, constant=value.constant)).base

    def _compute(
        self, instruction: Instruction, name: str, operands: Sequence[str]
    ) -> Value | None:
        """Return what arithmetic leaves in its only target; None for what is not followed."""
        if name == "adr":
            return self._pc(instruction).plus(_number(operands[1]))
        compute = _ARITHMETIC.get(name)
        targets = [n for n in instruction.writes if n <= LR]
        if compute is None or len(targets) != 1 or instruction.writes[0] != targets[0]:
            return None
        if "pc" in operands[1:]:
            return None
        try:
            return compute(self, operands)
        except UnwatchableError:  # an operand is unknown: so is the result
            return None

    def _second(self, operands: Sequence[str]) -> tuple[int, int, int]:
        """Return number, shift and constant of a flexible second operand."""
        if operands[0].startswith("#"):
            return ZERO, 0, _number(operands[0]) & _WORD_MASK
        value = self._register(operands[0])
        match = _SHIFT.match(operands[1]) if len(operands) > 1 else None
        if len(operands) > 1 and match is None:
            raise UnwatchableError
        if match is None or match[1] == "lsl":
            shift = 0 if match is None else int(match[2], 0)
            return value.base, shift, (value.constant << shift) & _WORD_MASK
        code = Code.SHIFT_RIGHT if match[1] == "lsr" else Code.SHIFT_RIGHT_SIGNED
        shifted = Step(code, a=self._plain(value), constant=int(match[2], 0))
        return self._add_step(shifted).base, 0, 0

    def _binary(self, code: Code, operands: Sequence[str]) -> Value:
        """Two operands and perhaps a target before them."""
        is_short = len(operands) == 2 or (len(operands) == 3 and _SHIFT.match(operands[2]))
        rest = operands[1:] if is_short else operands[2:]
        first = self._register(operands[0] if is_short else operands[1])
        b, shift, constant = self._second(rest)
        if code is Code.ADD and b == ZERO:
            return first.plus(constant)
        if code is Code.ADD:
            total = (first.constant + constant) & _WORD_MASK
            return self._add_step(Step(code, a=first.base, b=b, shift=shift, constant=total))
        if code is Code.SUBTRACT:
            total = (first.constant - constant) & _WORD_MASK
            if b == ZERO:
                return first.plus(-constant)
            return self._add_step(Step(code, a=first.base, b=b, shift=shift, constant=total))
        a = self._plain(first)
        return self._add_step(Step(code, a=a, b=b, shift=shift, constant=constant))

    def _move(self, operands: Sequence[str]) -> Value:
        b, shift, constant = self._second(operands[1:])
        if b == ZERO or shift == 0:
            return Value(b, constant)
        return self._add_step(Step(Code.ADD, b=b, shift=shift, constant=constant))

    def _reverse_subtract(self, operands: Sequence[str]) -> Value:
        minuend = _number(operands[-1]) if operands[-1].startswith("#") else None
        if minuend is None:
            raise UnwatchableError
        value = self._register(operands[-2])
        constant = (minuend - value.constant) & _WORD_MASK
        return self._add_step(Step(Code.SUBTRACT, b=value.base, constant=constant))

    def _shift(self, code: Code | None, operands: Sequence[str]) -> Value:
        """A left shift has no code of its own: any second operand is shifted."""
        if not operands[-1].startswith("#"):
            raise UnwatchableError
        value, count = self._register(operands[-2]), _number(operands[-1])
        if code is not None:
            return self._add_step(Step(code, a=self._plain(value), constant=count))
        constant = (value.constant << count) & _WORD_MASK
        return self._add_step(Step(Code.ADD, b=value.base, shift=count, constant=constant))

    def _extract(self, code: Code, operands: Sequence[str], width: int = 0) -> Value:
        a = self._plain(self._register(operands[1]))
        if width:
            if len(operands) != 2:
                raise UnwatchableError
            return self._add_step(Step(code, a=a, size=width))
        low, size = _number(operands[2]), _number(operands[3])
        return self._add_step(Step(code, a=a, shift=low, size=size))

    def _multiply(self, operands: Sequence[str], accumulate: Code | None = None) -> Value:
        factors = operands[:2] if len(operands) == 2 else operands[1:3]
        a, b = (self._register(name) for name in factors)
        product = self._add_step(
            Step(Code.MULTIPLY, a=self._plain(a), b=self._plain(b)),
        )
        if accumulate is None:
            return product
        addend = self._register(operands[3])
        return self._add_step(
            Step(accumulate, a=addend.base, b=product.base, constant=addend.constant)
        )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _number(text: str) -> int:
    return int(text.removeprefix("#"), 0)


def _left_shift(operands: Sequence[str]) -> int:
    if not operands:
        return 0
    match = _SHIFT.match(operands[0])
    if match is None or match[1] != "lsl":
        raise UnwatchableError
    return int(match[2], 0)


_Compute = Callable[[Derivation, Sequence[str]], Value]


def _binary(code: Code) -> _Compute:
    return lambda derivation, operands: derivation._binary(code, operands)


def _extract(code: Code, width: int = 0) -> _Compute:
    return lambda derivation, operands: derivation._extract(code, operands, width)


_ARITHMETIC: dict[str, _Compute] = {
    "add": _binary(Code.ADD),
    "addw": _binary(Code.ADD),
    "sub": _binary(Code.SUBTRACT),
    "subw": _binary(Code.SUBTRACT),
    "and": _binary(Code.AND),
    "orr": _binary(Code.OR),
    "eor": _binary(Code.EXCLUSIVE_OR),
    "bic": _binary(Code.CLEAR),
    "mov": lambda derivation, operands: derivation._move(operands),
    "movw": lambda derivation, operands: derivation._move(operands),
    "rsb": lambda derivation, operands: derivation._reverse_subtract(operands),
    "lsl": lambda derivation, operands: derivation._shift(None, operands),
    "lsr": lambda derivation, operands: derivation._shift(Code.SHIFT_RIGHT, operands),
    "asr": lambda derivation, operands: derivation._shift(Code.SHIFT_RIGHT_SIGNED, operands),
    "ubfx": _extract(Code.EXTRACT),
    "sbfx": _extract(Code.EXTRACT_SIGNED),
    "uxtb": _extract(Code.EXTRACT, 8),
    "uxth": _extract(Code.EXTRACT, 16),
    "sxtb": _extract(Code.EXTRACT_SIGNED, 8),
    "sxth": _extract(Code.EXTRACT_SIGNED, 16),
    "mul": lambda derivation, operands: derivation._multiply(operands),
    "mla": lambda derivation, operands: derivation._multiply(operands, Code.ADD),
    "mls": lambda derivation, operands: derivation._multiply(operands, Code.SUBTRACT),
}
"""What is followed; the rest leaves its targets unknown."""
