"""Folders that cannot be written: another is found, or the error says which and what to set."""

import tempfile
from pathlib import Path

import pytest

from penstock import options
from penstock.errors import ToolError
from penstock.toolchain import cache, cached_shared_library, compile_shared_library, process
from penstock.toolchain.folders import writable_cache_directory


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "seven.c"
    path.write_text("int seven(void);\nint seven(void) { return 7; }\n")
    return path


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a cache folder that cannot be made, not even by root; temporary files go to tmp."""
    (tmp_path / "file").write_bytes(b"")
    directory = tmp_path / "file" / "penstock"
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(options, "cache_directory", lambda: directory)
    monkeypatch.setattr(options, "is_cache_chosen", lambda: False)
    return directory


def test_without_a_home_the_cache_is_a_private_temporary_folder(
    blocked: Path, tmp_path: Path, source: Path
) -> None:
    library = cached_shared_library("seven", [source])
    assert library.is_relative_to(tmp_path / "tmp")
    spare = writable_cache_directory()
    assert library.is_relative_to(spare)
    assert spare.stat().st_mode & 0o077 == 0
    assert cached_shared_library("seven", [source]) == library


@pytest.mark.parametrize("kind", ["writable by others", "link"])
def test_a_temporary_cache_that_others_control_is_not_trusted(
    blocked: Path, tmp_path: Path, kind: str
) -> None:
    spare = writable_cache_directory()
    if kind == "link":
        spare.rename(tmp_path / "elsewhere")
        spare.symlink_to(tmp_path / "elsewhere")
    else:
        spare.chmod(0o777)
    with pytest.raises(ToolError, match="cannot write the cache folder"):
        writable_cache_directory()


def test_a_cache_that_was_asked_for_is_not_replaced(
    blocked: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    monkeypatch.setattr(options, "is_cache_chosen", lambda: True)
    with pytest.raises(ToolError) as caught:
        cached_shared_library("seven", [source])
    assert str(caught.value) == (
        f"cannot write the cache folder '{blocked}': Not a directory\n"
        "  help: set PENSTOCK_CACHE to a folder that can be written"
    )


def test_whether_the_cache_was_chosen() -> None:
    assert options.is_cache_chosen({"PENSTOCK_CACHE": "somewhere"})
    assert not options.is_cache_chosen({"PENSTOCK_CACHE": "", "HOME": "somewhere"})


def test_a_filled_cache_may_be_read_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path
) -> None:
    monkeypatch.setattr(options, "cache_directory", lambda: tmp_path / "cache")
    library = cached_shared_library("seven", [source])

    def refuse() -> Path:
        raise AssertionError("nothing is to be written")

    monkeypatch.setattr(cache, "writable_cache_directory", refuse)
    assert cached_shared_library("seven", [source]) == library


def test_a_result_that_cannot_be_written_is_explained(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ToolError, match=r"cannot write seven\.so: .* \(.*file.*\)") as caught:
        compile_shared_library([source], tmp_path / "file" / "seven.so")
    assert f"check the permissions of '{tmp_path / 'file'}'; free space in" in caught.value.help


@pytest.mark.parametrize("words", ["No space left on device", "error: NoSpaceLeft"])
def test_a_full_disk_names_the_folders_to_free(blocked: Path, tmp_path: Path, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        process.run_tool(["/bin/sh", "-c", f"echo {words} >&2; exit 1"], {}, purpose="testing")
    assert caught.value.help == (
        f"free space in the temporary folder '{tmp_path / 'tmp'}' (TMPDIR moves it), in the cache "
        f"'{blocked}' (PENSTOCK_CACHE moves it) and where the result goes"
    )


def test_other_failures_do_not_blame_the_disk() -> None:
    with pytest.raises(ToolError) as caught:
        process.run_tool(["/bin/sh", "-c", "exit 1"], {}, purpose="testing")
    assert not caught.value.help
