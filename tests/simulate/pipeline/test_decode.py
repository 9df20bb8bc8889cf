"""Machine code becomes instructions whose operands and accesses are right."""

import sys
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ToolError, UnsupportedError
from penstock.simulate.firmware import read_firmware
from penstock.simulate.pipeline import Instruction, Kind, decode, decode_block
from penstock.simulate.pipeline.instruction import FLAGS, FP_BASE, Role
from tests.simulate.pipeline.assembly import assemble_all

L, E, A, M, ACC, S = (
    Role.LATE, Role.EARLY, Role.ADDRESS, Role.MULTIPLICAND, Role.ACCUMULATOR, Role.STORE,
)  # fmt: skip
S0, S1, S2 = FP_BASE, FP_BASE + 1, FP_BASE + 2

# text: kind, reads with their roles, writes, updated base, sizes of accesses
CASES = {
    "adds r0, #1": (Kind.ADD, {(L, 0)}, {0, FLAGS}, set(), ()),
    "add.w r0, r1, r2": (Kind.ADD, {(L, 1), (L, 2)}, {0}, set(), ()),
    "add.w r0, r1, r2, asr #3": (Kind.ALU_SHIFTED, {(L, 1), (E, 2)}, {0}, set(), ()),
    "add.w r0, r1, #0x1fc0": (Kind.ALU_CONSTANT, {(L, 1)}, {0}, set(), ()),
    "add.w r0, r1, #0x12001200": (Kind.ADD, {(L, 1)}, {0}, set(), ()),
    "addw r0, r1, #0xff9": (Kind.ADD, {(L, 1)}, {0}, set(), ()),
    "movw r0, #0x1fc1": (Kind.ADD, set(), {0}, set(), ()),
    "movt r0, #3": (Kind.ALU, {(L, 0)}, {0}, set(), ()),
    "mvn r0, r1, lsl #3": (Kind.ALU_SHIFTED, {(E, 1)}, {0}, set(), ()),
    "eors r0, r1": (Kind.ALU, {(L, 0), (L, 1)}, {0, FLAGS}, set(), ()),
    "adc r0, r1, r2": (Kind.ALU, {(L, 1), (L, 2), (L, FLAGS)}, {0}, set(), ()),
    "cmp r0, r1": (Kind.ALU, {(L, 0), (L, 1)}, {FLAGS}, set(), ()),
    "tst r0, #0x1fc0": (Kind.ALU_CONSTANT, {(L, 0)}, {FLAGS}, set(), ()),
    "muls r0, r1, r0": (Kind.MULTIPLY, {(M, 0), (M, 1)}, {0, FLAGS}, set(), ()),
    "lsls r0, r1, #3": (Kind.SHIFT, {(L, 1)}, {0, FLAGS}, set(), ()),
    "lsls r0, r1": (Kind.SHIFT, {(L, 0), (L, 1)}, {0, FLAGS}, set(), ()),
    "pkhbt r0, r1, r2, lsl #16": (Kind.PACK, {(L, 1), (E, 2)}, {0}, set(), ()),
    "bfi r0, r1, #2, #3": (Kind.BITFIELD, {(L, 0), (E, 1)}, {0}, set(), ()),
    "ubfx r0, r1, #2, #3": (Kind.BITFIELD, {(E, 1)}, {0}, set(), ()),
    "sxtb16 r0, r1, ror #8": (Kind.EXTEND, {(L, 1)}, {0}, set(), ()),
    "sxtab16 r0, r1, r2": (Kind.EXTEND_ADD, {(Role.ADDEND, 1), (E, 2)}, {0}, set(), ()),
    "ssat r0, #8, r1": (Kind.LANES, {(L, 1)}, {0}, set(), ()),
    "ssat r0, #8, r1, asr #3": (Kind.LANES, {(E, 1)}, {0}, set(), ()),
    "smlad r0, r1, r2, r3": (Kind.MULTIPLY_ADD, {(M, 1), (M, 2), (ACC, 3)}, {0}, set(), ()),
    "smlal r0, r1, r2, r3": (
        Kind.MULTIPLY_ADD, {(M, 2), (M, 3), (ACC, 0), (ACC, 1)}, {0, 1}, set(), ()),
    "smull r0, r1, r2, r3": (Kind.MULTIPLY, {(M, 2), (M, 3)}, {0, 1}, set(), ()),
    "ldr r0, [r1], #4": (Kind.LOAD, {(A, 1)}, {0}, {1}, (4,)),
    "ldr r0, [r1, #4]!": (Kind.LOAD, {(A, 1)}, {0}, {1}, (4,)),
    "ldr r0, [r1, r2, lsl #2]": (Kind.LOAD, {(A, 1), (A, 2)}, {0}, set(), (4,)),
    "ldr r0, [pc, #8]": (Kind.LOAD, set(), {0}, set(), (4,)),
    "ldrsb r0, [r1]": (Kind.LOAD_NARROW, {(A, 1)}, {0}, set(), (1,)),
    "ldrh r0, [r1]": (Kind.LOAD_NARROW, {(A, 1)}, {0}, set(), (2,)),
    "ldrd r0, r1, [r2], #8": (Kind.LOAD_PAIR, {(A, 2)}, {0, 1}, {2}, (4, 4)),
    "ldm r0!, {r1-r3}": (Kind.LOAD_MULTIPLE, {(A, 0)}, {1, 2, 3}, {0}, (4, 4, 4)),
    "ldmdb r0, {r1, r10, r11}": (Kind.LOAD_MULTIPLE, {(A, 0)}, {1, 10, 11}, set(), (4, 4, 4)),
    "pop {r4, pc}": (Kind.LOAD_MULTIPLE, {(A, 13)}, {4}, {13}, (4, 4)),
    "push {r4, lr}": (Kind.STORE_MULTIPLE, {(A, 13), (S, 4), (S, 14)}, set(), {13}, (4, 4)),
    "str r0, [r1, #4]": (Kind.STORE, {(A, 1), (S, 0)}, set(), set(), (4,)),
    "strh r0, [r1, r2]": (Kind.STORE_INDEXED, {(A, 1), (A, 2), (S, 0)}, set(), set(), (2,)),
    "strd r0, r1, [r2, #8]!": (Kind.STORE_PAIR, {(A, 2), (S, 0), (S, 1)}, set(), {2}, (4, 4)),
    "strex r0, r1, [r2]": (Kind.STORE, {(A, 2), (S, 1)}, {0}, set(), (4,)),
    "pld [r0]": (Kind.PRELOAD, {(A, 0)}, set(), set(), ()),
    "bl 1b": (Kind.BRANCH, set(), {14}, set(), ()),
    "bne 1b": (Kind.BRANCH, {(Role.BRANCH, FLAGS)}, set(), set(), ()),
    "tbh [pc, r0, lsl #1]": (Kind.TABLE_BRANCH, {(A, 0)}, set(), set(), (2,)),
    "vldr d0, [r0]": (Kind.FP_LOAD_DOUBLE, {(A, 0)}, {S0, S1}, set(), (8,)),
    "vldmia r0!, {s0-s2}": (Kind.FP_LOAD_MULTIPLE, {(A, 0)}, {S0, S1, S2}, {0}, (4, 4, 4)),
    "vfma.f32 s0, s1, s2": (
        Kind.FP_FUSED,
        {(Role.FP_ACCUMULATOR, S0), (Role.FP_MULTIPLICAND, S1), (Role.FP_MULTIPLICAND, S2)},
        {S0}, set(), ()),
    "vmov s0, r1": (Kind.FP_FROM_CORE, {(L, 1)}, {S0}, set(), ()),
    "vmov r1, s0": (Kind.FP_TO_CORE, {(Role.FP_TO_CORE, S0)}, {1}, set(), ()),
    "vmov d0, r0, r1": (Kind.FP_FROM_CORE, {(L, 0), (L, 1)}, {S0, S1}, set(), ()),
    "vmov.f32 s0, #1.0": (Kind.FP_CONSTANT, set(), {S0}, set(), ()),
    "vadd.f64 d0, d0, d1": (
        Kind.DOUBLE_ADD, {(Role.FP_ADD, S0 + n) for n in range(4)}, {S0, S1}, set(), ()),
}  # fmt: skip

