"""The commands as a person uses them: what is printed, written and returned."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from penstock import api, machines
from penstock.cli.entry import run_command_line
from penstock.errors import VerificationError
from tests.mutations import mutate

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = EXAMPLES / "cifar10.tflite"
CAT = EXAMPLES / "cat.jpg"
LABELS = EXAMPLES / "labels.txt"
BOARD = "stm32f746g-disco"
BOARD_FOLDER = Path(__file__).parents[2] / "src" / "penstock" / "boards" / "data"
RUN_FIELDS = {
    "schema",
    "model",
    "board",
    "truth",
    "verified",
    "macs",
    "instructions",
    "cycles",
    "cycles_per_mac",
    "latency_ms",
    "energy_mj",
    "memory_bytes",
    "operators",
    "outputs",
}
OPERATOR_FIELDS = {"index", "kind", "macs", "instructions", "cycles", "stalls"}


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("--help") == 0
    printed = capsys.readouterr().out
    for verb in ("build", "compile", "run", "inspect", "boards"):
        assert f"  {verb} " in printed
        assert penstock(verb, "--help") == 0


def test_boards_lists_what_compile_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("boards", "--json", tmp_path / "boards.json") == 0
    printed = capsys.readouterr().out
    names = [
        board["name"] for board in json.loads((tmp_path / "boards.json").read_text())["boards"]
    ]
    assert BOARD in names
    assert all(name in printed for name in [*names, "host"])


def test_inspect_counts_what_the_recipe_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("inspect", MODEL, "--json", tmp_path / "x.json") == 0
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["macs"] == 7_285_120
    assert found["parameters"] == 110_706
    assert "DEPTHWISE_CONV_2D" in capsys.readouterr().out


def test_inspect_prints_the_text_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("inspect", MODEL, "--text") == 0
    assert capsys.readouterr().out == api.format_graph(api.load_model(MODEL))


def test_compile_then_run_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "net"
    status = penstock("compile", MODEL, "--board", BOARD, "-o", out, "--json", tmp_path / "c.json")
    assert status == 0, capsys.readouterr().err
    compiled = json.loads((tmp_path / "c.json").read_text())
    assert compiled["verified"] is True
    assert sorted(compiled["files"]) == sorted(
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()
    )
    answer = tmp_path / "answer.npy"
    arguments = ("--input", CAT, "--labels", LABELS, "--output", answer)
    assert penstock("run", out, "--board", "host", *arguments, "--json", tmp_path / "r.json") == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result.keys() >= RUN_FIELDS
    assert all(row.keys() >= OPERATOR_FIELDS for row in result["operators"])
    assert (result["truth"], result["instructions"]) == ("host", None)
    assert result["energy_mj"] is None
    assert "virtual boards" in result["energy_reason"]
    assert int(np.argmax(np.load(answer))) == LABELS.read_text().splitlines().index("cat")
    assert "cat" in capsys.readouterr().out


def test_a_virtual_board_gives_the_bytes_of_the_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--input", CAT, "--verify", "--json", tmp_path / "r.json")
    assert penstock("run", MODEL, "--board", BOARD, "--output", tmp_path / "b.npy", *arguments) == 0
    assert (
        penstock("run", MODEL, "--board", "host", "--output", tmp_path / "h.npy", *arguments[:2])
        == 0
    )
    assert np.array_equal(np.load(tmp_path / "b.npy"), np.load(tmp_path / "h.npy"))
    result = json.loads((tmp_path / "r.json").read_text())
    assert (result["truth"], result["verified"]) == ("simulate", True)
    counted = [row["instructions"] for row in result["operators"]]
    assert all(count > 0 for count in counted)
    assert sum(counted) <= result["instructions"] < sum(counted) * 1.01
    assert result["instructions"] > result["macs"], "a scalar core needs more than one per MAC"
    timed = [row["cycles"] for row in result["operators"]]
    assert sum(timed) <= result["cycles"] < sum(timed) * 1.01
    assert result["latency_ms"] == pytest.approx(result["cycles"] / 216e3)
    assert result["cycles"] > result["instructions"] / 2, "two instructions a cycle at most"
    assert sum(result["stalls"].values()) < result["cycles"]
    assert sum(row["stalls"]["load_use"] for row in result["operators"]) > 0
    assert result["traffic_bytes"]["dtcm"]["read"] > result["macs"]
    energy = result["energy_mj"]
    assert energy["value"] == pytest.approx(0.327 * result["latency_ms"], rel=1e-3), (
        "no external memory"
    )
    assert energy["low"] < energy["value"] < energy["high"]
    assert capsys.readouterr().out.count("\nEnergy: ") == 1


def test_json_can_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert penstock("run", MODEL, "--board", "host", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "penstock.run/1"


def test_ctrl_c_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machines, "verify_steps", interrupted)
    assert penstock("compile", MODEL, "--board", BOARD, "-o", tmp_path / "out") == 130
    assert "interrupted" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_has_status_1_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def differs(*arguments: object, **options: object) -> None:
        raise VerificationError("step 3 (ADD) wrote 1 to 'x'[0], the interpreter 2")

    monkeypatch.setattr(machines, "verify_steps", differs)
    assert penstock("compile", MODEL, "--board", BOARD, "-o", tmp_path / "out") == 1
    assert "bug of Penstock" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_no_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(machines, "verify_steps", exhausted)
    assert penstock("compile", MODEL, "--board", BOARD, "-o", tmp_path / "out") == 2
    assert re.fullmatch(
        r"error: this computer has not enough memory .+\nhelp: close other programs, .+\n",
        capfd.readouterr().err,
    )
    assert list(tmp_path.iterdir()) == []


def test_an_edited_project_is_not_run_as_if_it_were_ours(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net"
    assert penstock("compile", MODEL, "--board", "host", "-o", out, "--no-check") == 0
    source = out / "cifar10.c"
    source.write_text(source.read_text() + "\n")
    assert penstock("run", out, "--board", "host") == 2
    assert "cifar10.c" in capfd.readouterr().err


def test_the_folders_own_firmware_is_what_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net"
    assert penstock("compile", MODEL, "--board", BOARD, "-o", out) == 0
    assert penstock("run", out, "--input", CAT, "--verify") == 0
    assert "firmware/cifar10.elf" in capfd.readouterr().out
    elf = out / "firmware" / "cifar10.elf"
    content = elf.read_bytes()
    for seed in range(25):
        elf.write_bytes(mutate(content, seed))
        assert penstock("run", out) == 2, f"mutation {seed}"
        shown = capfd.readouterr().err
        assert "cifar10.elf' is not the firmware that this project was compiled with" in shown
        assert "Traceback" not in shown
    elf.write_bytes(content)
    assert penstock("run", out) == 0


def test_firmware_that_was_put_into_a_project_is_not_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net"
    assert penstock("compile", MODEL, "--board", BOARD, "-o", out, "--no-check") == 0
    (out / "firmware" / "cifar10.elf").write_bytes(b"of somebody else")
    assert penstock("run", out) == 2
    assert "penstock.json says none" in capfd.readouterr().err


def test_a_project_keeps_its_placement(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "net"
    placed = ("--weights-in", "qspi", "--arena-in", "sdram")
    assert penstock("compile", MODEL, "--board", BOARD, "-o", out, *placed) == 0
    assert penstock("run", out, "--json", tmp_path / "r.json") == 0
    assert {"qspi", "sdram"} <= json.loads((tmp_path / "r.json").read_text())["memory_bytes"].keys()
    assert penstock("run", out, "--weights-in", "flash") == 2
    assert "memory regions already" in capfd.readouterr().err
    assert penstock("run", MODEL, "--board", "host", "--arena-in", "sdram") == 2
    assert "no memory regions" in capfd.readouterr().err


def test_a_board_whose_timing_nobody_has_said(tmp_path: Path) -> None:
    text = (BOARD_FOLDER / f"{BOARD}.toml").read_text()
    mine, out = tmp_path / "plain.toml", tmp_path / "c.json"
    mine.write_text(re.sub(r"\[memory\.timing\]\n(?:[^\[\n].*\n)*", "", text))
    command = ["compile", MODEL, "--board", mine, "-o", tmp_path / "net", "--no-check"]
    assert penstock(*command, "--json", out) == 0
    overlays = json.loads(out.read_text())["overlays"]
    assert overlays["tiles"]
    assert overlays["bandwidth_bound_cycles"] is None


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    text = (BOARD_FOLDER / f"{BOARD}.toml").read_text()
    mine = tmp_path / "my-board.toml"
    mine.write_text(text.replace("65_536", "32_768"))
    out = tmp_path / "net"
    assert (
        penstock(
            "compile",
            MODEL,
            "--board",
            mine,
            "--no-overlays",
            "-o",
            out,
            "--json",
            tmp_path / "c.json",
        )
        == 0
    )
    memory = json.loads((tmp_path / "c.json").read_text())["memory_bytes"]
    assert memory["sram1"]["contents"]["arena"] > 32_768, "it no longer fits the smaller DTCM"
    mine.unlink()
    assert penstock("run", out, "--verify") == 0, "the project keeps its own copy"


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ([*"abcdefghij"], 0),
        (["background", *"abcdefghij"], 0),
        ([*"abcdefghi"], 0),
        ([*"abc"], 2),
        ([], 2),
        ([*"abcdefghijk"], 2),
    ],
)
def test_labels_must_fit_the_output(
    names: list[str], status: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{name}\n" for name in names))
    arguments = ("--board", "host", "--input", CAT, "--labels", labels)
    assert penstock("run", MODEL, *arguments) == status
    captured = capfd.readouterr()
    if status == 0:
        best = captured.out.split("───\n")[1].split()
        assert best[:2] == ["3", {10: "d", 11: "d", 9: "c"}[len(names)]]
    else:
        assert "labels" in captured.err


def test_result_files_have_the_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    result, answer = tmp_path / "r.json", tmp_path / "a.npy"
    assert penstock("run", MODEL, "--board", "host", "--json", result, "--output", answer) == 0
    assert result.stat().st_mode == answer.stat().st_mode == usual.stat().st_mode
    assert penstock("run", MODEL, "--board", "host", "--json", answer, "--output", answer) == 2
