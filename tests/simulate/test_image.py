"""Images of every format are read the same, and damaged ones are explained."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.boards import Board
from penstock.errors import InputError, ToolError
from penstock.simulate.image import Image, ImageFormat, read_image
from penstock.toolchain import find_target_compiler
from penstock.toolchain.process import run_tool
from tests.mutations import mutate
from tests.simulate.images import FLASH, RAM, flat_bytes, hex_text, link_cases

NO_CRASH = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def elf(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_cases(board, find_target_compiler(board.core), tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def image(elf: Path) -> Image:
    return read_image(elf)


def refusal(path: Path, base: int | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_image(path, base)
    return caught.value


def test_an_elf_file_tells_where_data_are_copied_to(image: Image) -> None:
    assert image.format is ImageFormat.ELF
    assert image.holds(FLASH)
    assert not image.holds(RAM)
    assert image.entry == image.firmware.symbols["Reset_Handler"]
    assert [(s.address, s.content[:4]) for s in image.initialized] == [(RAM, b"\x34\x12\0\0")]


def test_all_formats_hold_the_same_bytes(image: Image, tmp_path: Path) -> None:
    segments = image.firmware.segments
    (tmp_path / "a.hex").write_bytes(hex_text(segments, (image.entry or 0) | 1))
    (tmp_path / "a.bin").write_bytes(flat_bytes(segments))
    of_hex, of_bin = read_image(tmp_path / "a.hex"), read_image(tmp_path / "a.bin", FLASH)
    assert (of_hex.format, of_bin.format) == (ImageFormat.HEX, ImageFormat.BINARY)
    assert (of_hex.entry, of_bin.entry) == (image.entry, None)
    assert flat_bytes(of_hex.firmware.segments) == flat_bytes(segments)
    assert flat_bytes(of_bin.firmware.segments) == flat_bytes(segments)
    assert not of_hex.firmware.symbols


def test_files_of_the_real_objcopy(elf: Path, image: Image, board: Board, tmp_path: Path) -> None:
    try:
        find_target_compiler(board.core, "gcc")
    except ToolError as error:
        pytest.skip(str(error))
    for form, name in (("ihex", "a.hex"), ("binary", "a.bin")):
        command = ["arm-none-eabi-objcopy", "-O", form, str(elf), str(tmp_path / name)]
        run_tool(command, {}, purpose="converting")
    whole = flat_bytes(image.firmware.segments)
    assert flat_bytes(read_image(tmp_path / "a.hex").firmware.segments) == whole
    assert flat_bytes(read_image(tmp_path / "a.bin", FLASH).firmware.segments) == whole


def test_places_are_symbols_and_addresses_with_offsets(image: Image) -> None:
    work = image.firmware.symbols["work"]
    assert work % 2 == 0
    assert image.resolve("work", "--to") == work
    assert image.resolve("work+0x10", "--to") == image.resolve("work+16", "--to") == work + 16
    assert image.resolve("0x08000100", "--to") == image.resolve("134217984", "--to") == 0x0800_0100
    assert image.resolve("0x08000100+4", "--to") == 0x0800_0104


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wrok", "--to: cases.elf has no symbol 'wrok'\n  help: did you mean 'work'?"),
        ("", "--to is empty"),
        ("0xffffffff+1", "beyond the 32-bit address space"),
        ("-4", "has no symbol '-4'|beyond the 32-bit address space"),
    ],
)
def test_wrong_places_are_explained(image: Image, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        image.resolve(text, "--to")


def test_without_symbols_an_address_is_asked_for(image: Image, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1234")
    with pytest.raises(InputError, match="the file has no symbols: give an address"):
        read_image(path, FLASH).resolve("work", "--from")


def test_files_that_are_no_image(elf: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    assert "cannot be read: there is no such file" in refusal(tmp_path / "none").what
    path.write_bytes(b"")
    assert "is empty" in refusal(path).what
    path.write_bytes(b"1234")
    assert "neither ELF nor Intel HEX" in refusal(path).what
    assert "--base ADDRESS" in refusal(path).help
    assert "does not end within the 32-bit address space" in refusal(path, 0xFFFF_FFFE).what
    assert "leave out --base" in refusal(elf, FLASH).help
    (tmp_path / "a.hex").write_bytes(b":00000001FF\n")
    assert "holds no data" in refusal(tmp_path / "a.hex").what


def test_elf_files_that_are_no_firmware(board: Board, elf: Path, tmp_path: Path) -> None:
    whole = elf.read_bytes()
    path = tmp_path / "a.elf"
    path.write_bytes(whole[:18] + b"\x3e\0" + whole[20:])
    assert "allowed is 32-bit little-endian Arm" in refusal(path).what
    path.write_bytes(whole[:40])
    assert "ELF file" in refusal(path).what
    compiler = find_target_compiler(board.core)
    (tmp_path / "a.c").write_text("int f(void) { return 1; }")
    command = [*compiler.command, *compiler.flags, "-c", str(tmp_path / "a.c"), "-o", str(path)]
    run_tool(command, dict(compiler.environment), purpose="compiling")
    assert "an object file that is not linked and holds nothing to load" in refusal(path).what


def test_cut_off_segments_are_noticed(elf: Path, tmp_path: Path) -> None:
    whole = bytearray(elf.read_bytes())
    table = int.from_bytes(whole[28:32], "little")
    stated = int.from_bytes(whole[table + 16 : table + 20], "little")
    whole[table + 16 : table + 20] = (stated + len(whole)).to_bytes(4, "little")
    path = tmp_path / "a.elf"
    path.write_bytes(whole)
    assert "is cut off" in refusal(path).what


@NO_CRASH
@given(st.integers(0, 2**32))
def test_damaged_elf_files_are_read_or_explained(elf: Path, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "damaged.elf"
    path.write_bytes(mutate(elf.read_bytes(), seed))
    try:
        read_image(path, FLASH if seed % 2 else None)
    except InputError as error:
        assert str(path) in error.what


@NO_CRASH
@given(st.integers(0, 63), st.integers(0, 2**32 - 1))
def test_hostile_elf_headers_are_read_or_explained(
    elf: Path, tmp_path: Path, position: int, word: int
) -> None:
    path = tmp_path / "damaged.elf"
    whole = bytearray(elf.read_bytes())
    whole[position : position + 4] = word.to_bytes(4, "little")
    path.write_bytes(whole)
    try:
        read_image(path)
    except InputError as error:
        assert str(path) in error.what