ACCESSES = [
    "ldr r0, [r1]", "ldr r0, [r1, #1]", "ldrb r0, [r1]", "ldrsh r0, [r1, #3]", "ldrd r2, r3, [r1]",
    "strd r2, r3, [r1]", "ldm r1, {r2-r5}", "stm r1, {r2-r5}", "push {r2-r5, lr}", "pop {r2-r5}",
    "vldr s0, [r1]", "vldr d0, [r1]", "vstr d0, [r1]", "vldm r1, {s0-s4}", "vldm r1!, {d0-d4}",
    "vpush {d8-d9}", "ldrex r0, [r1]", "pld [r1]", "strb r0, [r1, #2]!", "tbh [r1, r6, lsl #1]",
    "pop {r2, pc}", "ldr r0, [pc, #4]",
]  # fmt: skip

PREDICATED = "cmp r0, r1; ite eq; ldreq r2, [r3]; strne r2, [r3]; adds r4, r4, #1"


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    return assemble_all([*CASES, *ACCESSES, PREDICATED])


def only(code: bytes) -> Instruction:
    (instruction,) = decode_block(code, 0x1000).instructions
    return instruction


@pytest.mark.parametrize("text", CASES)
def test_operands(code: dict[str, bytes], text: str) -> None:
    found = only(code[text])
    kind, reads, writes, updates, sizes = CASES[text]
    assert found.kind is kind
    assert set(found.reads) == reads
    assert set(found.writes) == writes
    assert set(found.updates) == updates
    assert found.access_bytes == sizes


