"""The virtual board runs firmware like the board, and says what was illegal and where."""

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from penstock.boards import Board, load_board
from penstock.errors import InputError, SimulationError, ToolError
from penstock.planning.execution_plan import Placement
from penstock.simulate import VirtualBoard, simulate_model
from penstock.simulate.machine import import_unicorn
from tests.simulate.conftest import EXTERNAL, Build

INPUT = bytes(range(64))
OUTPUT = bytes(
    value + weight for value, weight in zip(INPUT, [1, 2, 3, 4, 5] + [0] * 59, strict=True)
)


@pytest.fixture
def virtual(elf: Path, board: Board) -> Iterator[VirtualBoard]:
    with VirtualBoard(elf, board, instruction_limit=10_000_000, checks=None) as opened:
        opened.init()
        yield opened


def fault(virtual: VirtualBoard, operator: int) -> str:
    with pytest.raises(SimulationError) as caught:
        virtual.run_range(operator, operator + 1)
    return str(caught.value)


def test_descriptor_is_read_from_memory(virtual: VirtualBoard) -> None:
    model = virtual.model
    assert (model.name, model.operator_names[:2]) == ("cases", ("FULLY_CONNECTED", "FLASH"))
    source, result = model.inputs[0], model.outputs[0]
    assert (source.name, source.shape, source.scale, source.zero_point) == ("in", (1, 64), 0.5, -3)
    assert (result.name, result.size_bytes, result.zero_point) == ("out", 64, 7)
    assert source.address == 0xC000_0000
    assert result.address == source.address + 64


def test_a_step_computes_on_the_boards_addresses(virtual: VirtualBoard) -> None:
    virtual.write_inputs([INPUT])
    virtual.run_range(0, 1)
    assert virtual.read_outputs() == [OUTPUT]
    assert virtual.read_block("arena", 64, 4) == OUTPUT[:4]
    assert virtual.memory.read(0x6000_0040, 64) == OUTPUT
    assert virtual.memory.read(0x9000_0000, 6) == b"\1\2\3\4\5\0"
    assert virtual.monitor.operator_instructions().keys() == {0}


def test_arrays_are_inputs_too(virtual: VirtualBoard) -> None:
    virtual.write_inputs([np.arange(64, dtype=np.int8).reshape(1, 64)])
    virtual.run_range(0, 1)
    assert virtual.read_outputs() == [OUTPUT]


def test_statics_are_copied_and_cleared_by_start_up(virtual: VirtualBoard) -> None:
    virtual.run_range(18, 19)
    assert np.frombuffer(virtual.read_block("arena", 320, 8), "<u4").tolist() == [0x12345678, 0]
    virtual.run_range(18, 19)
    assert np.frombuffer(virtual.read_block("arena", 320, 8), "<u4").tolist() == [0x12345679, 1]


def test_floating_point_runs_once_start_up_has_enabled_it(virtual: VirtualBoard) -> None:
    virtual.run_range(17, 18)
    assert np.frombuffer(virtual.read_block("arena", 300, 4), "<f4")[0] > 0
    assert any(virtual.read_block("arena", 128, 128))


def test_aliases_show_the_same_bytes(virtual: VirtualBoard) -> None:
    virtual.run_range(15, 16)
    for base in (0xC000_0000, 0x6000_0000):
        assert virtual.memory.read_word(base + 0x1000) == 0xCAFEF00D
        assert virtual.memory.read_word(base + 0x1004) == 0xCAFEF00E
    assert virtual.memory.read(0x0020_0000, 64) == virtual.memory.read(0x0800_0000, 64)


def test_peripheral_registers_are_tolerated(virtual: VirtualBoard) -> None:
    virtual.run_range(12, 13)
    assert virtual.memory.read_word(0x2000_2FF0) == 0xABCD


def test_unaligned_words_are_legal(virtual: VirtualBoard) -> None:
    virtual.run_range(11, 12)


