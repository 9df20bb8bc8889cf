"""What is known about the time of instruction sequences: the facts that the tables must reproduce.

Each is a sequence that repeats, the cycles of one repetition, and who says so. Sequences that end
with a branch are loops; the others go on without end. Sources: JNK are the measurements in
jnk0le/random (pipeline cycle test/doc), TRM Arm's technical reference manuals, RULES follows from
several of these by hand.
"""

from typing import NamedTuple


class Fact(NamedTuple):
    core: str
    source: str
    text: str
    cycles: float


LOADS_4 = "ldr r0, [r8]; ldr r1, [r8, #4]; ldr r2, [r8, #8]; ldr r3, [r8, #12]"
DOT_PRODUCT = (
    "ldr r0, [r1, #4]!; ldr r2, [r3, #4]!; cmp r1, r8; sxtb16 r4, r0; sxtb16 r5, r2;"
    "sxtb16 r0, r0, ror #8; sxtb16 r2, r2, ror #8; smlad r6, r4, r5, r6; smlad r6, r0, r2, r6;"
    "bne 1b"
)
CHAINS_3 = "vfma.f32 s0, s8, s9; vfma.f32 s1, s8, s9; vfma.f32 s2, s8, s9"


def _facts(core: str, *rows: tuple[str, str, float]) -> list[Fact]:
    return [Fact(core, source, text, cycles) for source, text, cycles in rows]


M4 = _facts(
    "cortex-m4",
    ("TRM: arithmetic 1", "add r0, r0, r1", 1),
    ("TRM: a shifted operand costs nothing", "eor r0, r0, r1, ror #3", 1),
    ("TRM: MUL 1", "mul r0, r0, r1", 1),
    ("TRM: SMLAD 1, chained too", "smlad r0, r1, r2, r0", 1),
    ("TRM: UMULL 1", "umull r0, r1, r2, r3", 1),
    ("TRM: SMLALD 1", "smlald r0, r1, r2, r3", 1),
    ("TRM: SXTB16, SSAT 1", "sxtb16 r0, r1; ssat r2, #8, r3", 2),
    ("TRM: SDIV 2 to 12, here the middle", "sdiv r0, r1, r2", 7),
    ("JNK: 4 loads in a row take 4 + 1", f"{LOADS_4}; mov r4, r5", 6),
    ("TRM: one load 2", "ldr r0, [r1]; add r2, r2, r3", 3),
    ("TRM: LDRD 1 + N", "ldrd r0, r1, [r2]", 3),
    ("TRM: STRD 1 + N", "strd r0, r1, [r2]", 3),
    ("TRM: LDM 1 + N", "ldm r8, {r0-r3}", 5),
    ("TRM: STM 1 + N", "stm r8, {r0-r3}", 5),
    ("JNK: a store with immediate offset takes 1", "str r0, [r1]", 1),
    ("JNK: a store with register offset takes 2", "str r0, [r1, r2]", 2),
    ("JNK: a store hides a load's second cycle; a load waits", "ldr r0, [r8]; str r1, [r9]", 3),
    ("JNK: a load waits for the store before", "str r0, [r1]; ldr r2, [r3]; mov r4, r5", 5),
    ("JNK: an address is needed a cycle early", "add r1, r1, #4; ldr r0, [r1]", 4),
    ("JNK: post-indexed loads of one base", "ldr r0, [r1], #4; ldr r2, [r1], #4", 4),
    ("JNK: post-indexed loads of two bases", "ldr r0, [r1], #4; ldr r2, [r3], #4", 2),
    ("TRM: a taken branch 1 + P, P = 2", "subs r0, #1; bne 1b", 4),
    ("TRM: BX, B 1 + P", "b 1b", 3),
    ("TRM: TBB 2 + P", "tbb [pc, r0]", 4),
    ("TRM: IT folds into a 16-bit instruction", "cmp r0, r1; it eq; addeq r2, r2, #1", 2),
    ("TRM: IT 1 behind a 32-bit one", "cmp.w r0, r8; it eq; addeq r2, r2, #1", 3),
    ("TRM: VLDR 2", "vldr s0, [r0]", 2),
    ("TRM: VLDR of a double 3", "vldr d0, [r0]", 3),
    ("TRM: VLDM 1 + N", "vldm r0, {s0-s3}", 5),
    ("TRM: VADD 1", "vadd.f32 s0, s1, s2", 1),
    ("TRM: VADD one more for its result", "vadd.f32 s0, s0, s2", 2),
    ("TRM: VFMA 3", "vfma.f32 s0, s8, s9; vfma.f32 s1, s8, s9", 6),
    ("TRM: VMLA 3", "vmla.f32 s0, s8, s9; vmla.f32 s1, s8, s9", 6),
    ("TRM: VDIV 14", "vdiv.f32 s0, s1, s2", 14),
    ("TRM: integers go on behind a VDIV", "vdiv.f32 s0, s1, s2" + "; add r0, r0, r1" * 13, 14),
    ("RULES: 3 + 1 + 4 + 2 and the branch", DOT_PRODUCT, 13),
)