def test_predicated_instructions_wait_for_flags(code: dict[str, bytes]) -> None:
    block = decode_block(code[PREDICATED], 0)
    assert [i.is_predicated for i in block.instructions] == [False, False, True, True, False]
    assert [(L, FLAGS) in i.reads for i in block.instructions] == [False, False, True, True, False]
    assert block.access_count == 2
    assert block.end == len(code[PREDICATED])


@pytest.mark.parametrize("text", ACCESSES)
def test_accesses_are_those_of_the_emulator(code: dict[str, bytes], text: str) -> None:
    unicorn = pytest.importorskip("unicorn")
    arm = pytest.importorskip("unicorn.arm_const")
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M7)
    machine.mem_map(0x1000, 0x10000)
    machine.mem_write(0x2000, code[text])
    machine.mem_write(0x6000, (0x2001).to_bytes(4, "little") * 8)
    machine.mem_map(0xE000E000, 0x1000)
    machine.mem_write(0xE000ED88, (0xF << 20).to_bytes(4, "little"))
    machine.reg_write(arm.UC_ARM_REG_FPEXC, 1 << 30)
    machine.reg_write(arm.UC_ARM_REG_R1, 0x4000)
    machine.reg_write(arm.UC_ARM_REG_SP, 0x6000)
    sizes: list[int] = []
    kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
    machine.hook_add(kinds, lambda _u, _k, _a, size, _v, _d: sizes.append(size))
    machine.emu_start(0x2001, 0, count=1)
    assert tuple(sizes) == only(code[text]).access_bytes


def test_real_functions_are_decoded_whole(elf: Path) -> None:
    firmware = read_firmware(elf)
    text = {s.address: s.content for s in firmware.segments}
    disassembler = decode._disassembler()
    decoded = 0
    for function in firmware.functions:
        base = max((a for a in text if a <= function.start), default=None)
        assert base is not None
        content = text[base][function.start - base : function.end - base]
        lines = list(disassembler.disasm_lite(content, function.start))
        covered = sum(size for _, size, _, _ in lines)
        if covered:
            block = decode_block(content[:covered], function.start)
            assert len(block.instructions) == len(lines), function.name
            decoded += len(lines)
    assert decoded > 300


def test_every_word_is_decoded_or_refused() -> None:
    """No half word crashes the decoder; most 16-bit ones are instructions."""
    known = 0
    for half in range(0, 0xE800, 7):
        try:
            decode_block(half.to_bytes(2, "little"), 0)
            known += 1
        except UnsupportedError:
            pass
    assert known > 0.95 * len(range(0, 0xE800, 7))


@given(st.binary(min_size=1, max_size=24))
def test_any_bytes_are_decoded_or_refused(content: bytes) -> None:
    try:
        block = decode_block(content, 0x2000)
    except UnsupportedError as error:
        assert "no instruction whose time is known" in error.what
    else:
        assert sum(i.size_bytes for i in block.instructions) == len(content)
        registers = chain.from_iterable(i.writes for i in block.instructions)
        assert all(0 <= register < FP_BASE + 32 for register in registers)


def test_what_is_no_instruction_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"ff ff ff ff at 0x08000102: no instruction whose"):
        decode_block(b"\x00\xbf" + b"\xff" * 4, 0x0800_0100)


def test_the_security_extension_is_decoded() -> None:
    found = only(bytes.fromhex("41e840f0"))
    assert found.text == "ttt r0, r1"
    assert (found.kind, found.reads, found.writes) == (Kind.SYSTEM, ((L, 1),), (0,))


def test_registers_of_larger_cores_are_refused() -> None:
    vldr_d16 = bytes.fromhex("d0ed000b")
    with pytest.raises(UnsupportedError, match=r"'vldr d16, \[r0\]' at 0x00000100"):
        decode_block(vldr_d16, 0x100)


def test_capstone_missing_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    decode._disassembler.cache_clear()
    monkeypatch.setitem(sys.modules, "capstone", None)
    with pytest.raises(ToolError, match="needs the package 'capstone'") as caught:
        decode_block(b"\x01\xbf\x00\xbf\x00\xbf", 0x7777_0000)
    assert "[simulate]" in caught.value.help


@pytest.mark.parametrize("number", [*range(0x18), 0x20])
def test_hints_take_time_as_nops_do(number: int) -> None:
    """Arm DDI0403, A5.3.4: hints that are not allocated execute as NOP."""
    wide = (0xF3AF | (0x8000 | number) << 16).to_bytes(4, "little")
    codes = [wide, (0xBF00 | number << 4).to_bytes(2, "little")] if number < 16 else [wide]
    for code in codes:
        (instruction,) = decode_block(code, 0x0800_0000).instructions
        assert (instruction.kind, instruction.reads, instruction.writes) == (Kind.NOP, (), ())
