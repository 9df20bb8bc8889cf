"""Loops in assembly for the tests of this folder; r0 is the number of turns, label 1 the start."""

from functools import cache

from tests.simulate.pipeline.assembly import assemble_all

_AGAIN = "subs r0, r0, #1; bne 1b; bx lr"
READ = f"ldr r3, [r1]; add r1, r1, r2; {_AGAIN}"
"""Reads words at r1, r1 + r2, …"""
WRITE = f"str r3, [r1]; add r1, r1, r2; {_AGAIN}"
WRITE_ONE_WORD = f"str r3, [r1]; {_AGAIN}"
WRITE_BYTES = "strb r3, [r1], #1; " * 8 + _AGAIN
WRITE_8_WORDS = {offset: f"str.w r2, [r1, #{offset}]; " * 8 + _AGAIN for offset in (0, 1)}
WRITE_ONCE = {n: "str r3, [r1]; " * n + "bx lr" for n in (5, 6, 8)}
LOAD_PAIR = {n: f"ldr r2, [r1]; ldr r3, [r1, #{n}]; {_AGAIN}" for n in (4, 8, 12)}
LOAD = {
    (width, offset): f"{width}.w r2, [r1, #{offset}]; nop; nop; {_AGAIN}"
    for width in ("ldr", "ldrh", "ldrb")
    for offset in (0, 1, 2, 3)
}
READ_TWO_PLACES = f"ldr r3, [r1]; ldr r4, [r2]; {_AGAIN}"
BRANCH_ALTERNATES = f"eors r1, r1, #1; beq 2f; nop; 2: {_AGAIN}"
BRANCH_ALTERNATES_EARLY = f"eors r1, r1, #1; {'mov r2, r3; ' * 8} beq 2f; nop; 2: {_AGAIN}"
BRANCH_NEVER_TAKEN = f"movs r1, #1; beq 2f; nop; 2: {_AGAIN}"
JUMP_TO_TWO_PLACES = (
    "eor r1, r1, #4; adr.w r3, 4f; add r3, r3, r1; adds r3, #1; bx r3; .align 2; "
    f"4: b.n 3f; nop; b.n 3f; nop; 3: {_AGAIN}"
)
NARROW_CODE = "nop; " * 4096 + "bx lr"
WIDE_CODE = "nop.w; " * 2048 + "bx lr"
LONG_LOOP = {
    kib: f".rept {kib * 256 - 3}; mov.w r1, r2; .endr; subs r0, r0, #1; beq.w 2f; b.w 1b; 2: bx lr"
    for kib in (8, 20)
}
COUNT_CYCLES = (
    "ldr r5, [r1]; b.n 2f; 2: subs r0, r0, #1; bne 2b; ldr r6, [r1]; subs r0, r6, r5; bx lr"
)
"""Returns the difference of the counter at r1 over a loop."""
SET_MPU = "str r1, [r0, #8]; str r2, [r0, #12]; movs r1, #5; str r1, [r0]; dsb; isb; bx lr"
"""r0 is the address of MPU_CTRL; r1 goes to MPU_RBAR, r2 to MPU_RASR."""
POKE = "str r1, [r0]; dsb; isb; bx lr"
"""Writes r1 to the register at r0."""


@cache
def assemble(text: str) -> bytes:
    """Return the machine code of one of the texts; all are assembled at once."""
    tables = [v for v in globals().values() if isinstance(v, dict)]
    texts = [v for v in globals().values() if isinstance(v, str) and v.endswith("bx lr")]
    texts += [t for table in tables for t in table.values() if isinstance(t, str)]
    return _assemble_all(tuple(t for t in texts if t.endswith("bx lr")))[text]


@cache
def _assemble_all(texts: tuple[str, ...]) -> dict[str, bytes]:
    return assemble_all(texts)