M7 = _facts(
    "cortex-m7",
    ("JNK: two adds", "add r0, r0, r8; add r1, r1, r9", 1),
    ("JNK: a chain of adds", "eor r0, r0, r1", 1),
    ("JNK: an early add serves its pair", "add.w r0, r0, r8; eor.w r1, r1, r0", 1),
    ("JNK: MOVW and MOVT pair", "movw r0, #1; movt r0, #2", 1),
    (
        "JNK: two shifted operands do not pair",
        "add.w r0, r1, r2, ror #3; add.w r3, r4, r5, ror #3",
        2,
    ),
    ("JNK: two shifted constants do not pair", "eor r0, r1, #0x1fc0; eor r2, r3, #0x1fc0", 2),
    ("JNK: pattern constants do", "eor r0, r1, #0x1b1b1b1b; eor r2, r3, #0x1b1b1b1b", 1),
    ("JNK: two shifts do", "lsr.w r0, r1, #3; lsr.w r2, r3, #3", 1),
    ("JNK: a shifted operand behind a plain one", "eor r0, r1, r2; eor r3, r4, r5, ror #3", 1),
    ("JNK: a shifted operand is needed a cycle early", "eor r0, r1, r0, ror #3", 2),
    ("JNK: DSP instructions do not pair", "sxtb16 r0, r1; uxtb r2, r3", 2),
    ("JNK: DSP first, arithmetic second", "sxtb16 r0, r1; eor r2, r3, r4", 1),
    ("JNK: DSP not as second", "eor r2, r2, r4; sxtb16 r0, r1; eor r3, r3, r4", 2),
    ("JNK: DSP and a shifted operand", "sxtab r0, r1, r2; eor r3, r4, r5, ror #3", 2),
    ("JNK: UBFX needs its source early", "eor r0, r0, r1; ubfx r0, r0, #1, #8", 3),
    ("JNK: MUL takes one more for its result", "mul r0, r0, r1", 2),
    ("JNK: MACs chain every cycle", "smlad r0, r1, r2, r0", 1),
    ("JNK: SMLAL too", "smlal r0, r1, r2, r3", 1),
    ("JNK: MACs do not pair", "smlad r0, r1, r2, r0; smlad r3, r1, r2, r3", 2),
    ("JNK: MAC and store do not pair", "smlad r0, r1, r2, r0; str r3, [r8]", 2),
    ("JNK: MAC and DSP pair", "sxtb16 r3, r4; smlad r0, r1, r2, r0", 1),
    ("JNK: MAC and arithmetic pair", "smlad r0, r1, r2, r0; add r3, r3, r4", 1),
    ("JNK: two loads", "ldr r0, [r8]; ldr r1, [r9, #4]", 1),
    ("JNK: a load to arithmetic 1", "ldr r0, [r8, r0]; eor r0, r0, r2", 3),
    ("JNK: a load to an address 2", "ldr r0, [r0]", 2),
    (
        "JNK: a load to a multiplicand 2",
        "ldr r0, [r8]; mul r1, r0, r2; eor r3, r1, r4; eor r5, r3, r4",
        5,
    ),
    ("JNK: LDRB to arithmetic 2", "ldrb r0, [r8, r0]; eor r0, r0, r1", 4),
    ("JNK: LDRB to an address 3", "ldrb r0, [r8, r0]", 3),
    ("JNK: LDRB to an accumulator 1", "ldrb r0, [r8]; mla r1, r2, r3, r0; nop; nop", 2),
    ("JNK: pre-indexed loads each cycle", "ldr r0, [r8, #4]!", 1),
    ("JNK: DSP result to an address 2", "uxtb r0, r1; ldr r1, [r8, r0]", 3),
    ("JNK: LDRD alone in 1", "ldrd r0, r1, [r8]", 1),
    ("JNK: LDM half the registers", "ldm r8, {r0-r3}", 2),
    ("JNK: LDM of 5 rounds up", "ldm r8, {r0-r4}", 3),
    ("JNK: STM half the registers", "stm r8, {r0-r5}", 3),
    ("JNK: two stores do not pair", "str r0, [r8]; str r1, [r9]", 2),
    ("JNK: load and store do", "ldr r0, [r8]; str r1, [r9]", 1),
    ("JNK: a store takes the load of its cycle", "ldr r0, [r8]; str r0, [r9]", 1),
    ("JNK: a predicted branch pairs", "subs r0, #1; bne 1b", 1),
    ("PILOT: no bubble behind it", "nop; subs r0, #1; bne 1b", 2),
    ("JNK: TBB 2", "tbb [pc, r0]", 2),
    ("LLVM: SDIV 7", "sdiv r0, r1, r2", 7),
    ("JNK: VADD alone each cycle", "vadd.f32 s0, s1, s2", 1),
    ("JNK: VADD to VADD 3", "vadd.f32 s0, s0, s1", 3),
    ("JNK: VFMA accumulates every 3", "vfma.f32 s0, s8, s9", 3),
    ("JNK: three VFMA chains fill them", CHAINS_3, 3),
    ("JNK: VFMA to VMUL 5", "vfma.f32 s0, s8, s9; vmul.f32 s0, s0, s1", 5 + 3),
    ("JNK: VMLA to a multiplicand 6", "vmla.f32 s0, s0, s9", 6),
    ("JNK: VFMA and VLDR do not pair", "vfma.f32 s0, s8, s9; vldr s3, [r0]", 3),
    ("JNK: VLDR to VFMA's accumulator 3", "vldr s0, [r0]; vfma.f32 s0, s8, s9; vstr s0, [r0]", 6),
    ("JNK: VLDR pairs", "vldr s0, [r0]; vldr s1, [r1, #4]", 1),
    ("JNK: VLDR of doubles does not", "vldr d0, [r0]; vldr d1, [r1]", 2),
    ("JNK: VDIV 16", "vdiv.f32 s0, s1, s2", 16),
    ("JNK: VSQRT 14", "vsqrt.f32 s0, s1", 14),
    ("JNK: VADD three cycles behind VFMA", "vfma.f32 s0, s8, s9; vadd.f32 s1, s2, s3", 5),
    ("JNK: VMOV to the core alone", "vmov r0, s0; vmov r1, s1", 2),
    ("RULES: two loads, compare, 3 extensions, then in pairs", DOT_PRODUCT, 7),
)

