"""Truncated, mutated and hostile files end in a clear error: soon, and without much memory."""

import struct
import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from tflite_models import FileModel, FileOperator, FileTensor, options

from penstock.errors import InputError, ModelFormatError, PenstockError, UnsupportedError
from penstock.frontends.tflite import read_model
from tests.hostile_models import chain, concatenations, dilated, pooled_constant
from tests.mutations import mutate

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
MUTATION_COUNT = 10_000
SECONDS_PER_CASE = 5.0
MEMORY_LIMIT_BYTES = 32 << 20


def accepts(content: bytes, case: str) -> bool:
    """Return whether a file loads; anything but a PenstockError, or a long wait, fails."""
    started = time.perf_counter()
    try:
        read_model(content, "model")
        return True
    except PenstockError as error:
        assert isinstance(error, InputError | UnsupportedError), case
        assert error.what, case
        return False
    except Exception as error:
        raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
    finally:
        assert time.perf_counter() - started < SECONDS_PER_CASE, case


def check_all(cases: Iterator[tuple[str, bytes]]) -> None:
    """Load every case; some must load and some must not, or the damage tests nothing."""
    tracemalloc.start()
    try:
        outcomes = [accepts(content, case) for case, content in cases]
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert any(outcomes)
    assert not all(outcomes)
    assert peak_bytes < MEMORY_LIMIT_BYTES


def mutations(shared_dir: Path, seeds: range) -> Iterator[tuple[str, bytes]]:
    originals = [(shared_dir / "models" / name).read_bytes() for name in SEED_MODELS]
    for seed in seeds:
        position = seed % len(originals)
        yield f"{SEED_MODELS[position]}, mutation {seed}", mutate(originals[position], seed)


@pytest.mark.shared
def test_mutations_quick(shared_dir: Path) -> None:
    check_all(mutations(shared_dir, range(500)))


@pytest.mark.fuzz
@pytest.mark.shared
def test_mutations(shared_dir: Path) -> None:
    check_all(mutations(shared_dir, range(MUTATION_COUNT)))


INTERESTING = (-(1 << 31), -129, -2, -1, 0, 1, 2, 3, 5, 127, 128, 255, 65536, (1 << 31) - 1)
INTERESTING_REALS = (0.0, -1.0, 1e-38, 1e-10, 1.0, 1e10, 3e38, float("inf"), float("nan"))


def numbers_of(node: Any, path: str = "") -> Iterator[tuple[Any, str | int, str]]:
    """Yield holder, key and path of every number in a tree of schema objects and lists."""
    items = enumerate(node) if isinstance(node, list) else vars(node).items()
    for key, value in items:
        where = f"{path}.{key}"
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            yield node, key, where
        elif isinstance(value, list) or hasattr(value, "__dict__"):
            yield from numbers_of(value, where)


def edited_models(shared_dir: Path, seeds: range) -> Iterator[tuple[str, bytes]]:
    """Yield valid files of which one to three numbers are extreme: deeper than random damage."""
    originals = [(shared_dir / "models" / name).read_bytes() for name in SEED_MODELS]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        model = schema.ModelT.InitFromObj(
            schema.Model.GetRootAs(originals[seed % len(originals)], 0)
        )
        places = [place for place in numbers_of(model) if not place[2].startswith(".metadata")]
        changed = []
        for _ in range(int(rng.integers(1, 4))):
            holder, key, where = places[int(rng.integers(len(places)))]
            old = holder[key] if isinstance(holder, list) else getattr(holder, key)
            is_real = isinstance(old, float | np.floating)
            new = rng.choice(INTERESTING_REALS if is_real else INTERESTING).item()
            if isinstance(holder, list):
                holder[key] = new
            else:
                setattr(holder, str(key), new)
            changed.append(f"{where} = {new}")
        try:
            builder = Builder(1024)
            builder.Finish(model.Pack(builder), b"TFL3")
        except (TypeError, ValueError, struct.error, OverflowError, AttributeError):
            continue  # The value does not fit its field: no file can hold it.
        yield f"{SEED_MODELS[seed % len(originals)]}: {', '.join(changed)}", bytes(builder.Output())


@pytest.mark.shared
def test_extreme_numbers_quick(shared_dir: Path) -> None:
    check_all(edited_models(shared_dir, range(200)))


@pytest.mark.fuzz
@pytest.mark.shared
def test_extreme_numbers(shared_dir: Path) -> None:
    check_all(edited_models(shared_dir, range(3_000)))


@pytest.mark.shared
def test_every_truncation_is_refused(shared_dir: Path) -> None:
    content = (shared_dir / "models" / SEED_MODELS[0]).read_bytes()
    for length in range(0, len(content) - 1, 7):
        with pytest.raises(ModelFormatError, match=rf"found {length} bytes( in all)?\b"):
            read_model(content[:length], "model")


