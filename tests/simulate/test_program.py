"""Programs that somebody else linked: counted from here to there, called, stopped and explained."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.boards import Board, load_board
from penstock.errors import InputError, ToolError, UnsupportedError
from penstock.simulate import timing
from penstock.simulate.firmware import Segment
from penstock.simulate.image import ImageFormat, read_image
from penstock.simulate.program import simulate_program
from penstock.simulate.program_options import ProgramOptions
from penstock.toolchain import find_target_compiler
from penstock.toolchain.process import run_tool
from tests.mutations import mutate
from tests.simulate.images import FLASH, LINKER_SCRIPT, RAM, flat_bytes, hex_text, link_cases
from tests.simulate.programs import LIMIT, Run, refusal

PRINTED = b"started\nfinished\n"


def test_a_program_runs_from_reset_to_its_exit(program: Path, board: Board) -> None:
    heard: list[bytes] = []
    result = simulate_program(program, board, on_output=heard.append)
    assert (result.exit_status, result.output, result.return_value) == (7, PRINTED, None)
    assert b"".join(heard) == PRINTED
    assert result.counted == "from reset to exit"
    assert result.instructions == sum(result.function_instructions.values())
    assert result.function_instructions["done"] >= 3 * 2
    assert result.time is not None
    assert result.time.cycles > result.instructions / 2
    assert result.traffic["flash"].fetched_bytes > 0


def test_every_format_counts_the_same(program: Path, run: Run, tmp_path: Path) -> None:
    segments = read_image(program).firmware.segments
    (tmp_path / "a.hex").write_bytes(hex_text(segments))
    (tmp_path / "a.bin").write_bytes(flat_bytes(segments))
    expected = run()
    for name, base in (("a.hex", None), ("a.bin", FLASH)):
        result = run(tmp_path / name, base=base)
        assert result.instructions == expected.instructions
        assert result.time == expected.time
        assert (result.exit_status, result.output) == (7, PRINTED)
        assert list(result.function_instructions) == ["(elsewhere)"]
    assert expected.image_format is ImageFormat.ELF


def test_stripped_files_run_too(program: Path, run: Run, board: Board, tmp_path: Path) -> None:
    try:
        find_target_compiler(board.core, "gcc")
    except ToolError as error:
        pytest.skip(str(error))
    stripped = tmp_path / "stripped.elf"
    run_tool(["arm-none-eabi-strip", str(program), "-o", str(stripped)], {}, purpose="stripping")
    address = read_image(program).firmware.symbols["counted"]
    assert run(stripped).instructions == run().instructions
    assert run(stripped, calls=(f"{address:#x}",)).instructions == 3 + 2 * 10 + 2
    refused = refusal(run, stripped, calls=("counted",))
    assert "has no symbol 'counted'" in refused.what
    assert "give an address" in refused.help


def test_stretches_are_counted_to_the_instruction(run: Run) -> None:
    whole = run(calls=("counted",))
    assert whole.instructions == 3 + 2 * 10 + 2
    assert whole.return_value == 0
    assert whole.function_instructions == {"counted": 25}
    middle = run(start="counted_middle", end="counted_end")
    assert middle.instructions == 1 + 2 * 10
    assert middle.function_instructions == {"counted": 21}
    assert run(start="counted", end="counted_middle").instructions == 2


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("main", "done"),
        ("work", "done"),
        ("counted_middle", "counted_end"),
        ("main", "counted_middle"),
    ],
)
def test_stretches_add_up(run: Run, start: str, end: str) -> None:
    before, stretch, rest = run(end=start), run(start=start, end=end), run(start=end)
    assert before.exit_status is None
    assert rest.exit_status == 7
    counts = [part.instructions for part in (before, stretch, rest)]
    assert min(counts) > 0
    assert sum(counts) == run().instructions


def test_passes_are_told_apart(run: Run) -> None:
    turns = [run(start="work", end="return", pass_number=n).instructions for n in (1, 2, 3)]
    assert turns[0] < turns[1] < turns[2]
    assert turns[2] - turns[1] == turns[1] - turns[0]
    assert run(start="work", end="return", pass_number=2).counted == "from work to return, pass 2"
    refused = refusal(run, start="work", end="return", pass_number=4)
    assert "exited with status 7 before it came to --from work for the 4th time" in refused.what


def test_calls_get_arguments_and_initialized_data(run: Run) -> None:
    assert run(calls=("arguments(1, 2,3,0x4)",)).return_value == 1 + 20 + 300 + 4000
    assert run(calls=("arguments(-1)",)).return_value == 0xFFFF_FFFF
    assert run(calls=("state",)).return_value == 0x1234
    assert run(calls=("done,done", "state")).return_value == 0x1236
    assert run(calls=("work(3, 2)", "work(3,2)")).return_value == 12
    assert run(calls=("work(3, 2)", "work(3,2)")).counted == "call 2 of 2: work(3,2)"


def test_calls_after_start_up(program: Path, run: Run, tmp_path: Path) -> None:
    assert run(calls=("state",), after="main").return_value == 0x1234
    (tmp_path / "a.bin").write_bytes(flat_bytes(read_image(program).firmware.segments))
    symbols = read_image(program).firmware.symbols
    state, main = f"{symbols['state']:#x}", f"{symbols['main']:#x}"
    assert run(tmp_path / "a.bin", base=FLASH, calls=(state,)).return_value == 0
    after = run(tmp_path / "a.bin", base=FLASH, calls=(state,), after=main)
    assert after.return_value == 0x1234


def test_warm_calls_take_less_time(run: Run) -> None:
    cold, warm = run(calls=("work(20,1)",)), run(calls=("work(20,1)", "work(20,1)"))
    assert cold.time is not None
    assert warm.time is not None
    assert warm.instructions == cold.instructions
    assert warm.time.cycles < cold.time.cycles
    uncached = run(calls=("work(20,1)", "work(20,1)"), has_caches=False)
    assert uncached.time is not None
    assert uncached.time.cycles > 2 * warm.time.cycles


@pytest.mark.parametrize("name", ["stm32f746g-disco", "nucleo-u575zi-q"])
def test_caches_are_switched_whatever_their_kind(tmp_path: Path, name: str) -> None:
    """Those of a core and one before the flash; a write of other control bits leaves them on."""
    board = load_board(name)
    path = link_cases(board, find_target_compiler(board.core), tmp_path)

    def cycles(call: str, has_caches: bool | None) -> int:
        options = ProgramOptions(calls=(call, call), has_caches=has_caches)
        time = simulate_program(path, board, options).time
        assert time is not None
        return time.cycles

    on, off, default = (cycles("work(20,1)", caches) for caches in (True, False, None))
    assert default == on < off
    controlled = cycles("control_then_work", True)
    assert controlled < cycles("control_then_work", False)
    assert controlled < on + (off - on) // 2


def test_files_are_put_into_memory(run: Run, tmp_path: Path) -> None:
    (tmp_path / "inbox.bin").write_bytes(bytes(range(10, 26)))
    load = f"{tmp_path / 'inbox.bin'}@inbox"
    for after in (None, "main"):
        result = run(calls=("sum_of_inbox",), loads=(load,), after=after)
        assert result.return_value == sum(range(10, 26))
    assert "does not say where to" in refusal(run, loads=("inbox.bin",)).what
    assert "no such file" in refusal(run, loads=(f"{tmp_path}/none@inbox",)).what
    assert "do not fit the memories" in refusal(run, loads=(f"{tmp_path}/inbox.bin@0x7000",)).what


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("writes_nowhere", r"wrote 4 bytes at 0x30000000, .* in writes_nowhere(\+0x\w+)? \("),
        ("jumps_nowhere", "jumped to 0x70000000, which is in no memory of"),
        ("endless", r"ran for 20000\d\d instructions and was not done; in endless"),
        ("sleeps", "sleeps for ever: .*; in sleeps"),
        ("undefined", "executed an undefined instruction; in undefined"),
        ("breaks", r"stopped at a breakpoint of its own \(0x1\); in breaks"),
        ("leaves", "leaves ended the program with exit status 3 instead of returning"),
        ("asks_with_a_wild_pointer", "the semihosting call 0x04 at 0x08.* points outside"),
    ],
)
def test_what_goes_wrong_is_said_and_where(run: Run, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run(calls=(name,))
    assert caught.value.help


@pytest.mark.parametrize("function", ["decode_block", "edge_cost"])
def test_code_whose_time_is_not_known_is_never_free(
    run: Run, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """Neither where its instructions are unknown nor where telling their time fails."""

    def refuse(*_: object) -> None:
        raise UnsupportedError("'odd' at 0x08000000: no instruction whose time is known")

    monkeypatch.setattr(timing, function, refuse)
    with pytest.raises(UnsupportedError, match=r"cases\.elf: 'odd' at .* whose time is known"):
        run(calls=("work(1)",))
    if function == "decode_block":
        assert "executed an undefined instruction" in refusal(run, calls=("undefined",)).what


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calls": ("work",), "start": "main"}, "--call and --from/--to exclude each other"),
        ({"after": "main"}, "--after is for --call"),
        ({"end": "return"}, "--to return is for --from FUNCTION"),
        ({"start": "main", "end": "main"}, "nothing is counted"),
        ({"pass_number": 2}, "--pass 2 counts passages .*, of which --from is missing"),
        ({"pass_number": 2, "start": "done"}, "of which --to is missing"),
        ({"calls": ("work(1,2,3,4,5)",)}, "has 5 arguments, allowed are 4"),
        ({"calls": ("work(",)}, r"--call 'work\(' is no list of calls"),
        ({"calls": ("work,",)}, "is no list of calls"),
        ({"calls": ("",)}, "is no list of calls"),
        ({"calls": ("work(nobody)",)}, r"--call work\(nobody\), argument nobody: .* no symbol"),
        ({"start": "0x40000000"}, "--from 0x40000000 is 0x40000000, where .* executes nothing"),
        ({"start": "jumps_nowhere"}, "exited with status 7 before it came to --from jumps_now"),
        ({"base": 0}, "an ELF file, which says itself where it belongs"),
        ({"vectors": 0x0800_0100}, "has no vector table for .*: found at 0x08000100 are"),
        ({"vectors": 0x7000_0000}, "0x70000000 is in none of its memories"),
        ({"stack": 0x2000_0002}, "--stack is 0x20000002, where no stack of words can end on"),
        ({"stack": 0x5000_0000, "calls": ("work",)}, "--stack is 0x50000000, where no stack"),
    ],
)
def test_options_that_do_not_fit(run: Run, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**options)


def test_an_image_for_another_board(program: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.hex"
    path.write_bytes(hex_text([Segment(0x1000_0000, b"1234")]))
    refused = refusal(run, path)
    assert "holds 4 bytes for 0x10000000, which do not fit the memories of" in refused.what
    assert "penstock boards" in refused.help


def test_without_a_vector_table_the_entry_point_counts(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.hex"
    code = bytes.fromhex("1820 0149 abbe fee7 2600 0200")  # movs, ldr, bkpt 0xab, b ., 0x20026
    path.write_bytes(hex_text([Segment(FLASH + 0x100, code)], FLASH + 0x101))
    result = run(path)
    assert (result.exit_status, result.instructions) == (0, 3)
    path.write_bytes(hex_text([Segment(FLASH + 0x100, code)]))
    assert "has no vector table" in refusal(run, path).what


def test_a_table_that_is_not_at_the_start_of_flash(program: Path, run: Run, tmp_path: Path) -> None:
    """As after a boot loader; the table itself is found at the start of the image."""
    flat = bytearray(flat_bytes(read_image(program).firmware.segments))
    table = flat[:8]
    path = tmp_path / "a.bin"
    path.write_bytes(b"\xff" * 8 + bytes(flat[8:]) + bytes(table))
    place = FLASH + len(flat)
    assert "has no vector table" in refusal(run, path, base=FLASH).what
    assert run(path, base=FLASH, vectors=place).exit_status == 7


def test_a_raw_image_at_a_wrong_base(program: Path, run: Run, tmp_path: Path) -> None:
    """Its table names code where nothing was loaded."""
    path = tmp_path / "a.bin"
    path.write_bytes(flat_bytes(read_image(program).firmware.segments))
    refused = refusal(run, path, base=RAM)
    assert "which should be the odd address of code that was loaded" in refused.what
    assert "--base is 0x8000001, an odd address" in refusal(run, path, base=FLASH + 1).what


def test_another_stack(run: Run) -> None:
    usual, moved = run(), run(stack=0x2000_4000)
    assert moved.instructions == usual.instructions


def test_hello_world_of_newlib(board: Board, tmp_path: Path) -> None:
    try:
        gcc = find_target_compiler(board.core, "gcc")
    except ToolError as error:
        pytest.skip(str(error))
    (tmp_path / "hello.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n"
        'int main(int argc, char **argv) { char *text = malloc(9); sprintf(text, "%d", argc);\n'
        '  printf("hello %s %.2f\\n", text, 1.5); fprintf(stderr, "beside\\n");\n'
        "  return clock() == (clock_t)-1 ? 9 : 5; }\n"
    )
    table = ".vectors : { LONG(stack_top) LONG(_start | 1) }"
    script = LINKER_SCRIPT.replace(".vectors : { KEEP(*(.vectors)) }", table)
    (tmp_path / "hello.ld").write_text(script.replace("> ram AT > flash", "> ram"))
    command = [*gcc.command, *gcc.flags, "-O2", "--specs=rdimon.specs", "-T", "hello.ld"]
    command += ["-Wl,--no-warn-rwx-segments", "hello.c", "-o", "hello.elf"]
    run_tool(command, {}, purpose="linking hello.elf", directory=tmp_path)
    result = simulate_program(
        tmp_path / "hello.elf", board, ProgramOptions(instruction_limit=LIMIT)
    )
    assert result.output == b"hello 0 1.50\nbeside\n"
    assert result.exit_status == 5


def test_firmware_of_ours_is_for_another_verb(elf: Path, run: Run) -> None:
    refused = refusal(run, elf, ignores_peripherals=True)
    assert "waits for commands" in refused.what
    assert "penstock run" in refused.help


def test_other_cores(tmp_path: Path) -> None:
    """This board's DMA controllers are described, but their registers are not modelled."""
    board = load_board("nucleo-l4r5zi")
    compiler = find_target_compiler(board.core)
    program = link_cases(board, compiler, tmp_path)
    result = simulate_program(program, board)
    assert (result.exit_status, result.output) == (7, PRINTED)
    assert result.time is not None
    calls = ProgramOptions(calls=("asks_the_second_dma_controller",))
    with pytest.raises(InputError, match=r"0x40020404, a register of 'dma2', which is not model"):
        simulate_program(program, board, calls)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32))
def test_damaged_programs_run_or_are_explained(
    program: Path, run: Run, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "damaged.bin"
    path.write_bytes(mutate(flat_bytes(read_image(program).firmware.segments), seed))
    try:
        run(path, base=FLASH, ignores_peripherals=bool(seed % 2), instruction_limit=50_000)
    except (InputError, UnsupportedError) as error:
        assert "damaged.bin" in error.what or "semihosting" in error.what
