"""Objects of the library are kept: the bytes are those that compiling gives."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.boards.board import Core
from penstock.errors import ToolError
from penstock.toolchain import (
    build,
    compile_objects,
    compilers,
    find_host_compiler,
    find_target_compiler,
    kept_objects,
)
from penstock.toolchain.kept_objects import Job, compile_kept, trim

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
    assert [path.suffix for path in cache.iterdir()] == [".kept"]
    monkeypatch.setattr(build, "compile_kept", lambda _job, target, compile_to: compile_to(target))
    assert compiled_object(project(tmp_path / "third")) == first
    assert len(compiled) == 2


def test_whatever_the_object_depends_on_counts(
    tmp_path: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    for number, name in enumerate(("one", "two")):  # of one length
        own.write_text(f"extern int penstock_{name};\n")
        compiled_object(first)
        compiled_object(first)
        assert len(compiled) == 5 + number
    monkeypatch.setattr(build, "STANDARD_FLAGS", ("-std=c11", "-O2"))
    compiled_object(first)
    assert len(compiled) == 7


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
    assert not cache.exists()


class Compiling:
    """Stands for a compiler: counts, and writes the count."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: Path) -> None:
        self.count += 1
        target.write_bytes(b"object %d" % self.count)


def job(folder: Path) -> Job:
    made = project(folder)
    flags = (*build.STANDARD_FLAGS, "-g1")
    return Job(made / KERNEL, find_host_compiler(), flags, (made / "include",), made)


def counted(given: Job, compiling: Compiling, target: Path) -> int:
    """Return how often it was compiled in the end."""
    compile_kept(given, target, compiling)
    assert target.read_bytes().startswith(b"object ")
    return compiling.count


def wrapper(path: Path, version: str, flags: str = "") -> str:
    """A compiler of its own name, or of its own version, or for its own processor."""
    real = find_host_compiler().command[0]
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *--version) echo {version};; *) exec {real} "$@" {flags};; esac\n'
    )
    path.chmod(0o755)
    compilers._version.cache_clear()
    kept_objects._surroundings.cache_clear()
    return str(path)


def test_compilers_are_told_apart(tmp_path: Path) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    assert counted(first, compiling, target) == 1

    def count_with(program: str) -> int:
        given = replace(first, compiler=replace(first.compiler, command=(program,)))
        counted(given, compiling, target)
        return counted(given, compiling, target)

    assert count_with(wrapper(tmp_path / "cc", "1.0")) == 2
    assert count_with(wrapper(tmp_path / "other", "1.0")) == 3
    assert count_with(wrapper(tmp_path / "cc", "1.1")) == 4
    assert count_with(wrapper(tmp_path / "cc", "1.0", "-D__another_processor__")) == 5
    assert count_with(wrapper(tmp_path / "cc", "1.0")) == 5


def test_processors_are_told_apart_where_nothing_is_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"int own;\n"
    shipped = {"own.c": frozenset({hashlib.sha256(content).hexdigest()})}
    monkeypatch.setattr(kept_objects, "_shipped", lambda: shipped)
    (tmp_path / "own.c").write_bytes(content)
    first = replace(job(tmp_path / "first"), source=tmp_path / "own.c")
    compiling, target = Compiling(), tmp_path / "o.o"
    for count, flags in ((1, ""), (2, "-D__another_processor__"), (2, "")):
        program = wrapper(tmp_path / "cc", "1.0", flags)
        given = replace(first, compiler=replace(first.compiler, command=(program,)))
        assert counted(given, compiling, target) == count


def test_cores_and_flags_are_told_apart(tmp_path: Path) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    cores = [Core("cortex-m4", None), Core("cortex-m7", None), Core("cortex-m4", "fpv4-sp-d16")]
    jobs = [replace(first, compiler=find_target_compiler(core, "gcc")) for core in cores]
    jobs += [replace(first, flags=flags) for flags in ((), ("-O2",), ("-O2", "-fPIC"))]
    for _ in range(2):
        for given in jobs:
            compile_kept(given, target, compiling)
    assert compiling.count == len(jobs)


def test_the_compilers_headers_and_the_environment_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    assert counted(first, compiling, target) == 1
    (tmp_path / "headers").mkdir()
    monkeypatch.setenv("CPATH", str(tmp_path / "headers"))
    assert counted(first, compiling, target) == 1, "it holds nothing that is included"
    (tmp_path / "headers" / "stdint.h").write_text("#include_next <stdint.h>\nextern int own;\n")
    kept_objects._surroundings.cache_clear()
    assert counted(first, compiling, target) == 2
    monkeypatch.delenv("CPATH")
    assert counted(first, compiling, target) == 2


