"""A whole network on each board of the package: the same bytes everywhere."""

from pathlib import Path

import pytest

from penstock import api
from penstock.boards import board_names, load_board
from penstock.planning.options import PlanOptions

MODEL = Path(__file__).parents[1] / "examples" / "cifar10.tflite"
WITH_EXTERNAL_MEMORY = [
    name for name in board_names() if any(r.is_external for r in load_board(name).regions)
]

pytestmark = pytest.mark.board


@pytest.mark.parametrize("name", board_names())
def test_the_example_runs_on_every_board(name: str) -> None:
    assert api.run(MODEL, board=name, verify=True).result.verified


@pytest.mark.parametrize("name", WITH_EXTERNAL_MEMORY)
def test_the_example_runs_out_of_external_memory(name: str) -> None:
    options = api.CompileOptions(PlanOptions("qspi", "sdram", overlays=False))
    assert api.run(MODEL, board=name, options=options, verify=True).result.verified
