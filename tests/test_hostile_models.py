"""Well-formed models that ask for too much, through the whole command, in a process of its own.

Whatever a file of a few kilobytes describes, a command ends within 20 s of processor time and 2 GiB
of memory: with a result, or with one clear error and nothing left behind.
"""

import math
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import hostile_models as hostile
from tests.frontends.tflite_models import FileModel, FileOperator, FileTensor

SECONDS_MAX = 60.0
"""Of all processors, compilers included. The longest take 15 where nothing else runs, about twice
that where something does; what grows with the square of a model's size takes minutes."""
MEMORY_BYTES_MAX = 2 << 30
ADDRESS_SPACE_BYTES = 6 << 30
"""Protects the machine that runs the tests; threads reserve more than they ever touch."""

MEBI = 1 << 20
INSPECT = ("inspect",)
FOR_BOARD = ("compile", "--board", "stm32f746g-disco")
FOR_HOST = ("compile", "--board", "host")


@dataclass(frozen=True)
class Outcome:
    """How a command ended; seconds and memory are those of the compilers too."""

    status: int
    errors: str
    seconds: float
    memory_bytes: int


def penstock(*arguments: str | Path, address_space_bytes: int = ADDRESS_SPACE_BYTES) -> Outcome:
    """Run the command line in a process of its own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (4 * int(SECONDS_MAX),) * 2)

    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limit,
    )
    assert process.stderr is not None
    with process.stderr as pipe:
        errors = pipe.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    return Outcome(process.returncode, errors, seconds, usage.ru_maxrss * 1024)


def check(
    model: FileModel,
    parent: Path,
    command: Sequence[str],
    address_space_bytes: int = ADDRESS_SPACE_BYTES,
) -> Outcome:
    """Run a command on a model and check everything that a user may rely on."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    file, out = folder / "model.tflite", folder / "out"
    file.write_bytes(model.to_bytes())
    target = ["-o", out] if command[0] == "compile" else []
    arguments = command[0], file, *command[1:], *target
    outcome = penstock(*arguments, address_space_bytes=address_space_bytes)
    assert outcome.status in (0, 2), outcome
    assert "Traceback" not in outcome.errors
    if outcome.status == 2:
        assert re.match(r"error: .+\nhelp: .+\n", outcome.errors), outcome
    left = {path.name for path in folder.iterdir()}
    assert left == {file.name, *(["out"] if target and outcome.status == 0 else [])}
    assert outcome.memory_bytes <= MEMORY_BYTES_MAX, outcome
    assert outcome.seconds <= SECONDS_MAX, outcome
    return outcome


