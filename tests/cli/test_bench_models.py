"""``penstock bench models``."""

import json
from pathlib import Path

import pytest

from penstock.bench.records import find_record
from penstock.boards import load_board
from penstock.cli.entry import run_command_line

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARDS = "stm32f746g-disco", "nucleo-l4r5zi"


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


@pytest.mark.board
def test_models_are_timed_on_each_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tmp_path / "x.json"
    boards = [option for board in BOARDS for option in ("--board", board)]
    assert penstock("bench", "models", MODEL, *boards, "--json", result) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Simulated, one inference each")
    found = json.loads(result.read_text())
    assert (found["schema"], found["truth"]) == ("penstock.bench-models/1", "simulate")
    assert [row["run"]["board"] for row in found["models"]] == list(BOARDS)
    for row in found["models"]:
        run = row["run"]
        assert (run["schema"], run["verified"]) == ("penstock.run/1", True)
        assert row["published"] is None
        assert row["cycles_per_mac"] == run["cycles"] / run["macs"]
        assert f"{row['cycles_per_mac']:.3f}" in printed


@pytest.mark.shared
def test_published_records_are_found_by_the_file(shared_dir: Path) -> None:
    model = (shared_dir / "models" / "mlperf_tiny" / "kws_ref_model.tflite").read_bytes()
    own, other = (
        find_record(model, load_board(name)) for name in ("stm32f746g-disco", "nucleo-h743zi")
    )
    assert own is not None
    assert (own.chip, own.cycles_per_mac) == ("STM32F746 at 216 MHz", 1.44)
    assert other is not None
    assert (other.chip, other.cycles_per_mac) == ("STM32H7A3 at 280 MHz", 1.19)
    assert find_record(model + b"\0", load_board("nucleo-h743zi")) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--board", BOARDS[0]), "MODEL..."),
        (("nowhere.tflite", "--board", BOARDS[0]), "there is no model 'nowhere.tflite'"),
        ((MODEL, "--board", "host"), "this computer, not a virtual board"),
        ((MODEL, "--board", "nowhere"), "no board 'nowhere'"),
    ],
)
def test_bad_input_is_named(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("bench", "models", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_result_may_not_replace_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "x.tflite"
    model.write_bytes(MODEL.read_bytes())
    assert penstock("bench", "models", model, "--board", BOARDS[0], "--json", model) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert model.read_bytes() == MODEL.read_bytes()
