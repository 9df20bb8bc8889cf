"""Wrong use: one message in one form, exit status 2, and nothing written."""

import errno
import os
import re
from pathlib import Path

import pytest

from penstock.cli.entry import run_command_line

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = EXAMPLES / "cifar10.tflite"
CAT = EXAMPLES / "cat.jpg"
BOARD = "stm32f746g-disco"
COMPILE = ["compile", MODEL, "--board", BOARD]
RUN = ["run", MODEL, "--board", "host"]
BUILD = ["build", "mbv3", "-o", "x.tflite"]

Arguments = list[str | Path]


def penstock(*arguments: str | Path) -> int:
    return run_command_line([str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files that are not what they seem."""
    (tmp_path / "text.tflite").write_text("this is not a model\n" * 10)
    (tmp_path / "cut.tflite").write_bytes(MODEL.read_bytes()[:5000])
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("years of work")
    (tmp_path / "bad.npy").write_text("no array")
    (tmp_path / "bad.npz").write_text("no archive")
    (tmp_path / "bad.png").write_text("no image")
    (tmp_path / "latin.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def expect_refusal(
    folder: Path, arguments: Arguments, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert penstock(*arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: .+\nhelp: .+\n", captured.err), captured.err
    assert message in captured.err
    assert "Errno" not in captured.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["fly", MODEL],
            "no such command 'fly'\nhelp: the commands are accuracy, bench, boards, build, compare",
        ),
        (["--fly"], "there is no option --fly\nhelp: `penstock --help`"),
        (["build"], "NETWORK is missing\nhelp: `penstock build --help`"),
        (["build", "mbv3"], "--output is missing\nhelp: add --output FILE: The .tflite file"),
        ([*BUILD, "--width", "wide"], "'--width': 'wide' is not a valid float"),
        ([*BUILD, "--width", "0"], "the width is 0; allowed is above 0, up to 4"),
        ([*BUILD, "--width", "nan"], "the width is nan; allowed"),
        ([*BUILD, "--resolution", "96.5"], "'--resolution': '96.5' is not a valid integer"),
        ([*BUILD, "--resolution", "31"], "the resolution is 31; allowed is 32 to 512"),
        ([*BUILD, "--classes", "0"], "the number of classes is 0; allowed is 1 to 65536"),
        ([*BUILD, "--seed", "-1"], "--seed is '-1', not a whole number from 0"),
        ([*BUILD, "--seed", "9" * 30], "the seed is 999999999999999999999999999999; allowed"),
        ([*BUILD, "--width", "4", "--classes", "65536"], "of a model file is 64.0 MiB"),
        (["build", "mbv4", "-o", "x.tflite"], "no network 'mbv4' to build\nhelp: the networks are"),
        (["inspect"], "MODEL is missing\nhelp: `penstock inspect --help`"),
        (["zoo", "get", "-o", "x.tflite"], "NAME is missing\nhelp: `penstock zoo get --help`"),
        (["zoo", "train", "-o", "x.tflite"], "NAME is missing\nhelp: `penstock zoo train --help`"),
        (["zoo", "train", "x", "--fly"], "mean --float? `penstock zoo train --help`"),
        (["zoo", "fly"], "no such command 'fly'\nhelp: the commands are get, train\n"),
        (["bench", "ops", "--fly"], "mean --fit? `penstock bench ops --help`"),
        (["bench", "models"], "MODEL... is missing\nhelp: `penstock bench models --help`"),
        (["bench", "ops", "--board"], "requires an argument\nhelp: `penstock bench ops --help`"),
        (["inspect", MODEL, "more"], "unexpected extra argument (more)"),
        (["inspect", MODEL, "--jsn", "x"], "no option --jsn\nhelp: did you mean --json?"),
        (COMPILE, "--output is missing\nhelp: add --output DIR: Folder to create"),
        (["compile", MODEL, "--board"], "'--board' requires an argument\nhelp: `penstock compile"),
        ([*RUN, "--verify=3"], "'--verify' does not take a value"),
        ([*RUN, "--seed", "-1"], "--seed is '-1', not a whole number from 0"),
        ([*RUN, "--seed", "x"], "--seed is 'x', not a whole number from 0"),
        ([*COMPILE, "-o", ""], "--output is empty"),
        (["compile", "", "--board", BOARD, "-o", "out"], "MODEL is empty"),
        ([*RUN, "--json", ""], "--json is empty"),
        (["run", MODEL], "no board given"),
        (["compile", MODEL, "--board", "stm32f746-disco", "-o", "out"], f"mean '{BOARD}'?"),
        (["run", MODEL, "--board", "moon"], "stm32h747i-disco, host\n"),
        (["compare", MODEL, "--board", "moon"], "stm32h747i-disco\n"),
        (["compile", MODEL, "--board", "no.toml", "-o", "out"], "there is no such file or folder"),
        (["inspect", MODEL, "--board", "host"], "'host' is this computer, not a virtual board"),
        (["simulate", MODEL, "--board", "host"], "'host' is this computer, not a virtual board"),
        (["bench", "ops", "--board", "host"], "'host' is this computer, not a virtual board"),
        (["boards", "host"], "'host' is this computer, not a virtual board"),
        ([*COMPILE, "-o", "out", "--arena-in", "flash"], "'flash'"),
        ([*COMPILE, "-o", "out", "--arena-in", "moon"], "'moon'"),
    ],
)
def test_the_command_line_itself(
    arguments: Arguments, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect_refusal(folder, arguments, message, capfd)


@pytest.mark.parametrize(
    "verb", ["run", "compare", "inspect", "bench ops", "bench models", "simulate"]
)
def test_a_core_to_compile_for_only_ends_every_other_verb_alike(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (EXAMPLES.parent / "src/penstock/boards/data/nucleo-f446re.toml").read_text()
    text = text.replace('"cortex-m4"', '"cortex-m85"').replace('"fpv4-sp-d16"', '"fpv5-sp-d16"')
    board = tmp_path / "mine.toml"
    board.write_text(text)
    (tmp_path / "image.bin").write_bytes(bytes(64))
    operands: Arguments = {
        "bench ops": [],
        "simulate": [tmp_path / "image.bin", "--base", "0x08000000", "--call", "0x08000000"],
    }.get(verb, [MODEL])
    assert penstock(*verb.split(), *operands, "--board", board) == 2
    said = capsys.readouterr().err
    assert "nobody has modelled how long instructions take on core 'cortex-m85'" in said
    assert "`penstock compile`" in said


@pytest.mark.parametrize("group", [[], ["bench"]])
def test_groups_alone_say_what_there_is(
    group: Arguments, capfd: pytest.CaptureFixture[str]
) -> None:
    assert penstock(*group) == 0
    captured = capfd.readouterr()
    assert captured.err == ""
    assert "\nCommands:\n" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "missing.tflite"], "there is no model 'missing.tflite'"),
        (["run", "missing.tflite"], "there is no model 'missing.tflite'"),
        (["run", "/dev/null", "--board", "host"], "'/dev/null' is a device or pipe"),
        (["inspect", "folder.tflite"], "is a folder, not a model file"),
        (["compile", "folder.tflite", "--board", BOARD, "-o", "out"], "is for `penstock run`"),
        (["compile", "text.tflite", "--board", BOARD, "-o", "out"], "text.tflite"),
        (["compile", "cut.tflite", "--board", BOARD, "-o", "out"], "cut.tflite"),
        (["compile", "empty.tflite", "--board", BOARD, "-o", "out"], "empty.tflite"),
        (["run", "taken", "--board", BOARD], "not a Penstock project"),
        ([*RUN, "--input", "text.tflite"], "suffix"),
        ([*RUN, "--input", "no.npy"], "--input: there is no file 'no.npy'"),
        ([*RUN, "--input", "taken"], "--input 'taken' is a folder"),
        ([*RUN, "--input", "bad.npy"], "of plain numbers\nhelp: write it with numpy.save\n"),
        ([*RUN, "--input", "bad.npz"], "of plain numbers\nhelp: write it with numpy.savez\n"),
        ([*RUN, "--input", "bad.png"], "'bad.png' is not a readable image"),
        ([*RUN, "--labels", "no.txt"], "--labels: there is no file 'no.txt'"),
        ([*RUN, "--labels", "taken"], "--labels 'taken' is a folder"),
        ([*RUN, "--labels", "latin.txt"], "it is not UTF-8 text"),
        ([*RUN, "--input", CAT, "--labels", "/dev/null"], "names 0 classes"),
    ],
)
def test_what_is_read(
    arguments: Arguments, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect_refusal(folder, arguments, message, capfd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*COMPILE, "-o", "taken"], "did not make"),
        ([*COMPILE, "-o", "text.tflite"], "exists and is not a folder"),
        ([*COMPILE, "-o", "taken/thesis.txt/net"], "thesis.txt' is not a folder"),
        ([*COMPILE, "-o", "taken/thesis.txt/a/b"], "thesis.txt' is not a folder"),
        ([*COMPILE, "-o", "."], "holds the current folder"),
        ([*COMPILE, "-o", "taken/.."], "holds the current folder"),
        ([*COMPILE, "-o", "/"], "holds the current folder"),
        ([*COMPILE, "-o", "/proc"], "is a mount point"),
        ([*RUN, "--output", "answer.csv"], "neither .npy nor .npz"),
        ([*RUN, "--output", "taken"], "--output 'taken' is a folder"),
        (["build", "mbv3", "-o", "taken"], "--output 'taken' is a folder, not a file"),
        (["build", "mbv3", "-o", "no/x.tflite"], "--output 'no/x.tflite': there is no folder 'no'"),
        (["build", "mbv3", "-o", "/dev/null"], "is a device or pipe"),
        (["build", "mbv3", "-o", "-"], "--output '-' is no file: only --json prints"),
        ([*BUILD, "--json", "x.tflite"], "'x.tflite' is the file of --output, which"),
        ([*RUN, "--output", "no/answer.npy"], "there is no folder 'no'"),
        (
            [*RUN, "--output", "a.npy", "--json", "./a.npy"],
            "'a.npy' is the file of --output, which",
        ),
        (["run", MODEL, "--board", BOARD, "--trace", "-"], "--trace '-' is no file: only --json"),
        ([*RUN, "--json", "no/such/folder.json"], "there is no folder 'no/such'"),
        ([*RUN, "--json", "taken/thesis.txt/r.json"], "there is no folder 'taken/thesis.txt'"),
        ([*RUN, "--json", "a" * 300], "the name is too long"),
        ([*COMPILE, "-o", "a" * 300], "the name is too long"),
        ([*RUN, "--json", "/dev/null"], "is a device or pipe"),
    ],
)
def test_what_is_written(
    arguments: Arguments, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect_refusal(folder, arguments, message, capfd)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["run", "m.tflite", "--board", "host", "--json", "m.tflite"], "the model"),
        (["run", "m.tflite", "--board", "host", "--json", "taken/../m.tflite"], "the model"),
        (["run", "m.tflite", "--board", "host", "--json", "link.tflite"], "the model"),
        (["run", "link.tflite", "--board", "host", "--json", "m.tflite"], "the model"),
        ([*RUN, "--input", "in.npy", "--output", "in.npy"], "the input"),
        ([*RUN, "--labels", "latin.txt", "--json", "latin.txt"], "the labels"),
        (["run", "m.tflite", "--board", "mine.toml", "--json", "mine.toml"], "the board"),
        (["run", "net", "--json", "net/penstock.json"], "a file in the model"),
        (["compile", "m.tflite", "--board", "host", "-o", "n", "--json", "m.tflite"], "the model"),
        ([*COMPILE, "-o", "net", "--json", "net/model.tflite"], "a file in the output folder"),
        (["inspect", "m.tflite", "--json", "m.tflite"], "the model"),
        (["boards", "mine.toml", "--json", "mine.toml"], "the board"),
        (["simulate", "in.npy", "--board", BOARD, "--json", "in.npy"], "the firmware"),
        (
            ["simulate", "a.elf", "--board", BOARD, "--load", "in.npy@x", "--json", "in.npy"],
            "what --load reads, in.npy@x",
        ),
    ],
)
def test_what_is_read_is_never_written(
    arguments: Arguments, what: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert penstock("compile", MODEL, "--board", "host", "-o", "net", "--no-check") == 0
    (folder / "m.tflite").write_bytes(MODEL.read_bytes())
    (folder / "link.tflite").symlink_to("m.tflite")
    for name in ("in.npy", "mine.toml", "a.elf"):
        (folder / name).write_text(name)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capfd.readouterr()
    expect_refusal(folder, arguments, f" is {what}, which would be overwritten", capfd)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_results_may_lie_in_a_project(folder: Path) -> None:
    assert penstock("compile", MODEL, "--board", "host", "-o", "net", "--no-check") == 0
    for _ in range(2):
        assert penstock("run", "net", "--json", "net/result.json") == 0
    assert (folder / "net" / "result.json").read_text().startswith("{")


@pytest.mark.parametrize(
    "arguments",
    [[*COMPILE, "-o", "closed/net"], [*RUN, "--json", "closed/r.json"]],
)
def test_folders_where_one_may_not_write(
    arguments: Arguments,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "closed").mkdir()
    # Asked of the system and not made with chmod, which does not stop the root user of containers.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed")
    expect_refusal(folder, arguments, "no permission in folder", capfd)


def test_what_the_system_refuses_is_no_fault_of_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    system = Path.is_dir

    def is_dir(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return system(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    expect_refusal(
        folder, ["inspect", "closed/x.tflite"], "'closed/x.tflite': permission denied", capfd
    )
