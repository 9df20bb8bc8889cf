"""The Makefile's list of targets, and what it does with the extras that are asked for."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_list_of_targets_is_aligned() -> None:
    lines = make("help").splitlines()
    matches = [re.fullmatch(r"  make ([a-z-]+) +(?=[^ ])(.+)", line) for line in lines]
    targets = {match[1]: match.start(2) for match in matches if match is not None}
    assert len(targets) == len(lines) and {"help", "bench-compression"} < set(targets)
    assert len(set(targets.values())) == 1


@pytest.mark.parametrize("extras", ["dev,design", "dev, design", " dev ,design "])
def test_extras_may_have_blanks_between_them(extras: str, tmp_path: Path) -> None:
    lines = make("--dry-run", "setup", f"VENV={tmp_path}", f"EXTRAS={extras}").splitlines()
    assert lines[-1] == f"touch {tmp_path}/.installed-dev-design"
    assert lines[-2].endswith("--editable '.[dev,design]'")
