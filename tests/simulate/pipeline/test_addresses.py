"""Derived addresses are those that the emulator reports, instruction by instruction."""

import ctypes
import mmap
from dataclasses import astuple
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.simulate.monitor import load_native
from penstock.simulate.monitor_records import AddressStepRecord
from penstock.simulate.pipeline import decode_block
from penstock.simulate.pipeline.addresses import ZERO, Code, Step, derive_addresses
from tests.simulate.pipeline.assembly import assemble_all

unicorn = pytest.importorskip("unicorn")

CODE, RAM, RAM_BYTES, PAGE = 0x1000, 0x2000_0000, 1 << 16, 4096
ALIAS = 0x5000_0000
CODE_RANGE = (CODE, CODE + PAGE)
MEMORY_RANGES = ((0x2000, 0x4000_0000), (0x6000_0000, 0xE000_0000))
READ_WRITE_HOOKS, WRITE = 3072, 17
WATCHED = -1
REGISTERS = ("r0", "r1", "r2", "r3")

ARITHMETIC = (
    *(f"add {d}, {a}, {b}" for d, a, b in product(REGISTERS[:2], repeat=3)),
    "adds r1, #12; add.w r2, r2, #0x1000; sub r3, r3, #4; subs r0, #1",
    "subw r1, r1, #0x7fc; addw r0, r1, #0x10; add r2, sp, #8; mov r2, r0; movs r1, r2",
    "add.w r1, r0, r1, lsl #2; sub.w r1, r0, r1, lsl #1; add.w r2, r0, r2, lsr #3",
    "add.w r2, r0, r3, asr #2; sub r0, r1, r2; mov.w r1, r2, lsl #1; mov.w r3, #0x44",
    "movw r1, #0x1234; movt r1, #0x2000; ldr r1, [pc]; adr r2, 1f; nop; 1: nop",
    "and r1, r1, #0x3c; ands r1, r2; orr r0, r0, #4; orr.w r0, r0, r1, lsl #2; bic r2, r2, #3",
    "eor r2, r2, #4; eors r2, r1; bic.w r1, r1, r2; mul r1, r2, r3; muls r1, r2, r1",
    "mla r0, r1, r2, r0; mls r0, r1, r2, r0; rsb r1, r1, #64; negs r2, r2; rsb r3, r2, #0",
    "lsrs r1, r2, #32; asrs r1, r2, #32; add.w r1, r0, r2, asr #32; add.w r1, r0, r2, lsr #32",
    "lsls r1, r1, #2; lsrs r1, r2, #3; asrs r2, r1, #1; lsl.w r1, r2, #30; asr.w r3, r2, #31",
    "uxtb r1, r1; uxth r2, r1; sxtb r1, r2; sxth r3, r1; uxtb.w r1, r2, ror #8",
    "ubfx r1, r2, #4, #5; sbfx r3, r1, #1, #7; ubfx r0, r1, #0, #32",
    "lsls r1, r2; mvns r2, r1; rev r1, r2; clz r2, r1; uxtah r1, r1, r2; smlabb r0, r1, r2, r0",
    "adc r1, r1, r2; sbcs r1, r2; bfi r1, r2, #2, #4; ssat r1, #8, r2; umull r1, r2, r3, r0",
    "cmp r1, r2; it lt; addlt r0, #4; nop; ittt ge; movge r1, r0; addge r1, #8; subge r2, #4",
    "vmov s0, r1; vmov r2, s0; vadd.f32 s0, s1, s2; pld [r0]; dsb; nop",
)
ACCESSES = (
    *(f"{name} {a}, [{b}, #4]" for name, a, b in product(("ldr", "str"), REGISTERS, REGISTERS)),
    "ldrb r1, [r0], #1; ldrsb r2, [r0, #1]!; ldrh r1, [r2, #2]; ldrsh r3, [r0, #-2]!",
    "strb r1, [r0], #-1; strh r1, [r2, #6]; str r1, [r0, #4]!; str r1, [r3], #8",
    "ldr r1, [r0, r2]; ldrb.w r1, [r0, r2, lsl #2]; ldrsh.w r1, [r0, r1, lsl #1]",
    "str.w r2, [r0, r1, lsl #3]; strb r2, [r1, r0]; ldrd r1, r2, [r0, #8]; strd r1, r2, [r0], #8",
    "ldrd r2, r3, [r0, #-8]!; ldm r0, {r1, r2}; ldmia r0!, {r1, r2}; ldmdb r0!, {r2, r3}",
    "stmia r0!, {r1, r2}; stmdb r0, {r1, r2, r3}; push {r0, r1, r2}; pop {r1, r3}",
    "ldr r3, [sp, #4]; str r2, [sp, #4]; ldr r0, [sp], #4; str r1, [sp, #-4]!",
    "vldr s0, [r0, #4]; vstr s1, [r1]; vldr d1, [r0]; vstr d1, [r0, #8]; vpush {s0, s1}",
    "vldmia r0!, {s0-s3}; vstmdb r0!, {s0, s1}; vpop {d0}; vstmia r1, {d0, d1}",
    "cmp r1, r2; it lt; ldrlt r0, [r0]; it ge; strge r1, [r0]; ldrt r1, [r0]; ldrex r2, [r0]",
)


