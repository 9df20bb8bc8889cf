"""Objects of the library are kept: the bytes are those that compiling gives."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from penstock.errors import ToolError
from penstock.toolchain import build, compile_objects, find_host_compiler

RUNTIME = Path(build.__file__).parents[1] / "runtime"
KERNEL = "kernels/reference/softmax_s8.c"
HEADER = "include/penstock/softmax.h"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled, in words."""
    seen: list[str] = []
    run = build._run

    def note(compiler: build.Compiler, command: Sequence[str], purpose: str) -> None:
        seen.append(purpose)
        run(compiler, command, purpose)

    monkeypatch.setattr(build, "_run", note)
    return seen


def project(folder: Path, kernel: str = KERNEL) -> Path:
    """A copy of the library, as a project has one."""
    shutil.copytree(RUNTIME / "include", folder / "include")
    (folder / kernel).parent.mkdir(parents=True)
    shutil.copyfile(RUNTIME / KERNEL, folder / kernel)
    return folder


def compiled_object(project: Path, kernel: str = KERNEL, flags: Sequence[str] = ("-g1",)) -> bytes:
    (made,) = compile_objects(
        find_host_compiler(), [project / kernel], project / "o", [project / "include"], flags=flags
    )
    return made.read_bytes()


def test_another_project_takes_what_the_first_compiled(
    tmp_path: Path, compiled: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compiled_object(project(tmp_path / "first"))
    assert compiled_object(project(tmp_path / "far" / "away")) == first
    assert len(compiled) == 1
    assert [path.suffix for path in cache.iterdir()] == [".o"]
    monkeypatch.setattr(build, "kept_object", lambda *_: None)
    assert compiled_object(project(tmp_path / "third")) == first
    assert len(compiled) == 2


def test_whatever_the_object_depends_on_counts(tmp_path: Path, compiled: list[str]) -> None:
    first = project(tmp_path / "first")
    compiled_object(first)
    compiled_object(first, flags=("-g1", "-O1"))
    assert len(compiled) == 2
    other_place = "src/softmax_s8.c"
    compiled_object(project(tmp_path / "second", other_place), other_place)
    assert len(compiled) == 3
    own = first / "include" / "penstock" / "own.h"
    own.write_text("")
    with (first / HEADER).open("a") as header:
        header.write('\n#include "penstock/own.h"\n')
    compiled_object(first)
    assert len(compiled) == 4
    own.write_text("extern int penstock_own;\n")
    compiled_object(first)
    compiled_object(first)
    assert len(compiled) == 5


def test_a_changed_source_is_compiled_and_not_kept(
    tmp_path: Path, compiled: list[str], cache: Path
) -> None:
    changed = project(tmp_path / "first")
    with (changed / KERNEL).open("a") as source:
        source.write("\nint penstock_own;\n")
    for count in (1, 2):
        assert b"penstock_own" in compiled_object(changed)
        assert len(compiled) == count
    assert not cache.exists()


def test_without_a_cache_everything_is_compiled(
    tmp_path: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "file"))
    made = project(tmp_path / "first")
    assert compiled_object(made) == compiled_object(made)
    assert len(compiled) == 2


def test_what_does_not_compile_leaves_nothing(
    tmp_path: Path, cache: Path, compiled: list[str]
) -> None:
    with pytest.raises(ToolError, match=r"compiling softmax_s8\.c"):
        compiled_object(project(tmp_path / "first"), flags=("-Werror", "-no-such-flag"))
    assert list(cache.iterdir()) == []
