"""Memory that is left to the application: `--reserve`."""

import re
from pathlib import Path

import pytest

from penstock import api
from penstock.cli.entry import run_command_line
from penstock.errors import CapacityError
from penstock.planning.options import PlanOptions

MODEL = Path(__file__).parents[1] / "examples" / "cifar10.tflite"
BOARD = "stm32f746g-disco"


@pytest.mark.parametrize("overlays", [True, False])
def test_what_is_reserved_stays_free(overlays: bool) -> None:
    reserve = (("dtcm", 40 * 1024), ("sram1", 150 * 1024), ("flash", 800 * 1024))
    options = api.CompileOptions(PlanOptions(overlays=overlays, reserve=reserve), check=False)
    outcome = api.run(MODEL, board=BOARD, verify=True, options=options)
    assert outcome.result.verified
    sizes = {region.name: region.size_bytes for region in api.board(BOARD).regions}
    for name, kept in reserve:
        use = outcome.result.memory.get(name)
        assert use is None or use.used_bytes <= sizes[name] - kept, name
    assert any(name in outcome.result.memory for name, _ in reserve)


@pytest.mark.parametrize("overlays", [True, False])
@pytest.mark.parametrize("weights_in", [None, "qspi", "sdram"])
@pytest.mark.parametrize("kept", [8020, 8052, 8140])
def test_wishes_do_not_reach_into_what_is_reserved(
    overlays: bool, weights_in: str | None, kept: int, tmp_path: Path
) -> None:
    """All that is left of the SDRAM is 172, 140 or 52 KiB: for arena and weights, one, or none."""
    reserve = (("sdram", kept * 1024), ("flash", 960 * 1024))
    wishes = PlanOptions(
        overlays=overlays, arena_in="sdram", weights_in=weights_in, reserve=reserve
    )
    options = api.CompileOptions(wishes, check=False)
    try:
        made = api.compile(MODEL, board=BOARD, output=tmp_path / "out", options=options)
    except CapacityError as error:
        assert "sdram" in str(error)
        assert weights_in == "sdram" or kept > 8052
        return
    assert made.memory["sdram"].used_bytes <= 8192 * 1024 - kept * 1024


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("dtcm", "--reserve is 'dtcm', not MEMORY=BYTES"),
        ("dtcm=1.5K", "--reserve is 'dtcm=1.5K', not MEMORY=BYTES"),
        ("ccm=1K", "has no memory region 'ccm' to reserve 1024 B of"),
        ("dtcm=65K", "cannot reserve 66560 B of 'dtcm'"),
    ],
)
def test_what_cannot_be_reserved_is_explained(
    wish: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["run", str(MODEL), "--board", BOARD, "--reserve", wish]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_an_operator_that_finds_no_room_says_how_many_bytes_it_lacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wishes = ("dtcm=56K", "sram1=239K", "sram2=16K", "sdram=8M")
    arguments = [part for wish in wishes for part in ("--reserve", wish)]
    assert run_command_line(["run", str(MODEL), "--board", BOARD, *arguments]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert re.search(r"step \d+ \(ps_conv_2d_s8\) needs \d+ B .* with its smallest tiles", message)
    assert re.search(r", \d+ B more than there is: \w+ offers \d+ B", message)
