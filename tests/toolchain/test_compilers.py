"""Compilers are found as asked, and what is missing is said with what to install."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from penstock.boards import Core
from penstock.errors import InputError, ToolError
from penstock.toolchain import CompilerFamily, compilers, find_host_compiler, find_target_compiler

M7 = Core("cortex-m7", "fpv5-sp-d16")


@pytest.fixture(autouse=True)
def _no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers.options, "preferred_compiler", lambda: None)


def _wish(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(compilers.options, "preferred_compiler", lambda: name)


@pytest.fixture
def only_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_which", lambda program: None)
    monkeypatch.setattr(compilers, "_has_zig", lambda: True)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_which", lambda program: None)
    monkeypatch.setattr(compilers, "_has_zig", lambda: False)


def test_zig_is_taken_where_gcc_is_missing(only_zig: None) -> None:
    assert find_host_compiler().family is CompilerFamily.ZIG
    target = find_target_compiler(M7)
    assert target.family is CompilerFamily.ZIG
    assert "-mcpu=cortex_m7+fp_armv8d16sp" in target.flags
    assert "-fno-unroll-loops" in target.flags
    assert "-fno-sanitize=undefined" in target.flags


@pytest.mark.parametrize(
    ("core", "target", "cpu"),
    [
        (Core("cortex-m4", "fpv4-sp-d16"), "thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
        (Core("cortex-m7", "fpv5-d16"), "thumb-freestanding-eabihf", "cortex_m7+fp_armv8d16"),
        (Core("cortex-m3", None), "thumb-freestanding-eabi", "cortex_m3"),
    ],
)
def test_zig_gets_the_floating_point_unit_of_the_core(
    only_zig: None, core: Core, target: str, cpu: str
) -> None:
    flags = find_target_compiler(core).flags
    assert flags[:3] == ("-target", target, f"-mcpu={cpu}")


def test_zig_keeps_its_caches_in_our_folder(
    only_zig: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compilers.options, "cache_directory", lambda: tmp_path)
    environment = dict(find_host_compiler().environment)
    assert environment["ZIG_GLOBAL_CACHE_DIR"] == str(tmp_path / "zig")


def test_an_unknown_floating_point_unit_is_refused(only_zig: None) -> None:
    with pytest.raises(ToolError, match=r"not known to support .* 'vfpv9'"):
        find_target_compiler(Core("cortex-m99", "vfpv9"))


def test_gcc_gets_the_core_and_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_which", lambda program: f"/bin/{program}")
    monkeypatch.setattr(compilers, "_has_newlib", lambda program, flags: True)
    hard = find_target_compiler(M7)
    assert hard.command == ("/bin/arm-none-eabi-gcc",)
    assert hard.flags == ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")
    soft = find_target_compiler(Core("cortex-m3", None))
    assert soft.flags == ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft")


def test_gcc_without_a_c_library_gets_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_which", lambda program: f"/bin/{program}")
    monkeypatch.setattr(compilers, "_has_newlib", lambda program, flags: False)
    found = find_target_compiler(M7)
    assert [source.name for source in found.support_sources] == ["memory.c"]
    assert "-nostdlib" in found.link_flags


def test_missing_compilers_say_what_to_install(nothing: None) -> None:
    with pytest.raises(ToolError) as target:
        find_target_compiler(M7)
    assert str(target.value) == (
        "no compiler for cortex-m7: arm-none-eabi-gcc not found on PATH, and the Python package "
        "'ziglang' is not installed\n  help: install one: `pip install ziglang`, or on Debian "
        "`apt install gcc-arm-none-eabi libnewlib-arm-none-eabi`"
    )
    with pytest.raises(ToolError, match="no C compiler for this machine: gcc, cc, clang not found"):
        find_host_compiler()


def test_a_wish_is_not_replaced_by_another_compiler(
    monkeypatch: pytest.MonkeyPatch, only_zig: None
) -> None:
    with pytest.raises(ToolError, match="arm-none-eabi-gcc not found on PATH"):
        find_target_compiler(M7, "gcc")
    _wish(monkeypatch, "gcc")
    with pytest.raises(ToolError, match="gcc, cc, clang not found on PATH"):
        find_host_compiler()


def test_a_wish_for_zig_without_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "_has_zig", lambda: False)
    with pytest.raises(ToolError, match="'ziglang' is not installed"):
        find_target_compiler(M7, "zig")


def test_clang_for_the_host_says_nothing_about_the_target(
    monkeypatch: pytest.MonkeyPatch, only_zig: None
) -> None:
    _wish(monkeypatch, "clang")
    assert find_target_compiler(M7).family is CompilerFamily.ZIG


def test_unknown_names_are_refused_with_the_legal_ones() -> None:
    with pytest.raises(InputError, match="unknown compiler 'tcc'") as caught:
        find_host_compiler("tcc")
    assert "choose one of: clang, gcc, zig" in str(caught.value)
    with pytest.raises(InputError, match="unknown compiler 'clang'"):
        find_target_compiler(M7, "clang")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on PATH")
def test_the_version_is_the_compilers_own() -> None:
    assert "gcc" in find_host_compiler("gcc").version


def test_this_environment_has_a_compiler() -> None:
    """Everything below rests on it."""
    assert shutil.which("gcc") or importlib.util.find_spec("ziglang")
