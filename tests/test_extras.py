"""What is said where a package is missing."""

import importlib
import sys
from pathlib import Path

import pytest

from penstock import extras
from penstock.errors import ToolError
from penstock.extras import install_command, needs_extra


def test_a_checkout_is_installed_anew_by_the_python_that_runs() -> None:
    root = Path(extras.__file__).parents[2]
    wanted = f"{sys.executable} -m pip install --editable '{root}[design]'"
    assert install_command("design") == wanted


def test_elsewhere_the_package_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_CHECKOUT", tmp_path)
    assert install_command("onnx") == f"{sys.executable} -m pip install 'penstock[onnx]'"


def test_what_is_missing_is_named_with_the_way_to_get_it() -> None:
    with pytest.raises(ToolError) as refused, needs_extra("diving", "design", "; it is wet"):
        importlib.import_module("no_such_package")
    assert refused.value.what == (
        "diving needs the package 'no_such_package', which is not installed"
    )
    assert refused.value.help == f"install it with `{install_command('design')}`; it is wet"