FAULTS = [
    (1, r"wrote 4 bytes at 0x08000010, which is in 'flash', a read-only memory", "FLASH"),
    (
        2,
        r"read 4 bytes at 0x20050000, which is in no memory .* 0 bytes behind .* 'sram2'",
        "OUTSIDE",
    ),
    (3, r"jumped to 0x70000000, which is in no memory of stm32f746g-disco", "JUMP"),
    (4, r"overflowed its stack of 7168 bytes at 0x20000000: it (wrote|read)", "STACK"),
    (5, r"executed an undefined instruction", "UNDEFINED"),
    (6, r"ran for \d+ instructions and was not done", "ENDLESS"),
    (7, r"read a word at 0xc0000005 with an instruction that requires alignment", "PAIR"),
    (8, r"jumped to 0xc0000000, which is in 'sdram', where the core executes nothing", "SDRAM"),
    (9, r"called a supervisor \(SVC\)", "SVC"),
    (10, r"stopped at a breakpoint of its own \(0x42\)", "BKPT"),
    (13, r"wrote 4 bytes at 0x91000000, .* 0 bytes behind the end of 'qspi'", "QSPI"),
    (14, r"executed an undefined instruction|left the Thumb state", "ARM"),
]


@pytest.mark.parametrize(("operator", "message", "kind"), FAULTS, ids=[f[2] for f in FAULTS])
def test_illegal_deeds_name_what_and_where(
    virtual: VirtualBoard, operator: int, message: str, kind: str
) -> None:
    text = fault(virtual, operator)
    assert re.search(message, text), text
    assert f"operator {operator} ({kind})" in text


def test_a_fault_names_function_and_line(virtual: VirtualBoard) -> None:
    lines = Path(__file__).with_name("firmware_cases.c").read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if "cases_sink = *word_at(address)" in text)
    text = fault(virtual, 2)
    assert "in callee_that_reads (firmware_cases.c:" in text
    found = int(text.split("firmware_cases.c:")[1].split(",")[0])
    assert abs(found - line) <= 2


def test_the_stack_that_is_used_is_known(virtual: VirtualBoard) -> None:
    virtual.run_range(0, 1)
    shallow = virtual.stack_bytes_peak()
    assert 0 < shallow < 512
    fault(virtual, 4)
    assert virtual.stack.top - virtual.stack.limit - virtual.stack_bytes_peak() < 300


def test_a_stack_above_other_memory_does_not_grow_into_it(build: Build, board: Board) -> None:
    elf = build(Placement(code="flash", weights="flash", arena="sdram", stack="sram1"))
    with VirtualBoard(elf, board, instruction_limit=10_000_000) as virtual:
        virtual.init()
        text = fault(virtual, 19)
        assert re.search(r"overflowed its stack of 7168 .* which is in 'dtcm'; in dig", text), text


def test_weights_in_ram_are_copied_by_start_up(build: Build, board: Board) -> None:
    elf = build(Placement(code="flash", weights="sram1", arena="dtcm", stack="dtcm"))
    with VirtualBoard(elf, board) as virtual:
        virtual.init()
        assert virtual.memory.read(0x2001_0000, 6) == b"\1\2\3\4\5\0"
        virtual.write_inputs([INPUT])
        virtual.run_range(0, 1)
        assert virtual.read_outputs() == [OUTPUT]


def test_start_up_lets_the_core_cache_the_sdram(virtual: VirtualBoard) -> None:
    """Without the MPU, external RAM at these addresses is device memory, which is never cached."""
    assert virtual.timing is not None
    virtual.write_inputs([INPUT])
    virtual.run_range(0, 1)
    first = virtual.timing.traffic()["sdram"]
    virtual.timing.clear_counts()
    virtual.run_range(0, 1)
    again = virtual.timing.traffic()["sdram"]
    assert first.read_bytes >= len(INPUT)
    assert (again.read_bytes, again.written_bytes) == (0, 0)


