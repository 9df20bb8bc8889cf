"""Edges: what a block costs behind another adds up to what the whole takes."""

import os
import subprocess
import sys
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.boards.cores import timed_cores
from penstock.simulate.pipeline import (
    Block,
    BranchKind,
    branch_cost,
    decode_block,
    edge_cost,
    load_core,
    sequence_cycles,
)
from tests.simulate.pipeline.assembly import assemble_all
from tests.simulate.pipeline.facts import DOT_PRODUCT, FACTS

WORDS = [
    "add r0, r0, r1", "adds r2, r2, #1", "eor r3, r0, r2, ror #3", "lsls r1, r1, #2",
    "mov.w r4, #0x1fc0", "mul r5, r0, r1", "smlad r6, r5, r4, r6", "smlald r0, r1, r2, r3",
    "sxtb16 r3, r0", "uxtab r2, r3, r0", "ubfx r1, r0, #3, #4", "rev r0, r0", "qadd r1, r2, r3",
    "sdiv r2, r0, r1", "ldr r0, [r8]", "ldr.w r1, [r8, r0, lsl #2]", "ldr r2, [r9], #4",
    "ldrb r3, [r9, #1]!", "ldrd r4, r5, [r8]", "ldm r9!, {r0-r4}", "str r0, [r8]",
    "strb r1, [r8, r2]", "strd r0, r1, [r9, #8]!", "push {r0-r3}", "cmp r0, r1", "nop",
    "vldr s0, [r8]", "vfma.f32 s1, s0, s2", "vadd.f32 s2, s1, s0", "vmul.f32 s0, s1, s2",
    "vmov r0, s1", "vmov s3, r1", "vstr s1, [r9]", "vdiv.f32 s4, s1, s2",
]  # fmt: skip
BACK = "b.n 1b"

cores = st.sampled_from(timed_cores())
bodies = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def code() -> dict[str, bytes]:
    blocks = [DOT_PRODUCT, "subs r7, #1; bne 1b"]
    return assemble_all([*WORDS, BACK, *blocks, *PREDICTIONS, *MASKS])


def loop(code: dict[str, bytes], body: list[str]) -> bytes:
    """Code that ends with a branch to its start; only that it branches matters."""
    return b"".join(code[word] for word in body) + code[BACK]


@settings(deadline=None, max_examples=150)
@given(name=cores, body=bodies)
def test_a_loop_gets_its_steady_state(code: dict[str, bytes], name: str, body: list[str]) -> None:
    core = load_core(name)
    block = decode_block(loop(code, body), 0)
    many, more = 64, 256
    slope = (
        sequence_cycles(core, loop(code, body), more) * more
        - sequence_cycles(core, loop(code, body), many) * many
    ) / (more - many)
    assert edge_cost(core, block, block).cycles == slope


@settings(deadline=None, max_examples=300)
@given(name=cores, first=bodies, second=bodies, is_away=st.booleans())
def test_two_edges_add_up(
    code: dict[str, bytes], name: str, first: list[str], second: list[str], is_away: bool
) -> None:
    core = load_core(name)
    head, tail = (b"".join(code[word] for word in words) for words in (first, second))
    before = decode_block(head, 0x100)
    after = decode_block(tail, 0x400 if is_away else before.end)
    total = edge_cost(core, None, before).cycles + edge_cost(core, before, after).cycles
    if is_away:
        alone = sequence_cycles(core, head, 1) + core.branch.taken_cycles
        assert total >= alone
    else:
        assert total == sequence_cycles(core, head + tail, 1)


@settings(deadline=None)
@given(name=cores, body=bodies)
def test_no_core_is_faster_than_it_issues(
    code: dict[str, bytes], name: str, body: list[str]
) -> None:
    core = load_core(name)
    cost = edge_cost(core, None, decode_block(loop(code, body), 0))
    narrow = 1 if name in ("cortex-m3", "cortex-m4") else 2
    assert cost.cycles >= ceil(len(body) / narrow)
    assert 0 <= cost.load_use_cycles <= cost.cycles


