"""Programs of others, run with the options of a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.errors import InputError
from penstock.simulate.program import ProgramRun

LIMIT = 2_000_000

Run = Callable[..., ProgramRun]


def refusal(run: Run, *arguments: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        run(*arguments, **options)
    return caught.value
