"""Compilers that are installed here."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from penstock.boards import Core
from penstock.toolchain import Compiler, find_host_compiler, find_target_compiler

M7 = Core("cortex-m7", "fpv5-sp-d16")


def _require(family: str, program: str) -> None:
    if family == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("the Python package 'ziglang' is not installed")
    if family == "gcc" and shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH")


@pytest.fixture(params=["gcc", "zig"])
def host_compiler(request: pytest.FixtureRequest) -> Compiler:
    _require(request.param, "gcc")
    return find_host_compiler(request.param)


@pytest.fixture(params=["gcc", "zig"])
def target_compiler(request: pytest.FixtureRequest) -> Compiler:
    _require(request.param, "arm-none-eabi-gcc")
    return find_target_compiler(M7, request.param)


@pytest.fixture
def header(tmp_path: Path) -> Path:
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "answer.h").write_text("int answer(int x);\n#define ANSWER 42\n")
    return folder
