"""What is said where a package is missing."""

import importlib
import shlex
import sys
from pathlib import Path

import pytest

from penstock import extras
from penstock.errors import ToolError
from penstock.extras import install_command, needs_extra


def test_a_checkout_is_installed_anew_by_the_python_that_runs() -> None:
    root = Path(extras.__file__).parents[2]
    wanted = [sys.executable, "-m", "pip", "install", "--editable", f"{root}[design]"]
    assert shlex.split(install_command("design")) == wanted


def test_elsewhere_the_package_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "executable", "/opt/it's here/python")
    wanted = ["/opt/it's here/python", "-m", "pip", "install", "penstock[onnx]"]
    assert shlex.split(install_command("onnx")) == wanted


def test_what_is_missing_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(ToolError) as refused, needs_extra("diving", "design", "; it is wet"):
        importlib.import_module("no_such_package")
    assert refused.value.what == (
        "diving needs the package 'no_such_package', which is not installed"
    )
    assert refused.value.help == f"install it with `{install_command('design')}`; it is wet"


def test_what_cannot_be_loaded_says_why() -> None:
    with pytest.raises(ToolError) as refused, needs_extra("diving", "simulate"):
        raise ImportError("no libunicorn.so", name="unicorn")
    assert "'unicorn', which cannot be loaded: no libunicorn.so" in refused.value.what
    with pytest.raises(ToolError) as refused, needs_extra("diving", "simulate"):
        raise ImportError("no library")
    assert "'simulate', which cannot be loaded: no library" in refused.value.what


def test_a_fault_of_ours_is_not_explained_by_a_package() -> None:
    with pytest.raises(ModuleNotFoundError, match="penstock"), needs_extra("diving", "design"):
        importlib.import_module("penstock.no_such_module")
