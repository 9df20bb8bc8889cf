"""Native callbacks count what a slow one counts, and change nothing that the firmware computes."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from penstock.boards import Board
from penstock.simulate.firmware import Firmware, read_firmware
from penstock.simulate.machine import Machine
from penstock.simulate.memory import BoardMemory

HOOK_CODE = 4
LIMIT = 10_000_000
HARMLESS = (0, 11, 12, 15, 16, 17, 18, 20)


def boot(firmware: Firmware, memory: BoardMemory, machine: Machine) -> None:
    memory.load(firmware)
    machine.reset(memory.read_word(0x0800_0000))
    machine.run(memory.read_word(0x0800_0004) & ~1, LIMIT)
    command(firmware, memory, machine, 1, 0, 0)


def command(
    firmware: Firmware, memory: BoardMemory, machine: Machine, verb: int, first: int, last: int
) -> None:
    mailbox = firmware.symbol("ps_harness_mailbox")
    for offset, value in ((8, verb), (12, first), (16, last)):
        memory.write_word(mailbox + offset, value)
    machine.run(machine.pc + 2, LIMIT)
    assert memory.read_word(mailbox + 20) == 0


def run_harmless(firmware: Firmware, memory: BoardMemory, machine: Machine) -> bytes:
    boot(firmware, memory, machine)
    for operator in HARMLESS:
        command(firmware, memory, machine, 2, operator, operator + 1)
    return memory.read(0xC000_0000, 0x2000) + memory.read(0x2000_0000, 0x4000)


@pytest.mark.parametrize("watches_accesses", [False, True])
def test_native_counts_are_those_of_a_slow_hook(
    elf: Path, board: Board, watches_accesses: bool
) -> None:
    firmware, memory = read_firmware(elf), BoardMemory(board)
    machine = Machine(firmware, memory, board.core, watches_accesses=watches_accesses)
    by_function: Counter[str] = Counter()

    def on_instruction(_uc: Any, address: int, _size: int, _data: Any) -> None:
        function = firmware.function_at(address)
        by_function[function.name if function else "(elsewhere)"] += 1

    machine._uc.hook_add(HOOK_CODE, on_instruction)
    boot(firmware, memory, machine)
    machine.monitor.clear_counts()
    by_function.clear()
    for operator in HARMLESS:
        command(firmware, memory, machine, 2, operator, operator + 1)
    monitor = machine.monitor
    # The slow hook is not called for an instruction whose condition fails; the core still issues
    # it. The inline assembler skips one of two loads, twice.
    by_function["cases_op_016_it_block"] += 2
    assert monitor.instructions == by_function.total()
    assert monitor.function_instructions() == dict(by_function)
    counted = monitor.operator_instructions()
    assert set(counted) == set(HARMLESS)
    assert counted[16] == by_function["cases_op_016_it_block"]
    assert counted[17] >= by_function["cases_op_017_mixed"] > 10_000
    outside = by_function["main"] + sum(
        count for name, count in by_function.items() if name.startswith(("run_range", "execute"))
    )
    assert monitor.instructions - sum(counted.values()) == outside


def test_callees_count_for_their_operator(elf: Path, board: Board) -> None:
    firmware, memory = read_firmware(elf), BoardMemory(board)
    machine = Machine(firmware, memory, board.core)
    boot(firmware, memory, machine)
    machine.monitor.clear_counts()
    command(firmware, memory, machine, 2, 20, 21)
    functions = machine.monitor.function_instructions()
    dig = sum(count for name, count in functions.items() if name.startswith("dig"))
    own = functions["cases_op_020_digs_safely"]
    assert dig > 11
    assert machine.monitor.operator_instructions() == {20: dig + own}
    assert machine.monitor.current_operator is None


def test_it_blocks_load_the_right_value_under_hooks(elf: Path, board: Board) -> None:
    """Unicorn 2.1.4 loads the other value when an access hook fires inside an IT block."""
    firmware, memory = read_firmware(elf), BoardMemory(board)
    machine = Machine(firmware, memory, board.core, watches_accesses=True)
    boot(firmware, memory, machine)
    command(firmware, memory, machine, 2, 16, 17)
    assert [memory.read_word(0xC000_0100), memory.read_word(0xC000_0104)] == [111, 222]


def test_hooks_change_no_memory(elf: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware, memory = read_firmware(elf), BoardMemory(board)
    hooked = run_harmless(firmware, memory, Machine(firmware, memory, board.core))
    original = Machine._hook
    needed = ("on_exception", "on_invalid_access")

    def hook_the_least(machine: Machine, callback: str, kind: int) -> int:
        return original(machine, callback, kind) if callback in needed else 0

    monkeypatch.setattr(Machine, "_hook", hook_the_least)
    memory = BoardMemory(board)
    machine = Machine(firmware, memory, board.core)
    assert run_harmless(firmware, memory, machine) == hooked
    assert machine.monitor.instructions == 0
    assert any(hooked[:0x200])
