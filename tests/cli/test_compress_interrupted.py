"""``penstock compress`` again, and after interruptions: the same bytes."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")


from penstock import api  # noqa: E402
from penstock.cli.checkpoints import sole_use  # noqa: E402
from penstock.design.compression.recipe import (  # noqa: E402
    DistillStep,
    PruneStep,
    QuantizeStep,
    Recipe,
    SparsifyStep,
)
from penstock.errors import InputError  # noqa: E402

torch.set_num_threads(1)

from tests.cli.compressing import OPTIONS, SlowClock, penstock  # noqa: E402

RECIPE = Recipe(
    data="data.npz",
    threads=1,
    distill=DistillStep(share=0.5),
    prune=PruneStep(macs=0.6, training=OPTIONS),
    sparsify=SparsifyStep(zeros=0.5, training=OPTIONS),
    quantize=QuantizeStep(training=OPTIONS),
)


@pytest.fixture(scope="module")
def expected(trained_files: Path) -> bytes:
    return compressed(trained_files)


def compressed(
    trained_files: Path, work: Path | None = None, **notices: Callable[..., None]
) -> bytes:
    recipe = replace(RECIPE, data=str(trained_files / "data.npz"))
    told = api.Notices(**notices)  # type: ignore[arg-type]
    return api.compress(trained_files / "net.pt2", recipe, work=work, notices=told).content


def test_the_same_again_gives_the_same_bytes(trained_files: Path, expected: bytes) -> None:
    torch.rand(3)
    assert compressed(trained_files) == expected


def test_interruptions_change_no_byte(
    trained_files: Path, tmp_path: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each epoch of each stage, one after the other; what is done is not done again."""
    seen: list[tuple[str, int]] = []
    trained: defaultdict[str, float] = defaultdict(float)
    taken: dict[str, float] = {}

    def interrupt(stage: str, epoch: int, _loss: float, seconds: float) -> None:
        seen.append((stage, epoch))
        trained[stage] += seconds
        raise KeyboardInterrupt

    def note(result: api.StageResult) -> None:
        taken[result.stage.split()[0]] = result.seconds

    monkeypatch.setattr("penstock.design.learning.engine.time", SlowClock())
    stages = [(stage, epoch) for stage in ("prune", "sparsify", "quantize") for epoch in (1, 2)]
    for _ in stages:
        with pytest.raises(KeyboardInterrupt):
            compressed(trained_files, tmp_path, epoch=interrupt)
    assert seen == stages
    again = compressed(
        trained_files, tmp_path, epoch=lambda *_: seen.append(("again", 0)), stage=note
    )
    assert again == expected
    assert seen == stages and len(list(tmp_path.iterdir())) == 3
    assert min(trained.values()) >= 120
    assert all(taken[stage] > seconds for stage, seconds in trained.items())


def test_interrupted_commands_go_on(
    among_trained_files: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And leave nothing behind in the end but what somebody else put there."""
    first, second = tmp_path / "a.tflite", tmp_path / "b.tflite"
    options = ("--data", "data.npz", "--sparsify", "0.5", "--epochs", "2", "--threads", "1")
    assert penstock("compress", "net.pt2", *options, "-o", first) == 0
    (tmp_path / "b.tflite.work").mkdir()
    (tmp_path / "b.tflite.work" / "notes.txt").touch()
    interrupted = []

    def stop(stage: str, epoch: int, _loss: float, _seconds: float) -> None:
        if not interrupted:
            interrupted.append((stage, epoch))
            raise KeyboardInterrupt

    monkeypatch.setattr("penstock.cli.compress.show_epoch", stop)
    assert penstock("compress", "net.pt2", *options, "-o", second) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "nothing was left half-written" in said
    assert f"the same command goes on from {tmp_path / 'b.tflite.work'}" in said
    assert interrupted == [("sparsify", 1)] and not second.exists()
    assert not (tmp_path / "b.tflite.work" / ".lock").exists()
    (checkpoint,) = (tmp_path / "b.tflite.work").glob("*.pt")
    assert checkpoint.name.startswith("sparsify-")
    assert penstock("compress", "net.pt2", *options, "-o", second) == 0
    assert second.read_bytes() == first.read_bytes()
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == ["a.tflite", "b.tflite", "b.tflite.work", "notes.txt"]


def test_checkpoints_go_while_no_other_run_can_have_them(
    among_trained_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With results written: who cannot write them has not trained in vain."""
    work, output = tmp_path / "o.tflite.work", tmp_path / "o.tflite"
    found = []

    def write(path: Path, content: bytes) -> None:
        with pytest.raises(InputError, match="another run keeps"), sole_use(work):
            raise AssertionError
        found.extend(each.name for each in work.glob("*.pt"))
        raise InputError("the disk is full")

    monkeypatch.setattr("penstock.cli.compress.write_file", write)
    options = ("--data", "data.npz", "--epochs", "1", "--threads", "1")
    assert penstock("compress", "net.pt2", *options, "-o", output) == 2
    assert len(found) == 1 and sorted(path.name for path in work.iterdir()) == found


def test_a_folder_for_checkpoints_keeps_them(
    among_trained_files: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work, output = tmp_path / "new" / "kept", tmp_path / "o.tflite"
    options = ("--data", "data.npz", "--epochs", "1", "--threads", "1", "--work", work)
    assert penstock("compress", "net.pt2", *options, "-o", output) == 0
    assert "quantize: epoch 1, " in capsys.readouterr().err
    content = output.read_bytes()
    (kept,) = work.iterdir()
    assert kept.name.startswith("quantize-") and kept.suffix == ".pt"
    assert penstock("compress", "net.pt2", *options, "-o", output) == 0
    assert "epoch" not in capsys.readouterr().err
    assert output.read_bytes() == content and list(work.iterdir()) == [kept]


def test_where_nothing_is_kept_yet_nothing_is_said_to_go_on(
    among_trained_files: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "compress", stop)
    (tmp_path / "kept").mkdir()
    command = ("compress", "net.pt2", "--data", "data.npz", "--work", tmp_path / "kept")
    assert penstock(*command, "-o", tmp_path / "o.tflite") == 130
    assert "goes on from" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
