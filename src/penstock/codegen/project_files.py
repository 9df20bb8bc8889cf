"""A generated project on disk: written whole or not at all."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import InputError, os_reason
from penstock.planning.options import DEFAULT_PLAN_OPTIONS, PlanOptions, parse_plan_options

MANIFEST = "penstock.json"
MODEL_COPY = "model.tflite"
FILE_LIST = "penstock-files.txt"
_SCHEMA = "penstock.project/2"
_OPTIONAL = ("firmware_sha256",)


@dataclass(frozen=True, slots=True)
class ProjectManifest:
    """What a project was made from, so that it can be run and checked later.

    Attributes:
        name: the model's C identifier.
        model: file name of the model that was compiled; its copy is ``model.tflite``.
        board: board compiled for, or ``host``.
        planning: what was asked of the plan.
        firmware_sha256: digest of the linked firmware; None where none was linked.
    """

    name: str
    model: str
    board: str
    planning: PlanOptions = DEFAULT_PLAN_OPTIONS
    firmware_sha256: str | None = None

    def to_json(self) -> str:
        """Return the text of ``penstock.json``."""
        document = {"schema": _SCHEMA, **{key: getattr(self, key) for key in self.__slots__}}
        document["planning"] = self.planning.to_json()
        return json.dumps(document, indent=2) + "\n"


def read_manifest(directory: Path) -> ProjectManifest:
    """Return the manifest of a project.

    Raises:
        InputError: the folder is not a Penstock project, or its manifest is damaged.
    """
    path = directory / MANIFEST
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != _SCHEMA:
            raise InputError(
                f"{str(path)!r} has schema {document['schema']!r}, not {_SCHEMA!r}",
                help="it is of another version of Penstock: compile the model again",
            )
        texts = [key for key in ProjectManifest.__slots__ if key != "planning"]
        return ProjectManifest(
            **{key: _text(document, key) for key in texts},
            planning=parse_plan_options(document["planning"]),
        )
    except FileNotFoundError:
        raise InputError(
            f"{str(directory)!r} is not a Penstock project: it has no {MANIFEST}",
            help="make one with `penstock compile MODEL.tflite --board NAME -o DIR`",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is damaged: {error}") from error


def _text(document: dict[str, Any], key: str) -> Any:
    """Return a member that is a text, or may be null; raises ValueError where it is not."""
    value = document[key]
    if isinstance(value, str) or (value is None and key in _OPTIONAL):
        return value
    raise ValueError(f"{key} is {value!r}, not a text")


def digest_firmware(content: bytes) -> str:
    """Return what a manifest knows a firmware file by."""
    return hashlib.sha256(content).hexdigest()


def check_firmware(elf: Path, manifest: ProjectManifest) -> None:
    """Raise InputError unless a project's firmware file is what its manifest was written with."""
    try:
        found = digest_firmware(elf.read_bytes())
    except OSError as error:
        raise InputError(f"{str(elf)!r} cannot be read: {os_reason(error)}") from error
    if found != manifest.firmware_sha256:
        wanted = manifest.firmware_sha256 or "none"
        raise InputError(
            f"{str(elf)!r} is not the firmware that this project was compiled with: its SHA-256 "
            f"is {found[:12]}…, {MANIFEST} says {wanted[:12]}{'…' if wanted != 'none' else ''}",
            help="compile the model again; to run any firmware, use `penstock simulate`",
        )


def check_replaceable(directory: Path) -> None:
    """Raise InputError unless ``directory`` can become a project without losing others' files."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(
            f"output {str(directory)!r} exists and is not a folder", help="choose another name"
        )
    if not directory.is_dir():
        return
    if directory.resolve() == Path.cwd():
        raise InputError(
            "the output folder is the current folder, which cannot be replaced as a whole",
            help="run the command from another folder, or give -o a folder of its own",
        )
    if foreign := _foreign_files(directory):
        raise InputError(
            f"output folder {str(directory)!r} holds files that Penstock did not make: "
            f"{', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}",
            help="choose a new or empty folder, or move them away; nothing was changed",
        )


def listed_files(directory: Path) -> set[str]:
    """Return the relative paths that a project's list says Penstock wrote; empty without a list."""
    try:
        return set((directory / FILE_LIST).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return set()


def _foreign_files(directory: Path) -> list[str]:
    """Return what is in a folder beside the files that its list says Penstock wrote."""
    listed = listed_files(directory)
    found = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    names = sorted(path.relative_to(directory).as_posix() for path in found)
    return [name for name in names if name not in listed]


def write_project(files: Mapping[str, bytes], directory: Path) -> None:
    """Write all files, then put the folder in place by renaming; an earlier project is replaced.

    A list of the files is written with them, so that a later replacement can tell them from files
    that somebody added.

    Raises:
        InputError: the folder holds other files, or cannot be written (read-only, disk full).
    """
    check_replaceable(directory)
    listed = "".join(f"{name}\n" for name in sorted({*files, FILE_LIST}))
    staging: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
        _fill(staging / "new", {**files, FILE_LIST: listed.encode()})
        _replace(directory, staging)
    except OSError as error:
        raise InputError(
            f"cannot write the project to {str(directory)!r}: {error.strerror or error}"
            + (f" ({error.filename})" if error.filename else ""),
            help="check the folder's permissions and the free disk space; nothing was changed",
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _replace(directory: Path, staging: Path) -> None:
    """Move ``staging/new`` to ``directory``; what was there goes, or comes back on failure."""
    old = staging / "old"
    try:
        if directory.exists():
            directory.rename(old)
        (staging / "new").rename(directory)
    except BaseException:
        if old.exists() and not directory.exists():
            old.rename(directory)
        raise


def _fill(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir()
    for relative, content in files.items():
        path = directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