@settings(deadline=None)
@given(name=cores, body=bodies, at=st.integers(0, 12), word=st.sampled_from(WORDS))
def test_a_multiplication_more_is_never_faster(
    code: dict[str, bytes], name: str, body: list[str], at: int, word: str
) -> None:
    core = load_core(name)
    longer = [*body[:at], "mul r5, r0, r1", *body[at:]]
    costs = [
        edge_cost(core, None, decode_block(loop(code, words), 0)).cycles for words in (body, longer)
    ]
    assert costs[0] <= costs[1] + 1  # a gap behind a load may close


def test_the_edge_of_the_dot_product(code: dict[str, bytes]) -> None:
    block = decode_block(code[DOT_PRODUCT], 0x0800_0000)
    cost = edge_cost(load_core("cortex-m7"), block, block)
    assert (cost.cycles, cost.load_use_cycles, cost.pair_mask) == (7, 0, 0b10)


def test_waiting_for_a_load_is_told(code: dict[str, bytes]) -> None:
    body = [code["ldrb r3, [r9, #1]!"], code["eor r3, r0, r2, ror #3"], code["ldr r0, [r8]"]]
    use = code["smlad r6, r5, r4, r6"]
    waiting = decode_block(code["ldrd r4, r5, [r8]"] + use, 0)
    assert edge_cost(load_core("cortex-m7"), None, waiting).load_use_cycles == 1
    assert edge_cost(load_core("cortex-m7"), None, decode_block(body[1] + use, 0)).cycles == 1
    assert edge_cost(load_core("cortex-m4"), None, decode_block(body[2] + use, 0)) == edge_cost(
        load_core("cortex-m4"), None, decode_block(body[0] + use, 0)
    )


def test_a_load_at_the_end_is_paid_by_the_next_block(code: dict[str, bytes]) -> None:
    core = load_core("cortex-m33")
    load = decode_block(code["ldr r0, [r8]"], 0x100)
    use = decode_block(code["add r0, r0, r1"], load.end)
    assert edge_cost(core, None, load).cycles == 1
    cost = edge_cost(core, load, use)
    assert (cost.cycles, cost.load_use_cycles) == (2, 1)


def test_a_wide_unaligned_target_costs_one_more_on_m4(code: dict[str, bytes]) -> None:
    core = load_core("cortex-m4")
    branch = decode_block(code[BACK], 0x100)
    wide, narrow = code["mul r5, r0, r1"], code["adds r2, r2, #1"]

    def cycles(target: bytes, address: int) -> int:
        return edge_cost(core, branch, decode_block(target, address)).cycles

    assert cycles(wide, 0x200) == cycles(narrow, 0x200) == cycles(narrow, 0x202) == 3
    assert cycles(wide, 0x202) == 4


def test_the_outcome_of_a_branch_is_paid_by_the_edge(code: dict[str, bytes]) -> None:
    """Cortex-M33, JNK: behind what sets flags a branch takes 2 cycles taken, 0 not taken."""
    core = load_core("cortex-m33")
    head = decode_block(code["subs r7, #1; bne 1b"], 0x100)
    word = code["adds r2, r2, #1"]
    assert edge_cost(core, None, head).cycles == 1
    assert edge_cost(core, head, decode_block(word, 0x200)).cycles == 2 + 1
    assert edge_cost(core, head, decode_block(word, head.end)).cycles == 0 + 1


MASKS = {
    "ldr r0, [r8]; ldr r1, [r9]; add r2, r2, r3; ldr r4, [r8]": (0b010, 0b010),
    "ldr r0, [r8]; str r1, [r9]": (0b00, 0b10),
    "ldrd r0, r1, [r8]; ldr r2, [r9]; ldr r3, [r9]": (0b1000, 0b1000),
    "ldr r0, [r8]; add r0, r0, r0; ldr r1, [r9]; ldr r2, [r9, r0]": (0b000, 0b100),
    "cmp r0, r1; it eq; ldreq r0, [r8]; ldr r1, [r9]; ldr r2, [r9]": (0b000, 0b000),
}
"""Which accesses go to memory together with the one before: on Cortex-M7, and on Cortex-M4."""


