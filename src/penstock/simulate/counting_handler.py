"""What the core executes between commands in QEMU: exceptions that count, as Thumb instructions.

The harness stops at an SVC. Its handler reads SysTick, waits for the debugger, begins the count
anew and returns to the harness. SysTick's own exception counts how often it wraps.
"""

import struct
from dataclasses import dataclass

SVC_0 = b"\x00\xdf"
SVC_VECTOR, SYSTICK_VECTOR = 11, 15
TICKS = 1 << 24
"""From one wrap to the next."""

_SYSTICK, _ICSR = 0xE000E010, 0xE000ED04
_CLEAR_PENDING_SYSTICK = 1 << 25
_WORDS = "words"
_CODE: tuple[tuple[str, str, int | str], ...] = (
    # label, "" or "ldr rN" or "b" or "bne", an instruction, a literal or a label
    ("setup", "ldr r3", _SYSTICK),
    ("", "ldr r2", _WORDS),
    ("", "ldr r1", TICKS - 1),
    ("", "", 0x6059),  # str r1, [r3, #4]: where it begins after a wrap
    ("", "", 0x2107),  # movs r1, #7
    ("", "", 0x6019),  # str r1, [r3]: on, by the core's clock, with an exception
    ("setup_done", "", 0xBF00),  # nop
    ("loop_of_r1", "", 0x6099),  # str r1, [r3, #8]: whatever is written there, it begins anew
    ("again", "", 0x3901),  # subs r1, #1
    ("", "bne", "again"),
    ("", "b", "read"),
    ("svc", "ldr r3", _SYSTICK),
    ("", "ldr r2", _WORDS),
    ("read", "", 0x6899),  # ldr r1, [r3, #8]
    ("", "", 0x6011),  # str r1, [r2]
    ("wait", "", 0xBF00),  # nop
    ("go_on", "", 0x2100),  # movs r1, #0
    ("", "", 0x6051),  # str r1, [r2, #4]
    ("", "ldr r0", _ICSR),
    ("", "ldr r1", _CLEAR_PENDING_SYSTICK),
    ("", "", 0x6001),  # str r1, [r0]: a wrap while it waited
    ("", "", 0x6099),  # str r1, [r3, #8]
    ("", "", 0x4770),  # bx lr
    ("wrap", "ldr r2", _WORDS),
    ("", "", 0x6851),  # ldr r1, [r2, #4]
    ("", "", 0x3101),  # adds r1, #1
    ("", "", 0x6051),  # str r1, [r2, #4]
    ("", "", 0x4770),  # bx lr
)
_LITERALS = tuple(dict.fromkeys(value for _, kind, value in _CODE if kind.startswith("ldr")))
_POOL_AT = -(-2 * len(_CODE) // 4) * 4
_WORDS_AT = _POOL_AT + 4 * len(_LITERALS)
SIZE_BYTES = _WORDS_AT + 8
_LABELS = {label: 2 * n for n, (label, _, _) in enumerate(_CODE) if label}


@dataclass(frozen=True, slots=True)
class CountingHandler:
    """The code at an address, a multiple of 4.

    Attributes:
        address: of the first byte.
    """

    address: int

    def at(self, label: str) -> int:
        """Return the address of an instruction."""
        return self.address + _LABELS[label]

    @property
    def value_at(self) -> int:
        """Address of the word that says where the counter was when a command ended."""
        return self.address + _WORDS_AT

    @property
    def wraps_at(self) -> int:
        """Address of the word that says how often it wrapped meanwhile."""
        return self.address + _WORDS_AT + 4

    def to_bytes(self) -> bytes:
        """Return instructions, literals and two words."""
        code = b"".join(
            struct.pack("<H", _encode(2 * n, kind, value))
            for n, (_, kind, value) in enumerate(_CODE)
        )
        literals = [self.value_at if value == _WORDS else value for value in _LITERALS]
        pool = struct.pack(f"<{len(literals)}I", *literals)
        return code.ljust(_POOL_AT, b"\0") + pool + bytes(8)


def _encode(position: int, kind: str, value: int | str) -> int:
    """Return an instruction (Arm DDI0403, A7.7: B T1 and T2, LDR (literal) T1)."""
    if kind.startswith("ldr"):
        target = _POOL_AT + 4 * _LITERALS.index(value)
        return 0x4800 | int(kind[-1]) << 8 | (target - (position + 4 & ~3)) // 4
    if kind:
        assert isinstance(value, str)
        distance = (_LABELS[value] - position - 4) // 2
        return 0xE000 | distance & 0x7FF if kind == "b" else 0xD100 | distance & 0xFF
    assert isinstance(value, int)
    return value
