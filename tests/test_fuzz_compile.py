"""Damaged models through the whole command: a clear error, or a complete project; nothing else."""

import resource
import signal
from pathlib import Path
from types import FrameType

import pytest

from penstock.cli.entry import run_command_line
from tests.mutations import mutate

MUTATION_COUNT = 10_000
CHUNKS = 40
SECONDS_PER_CASE = 20
MEMORY_LIMIT_BYTES = 2 << 30

SEED_MODELS = (
    "tflm/hello_world_int8.tflite",
    "tflm/simple_add_model.tflite",
    "coral/split_concat.tflite",
    "tinymaix/mnist_arduino_q.tflite",
    "tinymaix/mnist_dw_q.tflite",
    "layers/aww_layer1.tflite",
    "layers/resnet_layer0.tflite",
    "tflm/seanet/transpose_conv4.tflite",
    "tflm/seanet/strided_slice0.tflite",
    "tflm/keyword_scrambled_8bit.tflite",
)


class HungError(Exception):
    """A case took longer than any user would wait."""


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise HungError


def check_one(content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str) -> int:
    """Compile one file and check everything a user may rely on; return the exit status."""
    model, out = tmp_path / "model.tflite", tmp_path / "out"
    model.write_bytes(content)
    signal.alarm(SECONDS_PER_CASE)
    status = run_command_line(
        ["compile", str(model), "--board", "stm32f746g-disco", "-o", str(out), "--no-check"]
    )
    signal.alarm(0)
    stderr = capfd.readouterr().err
    assert status in (0, 2), f"{case}: exit status {status}\n{stderr}"
    assert "Traceback" not in stderr, f"{case}:\n{stderr}"
    if status == 2:
        assert "error" in stderr, case
    left = {path.name for path in tmp_path.iterdir()}
    assert left == ({"model.tflite", "out"} if status == 0 else {"model.tflite"}), case
    return status


def run_cases(
    cases: range, shared_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Run numbered mutations; the number is the seed."""
    originals = [(name, (shared_dir / "models" / name).read_bytes()) for name in SEED_MODELS]
    signal.signal(signal.SIGALRM, _on_alarm)
    accepted = 0
    for seed in cases:
        name, content = originals[seed % len(originals)]
        folder = tmp_path / str(seed)
        folder.mkdir()
        if check_one(mutate(content, seed), folder, capfd, f"{name}, mutation {seed}") == 0:
            accepted += 1
    assert 0 < accepted < len(cases), "mutations must produce both harmless and harmful damage"
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak_bytes < MEMORY_LIMIT_BYTES


@pytest.mark.shared
def test_damaged_models_quick(
    shared_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_cases(range(100), shared_dir, tmp_path, capfd)


@pytest.mark.fuzz
@pytest.mark.shared
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damaged_models(
    chunk: int, shared_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    size = MUTATION_COUNT // CHUNKS
    run_cases(range(chunk * size, (chunk + 1) * size), shared_dir, tmp_path, capfd)