@pytest.mark.parametrize("text", MASKS)
def test_pairs_of_accesses(code: dict[str, bytes], text: str) -> None:
    block = decode_block(code[text], 0)
    masks = [edge_cost(load_core(n), None, block).pair_mask for n in ("cortex-m7", "cortex-m4")]
    assert tuple(masks) == MASKS[text]
    assert edge_cost(load_core("cortex-m33"), None, block).pair_mask == 0


def test_the_first_load_may_pair_with_the_block_before(code: dict[str, bytes]) -> None:
    core = load_core("cortex-m7")
    first = decode_block(code["ldr r0, [r8]"], 0x100)
    after = decode_block(code["ldr.w r1, [r8, r0, lsl #2]"], first.end)
    other = decode_block(code["ldr r2, [r9], #4"], first.end)
    assert edge_cost(core, first, other).pair_mask == 1
    assert edge_cost(core, first, other).cycles == 0
    assert edge_cost(core, first, after).pair_mask == 0


PREDICTIONS = {
    "cmp r0, r1; bne 1b": (BranchKind.CONDITIONAL, 8),
    "subs r0, r0, #1; nop; nop; nop; nop; nop; bne 1b": (BranchKind.CONDITIONAL, 6),
    "nop; nop; nop; cmp r0, r1; nop; nop; bne 1b": (BranchKind.CONDITIONAL, 8),
    "mov r0, r1; bne 1b": (BranchKind.CONDITIONAL, 6),
    "bl 1b": (BranchKind.DIRECT, 8),
    "b 1b": (BranchKind.DIRECT, 8),
    "blx r3": (BranchKind.INDIRECT, 8),
    "bx r3": (BranchKind.INDIRECT, 8),
    "tbb [pc, r0]": (BranchKind.INDIRECT, 8),
    "ldr pc, [r0]": (BranchKind.INDIRECT, 8),
    "mov pc, r0": (BranchKind.INDIRECT, 8),
    "bx lr": (BranchKind.RETURN, 8),
    "pop {r4, pc}": (BranchKind.RETURN, 8),
    "ldr pc, [sp], #4": (BranchKind.RETURN, 8),
    "cmp r0, r1; it eq; bxeq lr": (BranchKind.CONDITIONAL, 8),
    "add r0, r0, r1": (BranchKind.NONE, 0),
}
"""How blocks end on Cortex-M7, and what a wrong guess costs: JNK, 8 cycles or 6 where the flags
were set 3 cycles before."""


@pytest.mark.parametrize("text", PREDICTIONS)
def test_ends_of_blocks(code: dict[str, bytes], text: str) -> None:
    block = decode_block(code[text], 0)
    cost = branch_cost(load_core("cortex-m7"), block)
    assert (cost.kind, cost.mispredict_cycles) == PREDICTIONS[text]
    unpredicted = branch_cost(load_core("cortex-m4"), block)
    assert (unpredicted.kind, unpredicted.mispredict_cycles) == (cost.kind, 0)


def costs_of_facts() -> list[int]:
    """Costs of all facts' loops, for comparison between processes."""
    codes = assemble_all(fact.text for fact in FACTS)
    blocks: list[Block] = [decode_block(codes[fact.text], 0) for fact in FACTS]
    cores_of_facts = [load_core(fact.core) for fact in FACTS]
    return [edge_cost(c, b, b).cycles for c, b in zip(cores_of_facts, blocks, strict=True)]


def test_costs_do_not_depend_on_hashes() -> None:
    program = f"from {__name__} import costs_of_facts; print(costs_of_facts())"
    for seed in ("0", "4711"):
        result = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.strip() == str(costs_of_facts())
