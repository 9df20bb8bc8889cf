"""Programs that poll peripherals: which have registers, which are refused, and which made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.boards import Board
from penstock.errors import InputError
from penstock.simulate.image import read_image
from penstock.simulate.program import simulate_program
from penstock.simulate.program_options import ProgramOptions
from tests.simulate.programs import Run, refusal


def test_polling_ends_when_peripherals_are_ignored(run: Run) -> None:
    refused = refusal(run, calls=("waits_for_clocks",))
    assert "read 4 bytes at 0x40011000" in refused.what
    assert "--peripherals ignore" in refused.help
    result = run(calls=("waits_for_clocks",), ignores_peripherals=True)
    assert result.return_value == 1
    assert result.invented_reads >= 2
    assert run(calls=("state",), ignores_peripherals=True).invented_reads == 0
    again = run(calls=("waits_for_clocks",), ignores_peripherals=True)
    assert (again.instructions, again.time) == (result.instructions, result.time)


def test_registers_beside_a_modelled_one_are_not_modelled(run: Run) -> None:
    refused = refusal(run, calls=("waits_beside_a_clock_bit",))
    assert (
        "read 4 bytes at 0x40023800, among the peripherals 'apb_ahb', which are not modelled"
        in refused.what
    )
    assert "in waits_beside_a_clock_bit" in refused.what
    assert "--peripherals ignore" in refused.help
    result = run(calls=("waits_beside_a_clock_bit",), ignores_peripherals=True)
    assert result.return_value == 1 << 22


def test_peripherals_are_where_the_board_says(program: Path, board: Board) -> None:
    registers = replace(board.peripherals[0], name="lab", base=0x3000_0000, size_bytes=16)
    mine = replace(board, peripherals=(*board.peripherals, registers))
    with pytest.raises(InputError, match=r"wrote .* at 0x30000000, among .* 'lab'") as caught:
        simulate_program(program, mine, ProgramOptions(calls=("writes_nowhere",)))
    assert "--peripherals ignore" in caught.value.help
    ignoring = ProgramOptions(calls=("writes_nowhere",), ignores_peripherals=True)
    simulate_program(program, mine, ignoring)


def test_flags_of_a_dma_controller_are_polled_and_never_made_up(program: Path, run: Run) -> None:
    polled = run(calls=("copies_by_dma",))
    assert polled.return_value == read_image(program).firmware.symbols["Reset_Handler"] | 1
    assert polled.instructions > 256 * 3
    among_others = run(calls=("copies_by_dma",), ignores_peripherals=True)
    assert among_others.invented_reads == 0
    assert among_others.time == polled.time