@cache
def pool() -> tuple[tuple[bytes, ...], ...]:
    """Machine code of arithmetic and of accesses, one entry for each instruction."""
    groups = []
    for texts in (ARITHMETIC, ACCESSES):
        split = [part.strip() for text in texts for part in _instructions(text)]
        codes = assemble_all(split)
        groups.append(tuple(codes[text] for text in split))
    return tuple(groups)


def _instructions(text: str) -> list[str]:
    """IT blocks and what refers to a label stay together."""
    parts, kept = text.split("; "), []
    while parts:
        part = parts.pop(0)
        if part.startswith("it"):
            part = "; ".join([part, *(parts.pop(0) for _ in part.split()[0][1:])])
        if "1f" in part:
            part = "; ".join([part, parts.pop(0), parts.pop(0)])
        kept.append(part)
    return kept


@cache
def emulator() -> Any:
    """A core in which nearly all addresses are memory; reading and writing put it to use."""
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(unicorn.arm_const.UC_CPU_ARM_CORTEX_M7)
    for base, end in (CODE_RANGE, *MEMORY_RANGES):
        uc.mem_map(base, end - base)
    uc.mem_write(RAM, memory_content())
    uc.reg_write(unicorn.arm_const.UC_ARM_REG_FPEXC, 0x4000_0000)
    return uc


