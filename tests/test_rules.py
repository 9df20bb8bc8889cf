"""Rules of ARCHITECTURE.md beside the layers: who may import what, where boards are named."""

import ast
from pathlib import Path

import pytest

from penstock.boards import board_names

SOURCE = Path(__file__).parents[1] / "src" / "penstock"
MODULES = sorted(SOURCE.rglob("*.py"))

ALLOWED = {
    "torch": ("design/", "frontends/torch/"),
    "onnx": ("frontends/onnx/",),
    "subprocess": ("toolchain/",),
    "jinja2": ("codegen/", "report/"),
    "unicorn": ("simulate/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "tflite": ("frontends/tflite/",),
    "flatbuffers": ("frontends/tflite/",),
}
"""Packages that only some rooms may import."""


def imported_packages(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def room_of(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    users = [room_of(module) for module in MODULES if package in imported_packages(module)]
    assert users, "nobody imports it: the rule is stale"
    assert [user for user in users if not user.startswith(ALLOWED[package])] == []


def test_only_options_reads_the_environment() -> None:
    readers = [
        room_of(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert set(readers) == {"options.py"}


REGISTER_LAYOUTS = ("runtime/ports/dma/", "simulate/native/dma_")
"""Drivers and models of a vendor's registers say whose they are; addresses are the board's."""


def test_no_board_is_named_outside_its_data() -> None:
    names = [*board_names(), *(name.partition("-")[0] for name in board_names()), "stm32"]
    boards = {name for name in names if name.startswith("stm32")} | set(board_names())
    files = [
        path
        for path in SOURCE.rglob("*")
        if path.suffix in {".py", ".c", ".h", ".j2"}
        and not room_of(path).startswith(("boards/data/", *REGISTER_LAYOUTS))
    ]
    named = [
        f"{room_of(path)}: {name}"
        for path in files
        for name in boards
        if name in path.read_text(encoding="utf-8").lower()
    ]
    assert named == []