REFUSED: dict[str, Callable[[], FileModel]] = {
    "a constant padded to 400 MB": lambda: hostile.padded_constants(1, 400_000_004),
    "a constant padded to 700 MB and cut": lambda: hostile.sliced_constant(700_000_004),
    "constants broadcast to 400 MB": lambda: hostile.outer_sum(20_000, 20_000, of_constants=True),
    "an input broadcast to 1.5 GiB": lambda: hostile.outer_sum(40_000, 40_000),
    "20,000 operators in a row": lambda: hostile.chain(20_000),
    "10,000 operators side by side": lambda: hostile.independents(10_000),
    "60 MB of constants, padded": lambda: hostile.padded_constants(60, MEBI),
    "taps far apart": lambda: hostile.dilated(1 << 20),
    "a window of a million pixels": lambda: hostile.pooled_constant(2048, 1024),
    "4,000 tensors of a thousand parts": lambda: hostile.concatenations(4000, 1000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_microcontroller_could_hold_is_refused(name: str, tmp_path: Path) -> None:
    assert check(REFUSED[name](), tmp_path, FOR_HOST).status == 2


@pytest.mark.fuzz
@pytest.mark.parametrize("name", REFUSED)
def test_refusals_by_every_command(name: str, tmp_path: Path) -> None:
    assert check(REFUSED[name](), tmp_path, FOR_BOARD).status == 2
    # What cannot be compiled can be inspected as long as it can be read.
    check(REFUSED[name](), tmp_path, INSPECT)


AT_THE_LIMIT: dict[str, Callable[[], FileModel]] = {
    "operators in a row": lambda: hostile.chain(4096),
    "operators side by side": lambda: hostile.independents(4096),
    "a fan and its joint": lambda: hostile.fan(4000),
    "concatenations of one tensor": lambda: hostile.concatenations(12, 1000),
    "splits of splits": lambda: hostile.splits(8, 1000),
    "identities before outputs": lambda: hostile.identities(2048),
    "reshapes there and back": lambda: hostile.reshapes(4095),
    "pads before convolutions": lambda: hostile.padded_convolutions(2000),
    "channels that die one by one": lambda: hostile.dying_convolutions(4096),
    "sums that tie channels": lambda: hostile.tied_sums(4000),
    "convolutions without weights": lambda: hostile.weightless_convolutions(1600),
    "one filter for all": lambda: hostile.shared_filters(4000, 64),
    "folded constants": lambda: hostile.padded_constants(8, 2 * MEBI),
    "large tensors": lambda: hostile.clamps(5, (1, 16 * MEBI)),
    "large transposes": lambda: hostile.transposes(5, (2, 16, 2, 16, 32, 512)),
    "a broadcast": lambda: hostile.outer_sum(4096, 4096),
    "a large file": lambda: hostile.large_weights(8190),
    "long names": lambda: hostile.long_names(1000, 20_000),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("width", [24, 400])
def test_wide_models_are_searched_in_time(width: int, tmp_path: Path) -> None:
    """What lives side by side has as many combinations as there are."""
    outcome = check(hostile.fan(width), tmp_path, (*FOR_BOARD, "--effort", "full"))
    assert outcome.status == 0


@pytest.mark.fuzz
@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_what_is_allowed_is_made_in_time(name: str, tmp_path: Path) -> None:
    model = AT_THE_LIMIT[name]()
    assert check(model, tmp_path, INSPECT).status == 0
    # Boards have less memory than the limits allow.
    check(model, tmp_path, FOR_BOARD)
    assert check(model, tmp_path, FOR_HOST).status == 0


def test_too_little_memory_is_said_in_words(tmp_path: Path) -> None:
    model = hostile.clamps(2, (1, 16 * MEBI))
    outcome = check(model, tmp_path, FOR_HOST, address_space_bytes=768 * MEBI)
    assert outcome.status == 2
    assert "this computer has not enough memory" in outcome.errors


class Growing:
    """A model that grows operator by operator; all tensors are quantized alike."""

    def __init__(self, width: int) -> None:
        self.tensors = [hostile.probability("t0", (1, width))]
        self.operators: list[FileOperator] = []
        self.outputs: list[str] = []

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.tensors[-1].shape
        return rows, columns

    def tensor(self, shape: Sequence[int]) -> str:
        self.tensors.append(hostile.probability(f"t{len(self.tensors)}", shape))
        return self.tensors[-1].name

    def constant(self, made: FileTensor) -> str:
        # Constants go to the front, so that the last tensor is the one that grows.
        made.name = f"c{len(self.tensors)}"
        self.tensors.insert(0, made)
        return made.name

    def model(self) -> FileModel:
        outputs = [*self.outputs, self.tensors[-1].name]
        return FileModel(self.tensors, self.operators, ["t0"], outputs)

    def broadcast(self, amount: int) -> None:
        """Add a column to a row; more rows than one stay."""
        source, (rows, columns) = self.tensors[-1].name, self.shape
        extent = amount if rows == 1 else 1
        column = self.constant(hostile.constant("", np.ones((extent, 1))))
        result = self.tensor((max(rows, extent), columns))
        self.operators.append(hostile.add(column, source, result))

    def pad(self, amount: int) -> None:
        source, (rows, columns) = self.tensors[-1].name, self.shape
        amounts = self.constant(hostile.integers("", [[0, 0], [0, amount]]))
        self.operators.append(hostile.pad(source, amounts, self.tensor((rows, columns + amount))))

    def join(self, amount: int) -> None:
        """Join the tensor with itself, a thousand times at most."""
        source, (rows, columns), count = self.tensors[-1].name, self.shape, min(amount, 1000)
        self.operators.append(hostile.join([source] * count, self.tensor((rows, columns * count))))

    def transpose(self, amount: int) -> None:
        source, (rows, columns) = self.tensors[-1].name, self.shape
        order = self.constant(hostile.integers("", [1, 0]))
        turn = hostile.options("TransposeOptions")
        result = self.tensor((columns, rows))
        self.operators.append(FileOperator("TRANSPOSE", [source, order], [result], turn))

    def chain(self, amount: int) -> None:
        for _ in range(amount):
            source, shape = self.tensors[-1].name, self.shape
            self.operators.append(hostile.logistic(source, self.tensor(shape)))

    def fan(self, amount: int) -> None:
        source, shape = self.tensors[-1].name, self.shape
        results = [self.tensor(shape) for _ in range(amount)]
        self.operators += [hostile.logistic(source, result) for result in results]
        self.outputs += results[:-1]


STAGES = ("broadcast", "pad", "join", "transpose", "chain", "fan")


@st.composite
def growing_models(draw: st.DrawFn) -> FileModel:
    """Draw models whose sizes multiply."""
    made = Growing(1 << draw(st.integers(0, 12)))
    for stage in draw(st.lists(st.sampled_from(STAGES), min_size=1, max_size=5)):
        getattr(made, stage)(1 << draw(st.integers(0, 13)))
    return made.model()


@pytest.mark.fuzz
def test_models_that_multiply(tmp_path: Path) -> None:
    seen = set()

    @given(growing_models())
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def run(model: FileModel) -> None:
        elements = sum(math.prod(tensor.shape) for tensor in model.tensors)
        unchecked = ("--no-check",) if elements > 4 * MEBI else ()
        check(model, tmp_path, INSPECT)
        check(model, tmp_path, (*FOR_BOARD, *unchecked))
        seen.add(check(model, tmp_path, (*FOR_HOST, *unchecked)).status)

    run()
    assert seen == {0, 2}, "some models must be small enough, and some too large"