def test_a_header_is_looked_for_where_compilers_do(tmp_path: Path) -> None:
    """Quoted ones beside the source first; a project's own may have a system header's name."""
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    include = first.include_dirs[0]
    with (include / "penstock" / "softmax.h").open("a") as header:
        header.write('\n#include "near.h"\n#include <stdint.h>\n')
    (include / "near.h").write_text("extern int far;\n")
    (include / "penstock" / "near.h").write_text("extern int one;\n")
    assert counted(first, compiling, target) == 1
    (include / "near.h").write_text("extern int not_read;\n")
    assert counted(first, compiling, target) == 1
    (include / "penstock" / "near.h").write_text("extern int two;\n")
    assert counted(first, compiling, target) == 2
    (include / "stdint.h").write_text("#include_next <stdint.h>\n")
    assert counted(first, compiling, target) == 3


def test_what_a_macro_includes_is_not_kept(tmp_path: Path) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    with (first.include_dirs[0] / "penstock" / "softmax.h").open("a") as header:
        header.write("\n#define WHICH <stdint.h>\n#include WHICH\n")
    assert [counted(first, compiling, target) for _ in range(2)] == [1, 2]


def test_places_count_only_where_the_object_names_them(tmp_path: Path) -> None:
    compiling, target = Compiling(), tmp_path / "o.o"
    for number, flags in ((1, ("-O2",)), (3, ("-O2", "-g1"))):
        for name in ("first", "second"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            compile_kept(
                replace(job(tmp_path / name), begin=tmp_path, flags=flags), target, compiling
            )
        assert compiling.count == number


@pytest.mark.parametrize("damage", ["empty", "cut", "a bit", "a folder", "a loop"])
def test_what_is_damaged_is_compiled_again(tmp_path: Path, cache: Path, damage: str) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    assert counted(first, compiling, target) == 1
    (place,) = cache.iterdir()
    whole = place.read_bytes()
    place.unlink()
    if damage == "a folder":
        place.mkdir()
    elif damage == "a loop":
        place.symlink_to(place)
    else:
        bad = bytes([*whole[:-1], whole[-1] ^ 1])
        place.write_bytes({"empty": b"", "cut": whole[:-1], "a bit": bad}[damage])
    assert counted(first, compiling, target) == 2
    assert counted(first, compiling, target) == (3 if damage == "a folder" else 2)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    cache.parent.mkdir()
    cache.touch()  # in the folder's place
    assert [counted(first, compiling, target) for _ in range(2)] == [1, 2]
    cache.unlink()
    assert [counted(first, compiling, target) for _ in range(2)] == [3, 3]

    def refuse() -> Path:
        raise ToolError("read-only")

    monkeypatch.setattr(kept_objects, "writable_cache_directory", refuse)
    assert counted(first, compiling, target) == 3, "one that was filled serves as well"


def test_what_changes_while_it_is_compiled_is_not_kept(tmp_path: Path, cache: Path) -> None:
    first, target = job(tmp_path / "first"), tmp_path / "o.o"
    header = first.include_dirs[0] / "penstock" / "softmax.h"

    def compile_to(out: Path) -> None:
        out.write_bytes(b"object")
        header.write_text(header.read_text("utf-8") + "\n", "utf-8")

    compile_kept(first, target, compile_to)
    assert target.read_bytes() == b"object" and not cache.exists()


def test_files_come_into_the_cache_whole(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends while it writes leaves nothing that the next would take."""

    def end(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:5])
        raise KeyboardInterrupt

    first = job(tmp_path / "first")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", end)
        with pytest.raises(KeyboardInterrupt):
            compile_kept(first, tmp_path / "o.o", Path.touch)
    assert list(cache.iterdir()) == []


def test_the_oldest_go_first(tmp_path: Path) -> None:
    (tmp_path / ".left").mkdir()
    places = [tmp_path / name for name in ("new", "old", ".left/older", "older", "used")]
    for place, second in zip(places, (40, 20, 5, 10, 30), strict=True):
        place.write_bytes(bytes(10))
        os.utime(place, (second, second))
    trim(tmp_path, 50)
    assert all(place.exists() for place in places)
    trim(tmp_path, 49)
    assert [place.name for place in places if place.exists()] == ["new", "used"]


def test_what_is_used_is_the_newest(tmp_path: Path, cache: Path) -> None:
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    counted(first, compiling, target)
    (place,) = cache.iterdir()
    os.utime(place, (1, 1))
    counted(first, compiling, target)
    assert place.stat().st_mtime > 1


def test_a_full_cache_is_trimmed(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(kept_objects, "trim", lambda _, limit_bytes: seen.append(limit_bytes))
    first, compiling, target = job(tmp_path / "first"), Compiling(), tmp_path / "o.o"
    for number in range(64):
        counted(replace(first, flags=(f"-DN={number}",)), compiling, target)
    found = sum(place.stem.endswith("0") for place in cache.iterdir())
    assert seen == [kept_objects.LIMIT_BYTES] * found and found > 0
