"""A project appears whole or not at all, and never at the cost of somebody else's files."""

import os
from pathlib import Path

import pytest

from penstock.codegen.project_files import (
    FILE_LIST,
    MANIFEST,
    ProjectManifest,
    check_firmware,
    check_replaceable,
    digest_firmware,
    read_manifest,
    write_project,
)
from penstock.errors import InputError
from penstock.planning.options import PlanOptions

FILES = {"net.c": b"int x;\n", "kernels/a.c": b"int y;\n"}


def manifest(name: str = "net") -> bytes:
    return ProjectManifest(name, "net.tflite", "host").to_json().encode()


def test_all_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_project(FILES, tmp_path / "deep" / "out")
    found = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    listed = found.pop(f"deep/out/{FILE_LIST}").decode().splitlines()
    assert found == {f"deep/out/{name}": content for name, content in FILES.items()}
    assert listed == sorted([*FILES, FILE_LIST])


def test_an_earlier_project_is_replaced_completely(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_project({**FILES, MANIFEST: manifest()}, out)
    write_project({"other.c": b"", MANIFEST: manifest("other")}, out)
    assert sorted(path.name for path in out.iterdir()) == ["other.c", FILE_LIST, MANIFEST]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_foreign_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds files that Penstock did not make"):
        write_project(FILES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_files_added_to_a_project_are_never_deleted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_project({**FILES, MANIFEST: manifest()}, out)
    (out / "kernels" / "mine.c").write_text("int mine;")
    with pytest.raises(InputError, match=r"did not make: kernels/mine\.c"):
        write_project({**FILES, MANIFEST: manifest()}, out)
    assert (out / "kernels" / "mine.c").read_text() == "int mine;"
    (out / "kernels" / "mine.c").unlink()
    write_project({"other.c": b"", MANIFEST: manifest("other")}, out)


def test_the_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is the current folder"):
        check_replaceable(Path())


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        check_replaceable(tmp_path / "out")


@pytest.mark.parametrize("moment", ["write_bytes", "rename"])
def test_an_interruption_leaves_the_earlier_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    out = tmp_path / "out"
    write_project({**FILES, MANIFEST: manifest()}, out)
    original = getattr(Path, moment)

    def interrupted(path: Path, *arguments: object) -> object:
        if moment == "write_bytes" or path.name == "new":
            raise KeyboardInterrupt
        return original(path, *arguments)

    monkeypatch.setattr(Path, moment, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_project({"other.c": b"", MANIFEST: manifest()}, out)
    monkeypatch.undo()
    assert (out / "net.c").read_bytes() == FILES["net.c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_a_read_only_folder_is_explained(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write the project"):
        write_project(FILES, tmp_path / "out")


def test_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_project(FILES, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_survives_the_disk(tmp_path: Path) -> None:
    written = ProjectManifest(
        "net",
        "a b.tflite",
        "host",
        PlanOptions(weights_in="flash", reserve=(("a", 7),)),
        "0123" * 16,
    )
    (tmp_path / MANIFEST).write_text(written.to_json())
    assert read_manifest(tmp_path) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"schema": "penstock.project/9"}', "has schema"),
        ('{"schema": "penstock.project/1"}', "compile the model again"),
        ('{"schema": "penstock.project/2"}', "is damaged"),
        (manifest().decode().replace('"net"', "7"), "is damaged: name is 7, not a text"),
        (
            manifest().decode().replace('weights_in": null', 'weights_in": [1]'),
            r"is damaged: weights_in is \[1\], not a text",
        ),
        (manifest().decode().replace("true", "1"), "is damaged: overlays is 1, not true or false"),
        (
            manifest().decode().replace('reserve": {}', 'reserve": {"a": "1"}'),
            "is damaged: reserve is {'a': '1'}, not bytes by memory region",
        ),
    ],
)
def test_a_damaged_manifest_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_firmware_is_known_by_its_bytes(tmp_path: Path) -> None:
    elf = tmp_path / "net.elf"
    elf.write_bytes(b"linked by us")
    ours = ProjectManifest(
        "net", "net.tflite", "b", firmware_sha256=digest_firmware(b"linked by us")
    )
    check_firmware(elf, ours)
    elf.write_bytes(b"linked by ut")
    with pytest.raises(InputError, match=r"is [0-9a-f]{12}…, penstock\.json says [0-9a-f]{12}…"):
        check_firmware(elf, ours)
    unchecked = ProjectManifest("net", "net.tflite", "b")
    with pytest.raises(InputError, match=r"penstock\.json says none\n  help: compile"):
        check_firmware(elf, unchecked)
    with pytest.raises(InputError, match="cannot be read: it is a folder"):
        check_firmware(tmp_path, ours)


def test_a_folder_that_is_no_project_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Penstock project"):
        read_manifest(tmp_path)