M33 = _facts(
    "cortex-m33",
    ("JNK: no two additions at once", "adds r0, r0, r1; adds r2, r2, r3", 2),
    ("JNK: a shifted operand 2", "eor r0, r0, r1, ror #3", 2),
    ("JNK: which others hide", "eor r0, r0, r1, ror #3; add r2, r2, r3", 2),
    ("JNK: MACs chain every cycle", "smlad r0, r1, r2, r0", 1),
    ("JNK: MUL 2 to its result", "mul r0, r0, r1", 2),
    ("JNK: MULS takes 2", "muls r0, r1, r0; muls r2, r1, r2", 4),
    ("JNK: extensions chain", "uxtab r0, r0, r1", 1),
    ("JNK: extensions 2 otherwise", "uxtab r0, r1, r0", 2),
    ("JNK: a load 2 to its use", "ldr r0, [r1]; add r2, r0, r2", 3),
    ("JNK: which is hidden", "ldr r0, [r1]; add r3, r3, r4; add r2, r0, r2", 3),
    ("JNK: a load 1 to an accumulator", "ldr r0, [r1]; mla r2, r3, r4, r0", 2),
    ("JNK: a load 1 to a store", "ldr r0, [r1]; str r0, [r2]", 2),
    ("JNK: loads every cycle", LOADS_4, 4),
    ("JNK: LDRD 2", "ldrd r0, r1, [r2]", 2),
    ("JNK: STRD 2", "strd r0, r1, [r2]", 2),
    ("JNK: LDM as many as registers", "ldm r8, {r0-r3}", 4),
    ("JNK: a branch behind what sets flags 2", "subs r7, #1; bne 1b", 3),
    ("JNK: behind another 1", "subs r7, #1; add r0, r1; bne 1b", 3),
    ("JNK: behind LDM 1", "subs r7, #1; ldmia r6!, {r0-r3}; bne 1b", 6),
    ("JNK: IT is free", "cmp r0, r1; it eq; addeq r2, r2, #1", 2),
    ("JNK: NOP behind a 16-bit one", "adds r0, r0, r1; nop", 1),
    ("JNK: VFMA 3 to its result", "vfma.f32 s0, s8, s9", 3),
    ("JNK: and keeps others away", CHAINS_3, 9),
    ("JNK: but not integers", "vfma.f32 s0, s8, s9; add r0, r0, r1; add r2, r2, r3", 3),
    ("JNK: VADD 2 to its result", "vadd.f32 s0, s0, s1", 2),
    ("JNK: VADD every cycle", "vadd.f32 s0, s1, s2", 1),
    ("RULES: one each, and 2 for the branch", DOT_PRODUCT, 11),
)

FACTS = [*M4, *M7, *M33]