def execute(code: bytes, registers: list[int]) -> list[tuple[int, int, bool]]:
    """Return address, size and direction of all accesses until the code ends."""
    uc = emulator()
    uc.mem_write(CODE, code.ljust(PAGE, b"\0"))  # literals may lie behind it
    uc.ctl_flush_tb()
    for number, value in enumerate(registers):
        uc.reg_write(register_id(number), value)
    seen: list[tuple[int, int, bool]] = []
    before: list[tuple[int, bytes]] = []

    def on_access(_uc: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
        seen.append((address, size, kind == WRITE))
        if kind == WRITE:
            before.append((address, bytes(uc.mem_read(address, size))))

    hook = uc.hook_add(READ_WRITE_HOOKS, on_access)
    try:
        uc.emu_start(CODE | 1, CODE + len(code))
    finally:
        uc.hook_del(hook)
        for address, content in reversed(before):
            uc.mem_write(address, content)
    return seen


def register_id(number: int) -> int:
    names = {13: "SP", 14: "LR"}
    found = getattr(unicorn.arm_const, f"UC_ARM_REG_{names.get(number, f'R{number}')}")
    return int(found)


@cache
def memory_content() -> bytes:
    """Pointers into the memory, so that what is loaded can be an address too."""
    words = np.arange(RAM_BYTES // 4, dtype=np.uint32) * 4096 % RAM_BYTES + RAM + 256
    return words.astype("<u4").tobytes()


@cache
def host_memory() -> tuple[Any, Any, int]:
    """Return the table of pages, what keeps them, and where code is."""
    content = memory_content() + bytes(2 * PAGE)  # then a page of zeros, and one of code
    buffer = mmap.mmap(-1, len(content))
    buffer.write(content)
    base = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    pages = np.zeros(1 << 20, np.uint64)
    for start, end in MEMORY_RANGES:
        pages[start // PAGE : end // PAGE] = base + RAM_BYTES + 1
    pages[CODE // PAGE] = base + RAM_BYTES + PAGE
    for page in range(RAM_BYTES // PAGE):
        pages[RAM // PAGE + page] = base + page * PAGE + 1
    return pages, buffer, base + RAM_BYTES + PAGE


def compute(steps: tuple[Step, ...], registers: list[int], code: bytes) -> Any:
    """Return what the native half makes of the steps: accesses, or ``WATCHED``."""
    pages, _, host_code = host_memory()
    ctypes.memmove(host_code, code.ljust(PAGE, b"\0"), PAGE)
    space = (ctypes.c_uint64 * 3)(pages.ctypes.data, 0, 0)
    records = (AddressStepRecord * max(len(steps), 1))(
        *(AddressStepRecord(*astuple(step)) for step in steps)
    )
    events = (ctypes.c_uint64 * 256)()
    words = (ctypes.c_uint32 * 15)(*registers)
    count = load_native().ps_compute_accesses(records, len(steps), space, words, events)
    if count < 0:
        return WATCHED
    return [(e & 0xFFFF_FFFF, e >> 32 & 0xFF, bool(e >> 62 & 1)) for e in events[:count]]


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """Arithmetic with an access of its results here and there."""
    arithmetic, accesses = pool()
    mixed = st.one_of(st.sampled_from(arithmetic), st.sampled_from(arithmetic), probes())
    entries = st.one_of(mixed, st.sampled_from(accesses))
    return b"".join([*draw(st.lists(entries, max_size=7)), draw(probes())])


def probes() -> st.SearchStrategy[bytes]:
    """Reads at the first four registers, which are where arithmetic puts its results."""
    return st.sampled_from([probe(name) for name in REGISTERS])


def probe(name: str) -> bytes:
    return read_codes()[f"ldrb r5, [{name}]"]


@cache
def read_codes() -> dict[str, bytes]:
    return assemble_all([f"ldrb r5, [{name}]" for name in REGISTERS])


addresses = st.integers(RAM // 4 + 64, (RAM + RAM_BYTES) // 4 - 64).map(lambda n: n * 4)
register_values = st.lists(
    st.one_of(addresses, addresses, st.integers(0, 0xFFFF_FFFF)), min_size=13, max_size=13
).flatmap(lambda low: st.tuples(addresses, addresses).map(lambda high: [*low, *high]))


@settings(max_examples=200, deadline=None)
@given(blocks(), register_values)
def test_computed_accesses_are_those_of_the_emulator(code: bytes, registers: list[int]) -> None:
    steps = derive_addresses(decode_block(code, CODE))
    computed = WATCHED if steps is None else compute(steps, registers, code)
    if computed != WATCHED:
        assert computed == execute(code, registers)


@pytest.mark.parametrize("scale", [1, 0x0101_0305])
def test_each_instruction_leaves_what_is_derived(scale: int) -> None:
    registers = [RAM + 0x100 + (n * 0x94 * scale & 0xFFFF) for n in range(15)]
    arithmetic, _ = pool()
    derived = 0
    for code, name in product(arithmetic, REGISTERS):
        block = code + probe(name)
        steps = derive_addresses(decode_block(block, CODE))
        computed = WATCHED if steps is None else compute(steps, registers, block)
        if computed != WATCHED:
            assert computed == execute(block, registers), block.hex()
            derived += 1
    assert derived > 0.8 * len(arithmetic) * len(REGISTERS)


@pytest.mark.parametrize(
    "text",
    [
        "ldrsb r3, [r0], #1; ldrsb r9, [r2], #1; add r3, r1; mla r7, r3, r9, r7; cmp r4, r0",
        "ldr r6, [sp, #8]; ldrb r1, [r6, r3, lsl #1]; str r1, [sp, #4]",
        "push {r4, r5, lr}; ldr r5, [r0]; sub sp, #44; ldrd r9, r8, [r5]",
        "ldr r1, [pc, #8]; strb r2, [r3, #7]; ldmia r0!, {r4, r5}; strh r4, [r0]",
    ],
)
def test_what_kernels_do_is_computed(text: str) -> None:
    code = assemble_all([text])[text]
    steps = derive_addresses(decode_block(code, CODE))
    registers = [RAM + 0x1000 * (n + 1) for n in range(15)]
    registers[3] = 16 if "lsl" in text else registers[3]
    assert steps is not None
    computed = compute(steps, registers, code)
    assert computed == execute(code, registers)
    assert computed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cmp r0, r1; it lt; ldrlt r0, [r0]", "it may not happen"),
        ("lsls r1, r2; ldr r0, [r1]", "a shift by a register is not followed"),
        ("ldrex r0, [r1]", "exclusive"),
        ("ldrt r0, [r1]", "unprivileged"),
        ("svc #1; ldr r0, [r1]", "an exception comes between"),
        ("cmp r0, r1; it lt; addlt r0, #4; nop; ldr r1, [r0]", "r0 depends on flags"),
    ],
)
def test_what_does_not_follow_from_registers_is_watched(text: str, why: str) -> None:
    code = assemble_all([text])[text]
    assert derive_addresses(decode_block(code, CODE)) is None, why


@pytest.mark.parametrize(
    ("text", "registers"),
    [
        ("ldr r0, [r1]", {1: 0x4000_0000}),  # a register of a peripheral
        ("str r0, [r1]", {1: CODE}),  # what cannot be written
        ("ldrd r0, r2, [r1]", {1: RAM + 2}),  # which faults
        ("str r0, [r1]; ldr r2, [r1]; ldr r3, [r2]", {1: RAM}),  # loads what the block stored
        ("ldr r2, [r1]; ldr r3, [r2]", {1: 0x4000_0000}),
        ("ldr r2, [r1]; ldr r3, [r2]", {1: RAM + PAGE - 3}),  # beyond the page
    ],
)
def test_unusual_addresses_are_watched(text: str, registers: dict[int, int]) -> None:
    code = assemble_all([text])[text]
    steps = derive_addresses(decode_block(code, CODE))
    assert steps is not None
    values = [registers.get(n, RAM) for n in range(15)]
    assert compute(steps, values, code) == WATCHED


def test_tables_of_branches_count_from_the_program_counter_as_it_is() -> None:
    text = "nop; tbh [pc, r1, lsl #1]"
    steps = derive_addresses(decode_block(assemble_all([text])[text], CODE))
    assert steps == (Step(Code.READ, a=ZERO, b=1, shift=1, size=2, constant=CODE + 6),)


def test_a_store_through_another_address_of_the_memory_is_seen() -> None:
    text = "str r0, [r1]; ldr r2, [r4]; ldr r3, [r2]"
    code = assemble_all([text])[text]
    steps = derive_addresses(decode_block(code, CODE))
    assert steps is not None
    pages, _, _ = host_memory()
    pages[ALIAS // PAGE] = pages[RAM // PAGE]
    registers = [RAM] * 15
    registers[4] = ALIAS
    assert compute(steps, registers, code) == WATCHED
    registers[4] = ALIAS + 64
    assert compute(steps, registers, code) != WATCHED


def test_results_that_no_address_needs_are_left_out() -> None:
    text = "add r3, r3, r2; mul r4, r3, r3; ldr r5, [r0, r1, lsl #2]"
    steps = derive_addresses(decode_block(assemble_all([text])[text], CODE))
    assert steps == (Step(Code.READ, a=0, b=1, shift=2, size=4),)