def test_status_codes_of_the_model_are_errors(elf: Path, board: Board) -> None:
    with VirtualBoard(elf, board) as virtual:
        with pytest.raises(SimulationError, match="status 1: the model is not initialized"):
            virtual.run_range(0, 1)
        virtual.init()
        with pytest.raises(SimulationError, match="status 2: an index is out of range"):
            virtual.run_range(0, 99)


def test_inputs_that_do_not_fit_are_refused(virtual: VirtualBoard) -> None:
    with pytest.raises(InputError, match="takes 1 inputs, found 2"):
        virtual.write_inputs([INPUT, INPUT])
    with pytest.raises(InputError, match="'in' of cases has 64 bytes, found 63"):
        virtual.write_inputs([INPUT[:63]])


def test_one_inference_is_measured(build: Build, board: Board) -> None:
    elf = build(EXTERNAL, "-DCASES_COUNT=1")
    told: list[tuple[str, float | None]] = []
    simulation = simulate_model(
        elf, board, [INPUT], progress=lambda stage, fraction: told.append((stage, fraction))
    )
    assert simulation.outputs == (OUTPUT,)
    assert simulation.operator_names == ("FULLY_CONNECTED",)
    assert simulation.operator_instructions.keys() == {0}
    assert 64 < simulation.operator_instructions[0] < simulation.instructions < 2000
    assert sum(simulation.function_instructions.values()) == simulation.instructions
    assert 0 < simulation.stack_bytes_peak < simulation.stack_bytes == 7168
    assert simulation.wall_seconds > 0
    assert told


def test_counts_do_not_depend_on_watching(build: Build, board: Board) -> None:
    elf = build(EXTERNAL, "-DCASES_COUNT=1")
    watched = simulate_model(elf, board, [INPUT])
    unwatched = simulate_model(elf, board, [INPUT], watches_accesses=False)
    assert unwatched.instructions == watched.instructions
    assert unwatched.outputs == watched.outputs


def test_a_model_that_misbehaves_is_no_simulation(elf: Path, board: Board) -> None:
    with pytest.raises(SimulationError, match=r"operator 1 \(FLASH\)"):
        simulate_model(elf, board, [INPUT])


def test_ctrl_c_stops_the_core(virtual: VirtualBoard) -> None:
    def press(_: object) -> None:
        raise KeyboardInterrupt

    virtual.on_poll = press
    virtual._instruction_limit = 10**15
    threads = threading.active_count()  # other packages may have some
    with pytest.raises(KeyboardInterrupt):
        virtual.run_range(6, 7)
    assert threading.active_count() == threads


def test_a_real_ctrl_c_stops_the_core_before_its_memory_goes(virtual: VirtualBoard) -> None:
    virtual._instruction_limit = 10**15
    threads = threading.active_count()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.35, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        virtual.run_range(6, 7)
    timer.join()
    assert threading.active_count() == threads
    virtual.close()


def test_firmware_for_another_board_is_refused(elf: Path) -> None:
    with pytest.raises(SimulationError, match="do not fit the memories of nucleo-l4r5zi"):
        VirtualBoard(elf, load_board("nucleo-l4r5zi"))


def test_files_that_are_no_firmware_are_refused(tmp_path: Path, board: Board) -> None:
    path = tmp_path / "no.elf"
    with pytest.raises(InputError, match="cannot be read as an ELF file"):
        VirtualBoard(path, board)
    path.write_bytes(b"text")
    with pytest.raises(InputError, match=r"cannot be read as an ELF file.*\n  help: give the file"):
        VirtualBoard(path, board)
    with pytest.raises(InputError, match="allowed is 32-bit little-endian Arm"):
        VirtualBoard(Path(sys.executable).resolve(), board)


def test_missing_unicorn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(ToolError, match=r"-m pip install .*\[simulate\]'`; it is GPL"):
        import_unicorn()


def test_other_unicorns_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unicorn.__version__", "2.1.4")
    with pytest.raises(ToolError, match=r"needs unicorn 2\.1\.3, found 2\.1\.4"):
        import_unicorn()