def table(*fields: bytes) -> bytes:
    """Return a vtable and a table whose fields follow one another, in hand-made bytes."""
    offsets, position = [], 4
    for content in fields:
        offsets.append(position if content else 0)
        position += len(content)
    vtable = struct.pack(f"<HH{len(offsets)}H", 4 + 2 * len(offsets), position, *offsets)
    return vtable + struct.pack("<i", len(vtable)) + b"".join(fields)


def test_a_vector_of_four_billion_elements() -> None:
    # Field 0: version 3; field 1: operator codes, whose length follows at once.
    body = table(struct.pack("<I", 3), struct.pack("<II", 4, 0xFFFFFFFF))
    vtable_bytes = 8
    content = struct.pack("<I4s", 8 + vtable_bytes, b"TFL3") + body
    with pytest.raises(ModelFormatError, match=r"4294967295 elements .* beyond the file's end"):
        read_model(content, "model")


def test_tables_that_are_used_over_and_over() -> None:
    # The model's subgraph has a long vector of offsets to one and the same tensor of 400 bytes.
    count = 60_000
    tensor = table(bytes(400))
    content = bytearray(struct.pack("<I4s", 8 + 10, b"TFL3"))
    content += table(struct.pack("<I", 3), b"", struct.pack("<I", 4))
    content += struct.pack("<II", 1, 4 + 6) + table(struct.pack("<I", 4))
    content += struct.pack("<I", count)
    target = len(content) + 4 * count + len(tensor) - 404
    for _ in range(count):
        content += struct.pack("<I", target - len(content))
    content += tensor
    with pytest.raises(ModelFormatError, match="used over and over"):
        read_model(bytes(content), "model")
    few = bytearray(content)
    struct.pack_into("<I", few, few.index(struct.pack("<I", count)), 2)
    with pytest.raises(ModelFormatError, match="the model has no outputs"):
        read_model(bytes(few), "model")


def test_constants_that_share_one_buffer_have_a_limit() -> None:
    size = 100_000
    model = FileModel(
        [
            *(FileTensor(f"t{i}", [1, size], "int8", 0.1) for i in range(21)),
            *(FileTensor(f"w{i}", [1, size], "int8", 0.1) for i in range(20)),
        ],
        [
            FileOperator("ADD", [f"t{i}", f"w{i}"], [f"t{i + 1}"], options("AddOptions"))
            for i in range(20)
        ],
        ["t0"],
        ["t20"],
    )
    model.tensors[21].data = np.ones(size)

    def share(made: Any) -> None:
        for tensor in made.subgraphs[0].tensors[21:]:
            tensor.buffer = 1

    model.edit = share
    with pytest.raises(ModelFormatError, match="unfold to more than 8 times the file"):
        read_model(model.to_bytes(), "model")


def test_activations_have_a_limit() -> None:
    shape = [1 << 12, 1 << 12]
    names = [f"t{i}" for i in range(18)]
    model = FileModel(
        [FileTensor(name, shape, "int8", 0.1) for name in names],
        [FileOperator("RELU", [left], [right]) for left, right in pairwise(names)],
        ["t0"],
        ["t17"],
    )
    with pytest.raises(UnsupportedError, match=r"288\.0 MiB together, the limit is 256\.0 MiB"):
        read_model(model.to_bytes(), "model")


def test_operators_have_a_limit() -> None:
    assert len(read_model(chain(4096).to_bytes(), "model").operators) == 4096
    with pytest.raises(UnsupportedError, match="has 4097 operators, the limit is 4096"):
        read_model(chain(4097).to_bytes(), "model")


def test_operands_have_a_limit() -> None:
    # Each reads one tensor a thousand times and writes another.
    model = concatenations(16, operands=1000)
    assert len(read_model(model.to_bytes(), "model").operators) == 16
    message = "its 17 operators have 17035 inputs and outputs, the limit is 16384"
    with pytest.raises(UnsupportedError, match=message):
        read_model(concatenations(17, operands=1000).to_bytes(), "model")


def test_a_far_dilation_has_a_limit() -> None:
    message = r"'x': with its padding it would be \[1, 200001, 200001, 1\].* limit is 16777216"
    with pytest.raises(UnsupportedError, match=message):
        read_model(dilated(100_000).to_bytes(), "model")


def test_scales_have_a_limit() -> None:
    count = (1 << 16) + 1
    model = FileModel(
        [
            FileTensor("x", [1, count], "int8", np.full(count, 0.1), axis=1),
            FileTensor("y", [1, count], "int8", 0.1),
        ],
        [FileOperator("RELU", ["x"], ["y"])],
        ["x"],
        ["y"],
    )
    with pytest.raises(UnsupportedError, match=r"'x' .* has 65537 scales, the limit is 65536"):
        read_model(model.to_bytes(), "model")


def test_work_has_a_limit() -> None:
    message = r"has 68988174336 multiply-accumulates, the limit is 34359738368; .* operator 1 \(AV"
    with pytest.raises(UnsupportedError, match=message):
        read_model(pooled_constant(1024, window=512).to_bytes(), "model")
