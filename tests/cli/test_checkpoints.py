"""One run at a time has a folder of checkpoints, and takes nothing away that is another's."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from penstock.cli import checkpoints
from penstock.cli.checkpoints import sole_use
from penstock.errors import InputError

TAKEN = "another run keeps its checkpoints in '.*'"
Lock = Callable[[IO[str], int], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "new" / "deep" / "kept"


def left(folder: Path) -> list[str]:
    """What lies in the folder of a test."""
    top = folder.parents[2]
    return sorted(path.relative_to(top).as_posix() for path in top.rglob("*"))


def before_lock(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen once, between the opening of the lock's file and the lock."""
    system: Lock = fcntl.flock

    def flock(file: IO[str], how: int) -> None:
        monkeypatch.setattr(checkpoints.fcntl, "flock", system)
        happens()
        system(file, how)

    monkeypatch.setattr(checkpoints.fcntl, "flock", flock)


def test_one_run_at_a_time(folder: Path) -> None:
    for _ in range(2):
        with sole_use(folder):
            for _ in range(2):
                with pytest.raises(InputError, match=TAKEN), sole_use(folder):
                    raise AssertionError
            (folder / "train.pt").touch()
    assert left(folder) == ["new", "new/deep", "new/deep/kept", "new/deep/kept/train.pt"]


def test_what_was_opened_before_the_run_that_had_it_ended_locks_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That file is unlinked: a third run would make another, and come in, too."""
    first = sole_use(folder)
    first.__enter__()
    before_lock(monkeypatch, lambda: bool(first.__exit__(None, None, None)))
    with sole_use(folder):
        assert (folder / ".lock").is_file()
        with pytest.raises(InputError, match=TAKEN), sole_use(folder):
            raise AssertionError
    assert left(folder) == []


def test_a_run_that_comes_between_keeps_its_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, third = sole_use(folder), sole_use(folder)
    first.__enter__()

    def another_comes() -> None:
        first.__exit__(None, None, None)
        third.__enter__()

    before_lock(monkeypatch, another_comes)
    with pytest.raises(InputError, match=TAKEN), sole_use(folder):
        raise AssertionError
    assert (folder / ".lock").is_file()
    third.__exit__(None, None, None)
    assert left(folder) == []


def test_a_folder_that_vanishes_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the run that made it ends before this one has opened the file in it."""
    system, vanished = Path.open, []

    def open_late(path: Path, mode: str) -> IO[str]:
        if not vanished:
            vanished.append(path)
            path.parent.rmdir()
            path.parent.parent.rmdir()
        return system(path, mode)  # type: ignore[return-value]

    monkeypatch.setattr(Path, "open", open_late)
    with sole_use(folder):
        assert (folder / ".lock").is_file() and vanished == [folder / ".lock"]
    assert left(folder) == []


def test_only_folders_that_were_made_go_and_only_empty_ones(folder: Path) -> None:
    folder.parent.parent.mkdir()

    def refuse(folder: Path) -> None:
        with pytest.raises(InputError), sole_use(folder):
            raise InputError("no")

    refuse(folder)
    assert left(folder) == ["new"]
    folder.mkdir(parents=True)
    refuse(folder)
    assert left(folder) == ["new", "new/deep", "new/deep/kept"]
    folder.rmdir()
    with pytest.raises(KeyboardInterrupt), sole_use(folder, is_kept=False):
        (folder / "train.pt").touch()
        raise KeyboardInterrupt
    assert left(folder)[2:] == ["new/deep/kept", "new/deep/kept/train.pt"]


def test_checkpoints_that_are_not_kept_go_with_their_folder_when_all_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the lock is given up: afterwards they are another run's."""
    folder.mkdir(parents=True)
    for name in ("train.pt", ".checkpoint.x"):
        (folder / name).touch()
    system = Path.unlink
    seen = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        with pytest.raises(InputError, match=TAKEN), sole_use(folder):
            raise AssertionError
        seen.append(path.name)
        system(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        with sole_use(folder, is_kept=False):
            pass
    assert sorted(seen) == [".checkpoint.x", ".lock", "train.pt"]
    assert left(folder) == ["new", "new/deep"]
    with sole_use(folder, is_kept=False):
        (folder / "train.pt").touch()
        (folder / "notes.txt").touch()
    assert left(folder)[2:] == ["new/deep/kept", "new/deep/kept/notes.txt"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_the_system_has_no_locks_a_run_goes_on(
    code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flock(_file: IO[str], _how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(checkpoints.fcntl, "flock", flock)
    with sole_use(folder):
        said = " ".join(capsys.readouterr().err.split())
        assert f"warning: nothing keeps other runs out of '{folder}'" in said
        assert said.endswith(os.strerror(code).lower())
    assert left(folder) == []


def test_what_cannot_be_written_is_said(folder: Path) -> None:
    (folder / ".lock").mkdir(parents=True)
    with pytest.raises(InputError, match=r"cannot keep checkpoints in '.*': it is a folder"):
        sole_use(folder).__enter__()
    (folder.parent / "file").touch()
    with pytest.raises(InputError, match="a part of the path is a file, not a folder"):
        sole_use(folder.parent / "file" / "kept").__enter__()


def test_of_the_processes_of_torchrun_only_the_first_locks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sole_use(folder):
        monkeypatch.setenv("RANK", "1")
        with sole_use(folder, is_kept=False):
            (folder / "train.pt").touch()
        assert (folder / "train.pt").is_file()
        monkeypatch.delenv("RANK")
    monkeypatch.setenv("RANK", "1")
    other = folder.with_name("other")
    with sole_use(other):
        assert not other.exists()
