"""Every shared model loads, or is refused with the class of error and the words expected."""

from pathlib import Path

import pytest

from penstock.errors import InputError, ModelFormatError, UnsupportedError
from penstock.frontends.tflite import load_model
from penstock.ir.dtype import DType
from penstock.ir.operators import AveragePool2D, AverageRounding, Conv2D, MultiplierSource, Quantize
from penstock.ir.real_numbers import first_in_float
from penstock.ir.verify import verify

HYBRID_MODEL = "mlperf_tiny/kws_ref_model_float32.tflite"
FLOAT_MODELS = {
    "mlperf_tiny/ad01_fp32.tflite": "FULLY_CONNECTED",
    "mlperf_tiny/pretrainedResnet.tflite": "CONV_2D",
    "mlperf_tiny/vww_96_float.tflite": "CONV_2D",
    "tflm/hello_world_float.tflite": "FULLY_CONNECTED",
}
"""The first operator of those that are yet to be quantized."""
MODEL_COUNT = 235


@pytest.mark.shared
def test_all_shared_models_load_or_are_refused_as_expected(shared_dir: Path) -> None:
    models = shared_dir / "models"
    paths = sorted(models.rglob("*.tflite"))
    assert len(paths) == MODEL_COUNT
    for path in paths:
        name = path.relative_to(models).as_posix()
        if name == HYBRID_MODEL:
            hybrid = r"operator 0 \(CONV_2D\).* is hybrid"
            with pytest.raises(UnsupportedError, match=hybrid) as refused:
                load_model(path)
            assert "quantize the model to int8 first" in refused.value.help
            continue
        graph = load_model(path)
        verify(graph)
        assert graph.name.isidentifier()
        found = first_in_float(graph)
        assert (None if found is None else found[0].kind) == FLOAT_MODELS.get(name)
        assert graph.operators


@pytest.mark.shared
def test_legacy_uint8_becomes_int8_inside_and_stays_uint8_at_the_edges(shared_dir: Path) -> None:
    graph = load_model(shared_dir / "models/imagenet_uint8/mobilenet_v1_0_25_128_quant.tflite")
    edges = {*graph.inputs, *graph.outputs}
    assert {graph.tensors[name].dtype for name in edges} == {DType.UINT8}
    assert not [
        name
        for name, tensor in graph.tensors.items()
        if tensor.dtype is DType.UINT8 and name not in edges
    ]
    assert isinstance(graph.operators[0], Quantize)
    assert isinstance(graph.operators[-1], Quantize)
    (pool,) = [op for op in graph.operators if isinstance(op, AveragePool2D)]
    assert pool.rounding is AverageRounding.HALF_UP
    convolutions = [op for op in graph.operators if isinstance(op, Conv2D)]
    assert {op.multiplier_source for op in convolutions} == {MultiplierSource.SINGLE}
    assert any(any(graph.tensors[op.filters].quantization.zero_point) for op in convolutions)


@pytest.mark.shared
def test_uint8_that_only_quantize_touches_is_left_alone(shared_dir: Path) -> None:
    graph = load_model(shared_dir / "models/imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite")
    assert sum(isinstance(op, Quantize) for op in graph.operators) == 2
    assert [op.source for op in graph.operators] == list(range(68))


@pytest.mark.shared
def test_output_shape_given_at_run_time_stays_an_unused_input(shared_dir: Path) -> None:
    graph = load_model(shared_dir / "models/tflm/seanet/transpose_conv0.tflite")
    shape, _ = graph.inputs
    assert graph.tensors[shape].dtype is DType.INT32
    assert not graph.consumers()[shape]


@pytest.mark.shared
def test_computed_shapes_are_translated_not_folded(shared_dir: Path) -> None:
    graph = load_model(shared_dir / "models/mlperf_tiny/vww_96_gray_int8_history.tflite")
    kinds = [operator.kind for operator in graph.operators]
    assert kinds.count("SHAPE") == kinds.count("STRIDED_SLICE") == kinds.count("PACK") == 2
    assert sum(getattr(op, "shape", None) is not None for op in graph.operators) == 2


@pytest.mark.shared
def test_name_follows_the_file(shared_dir: Path, tmp_path: Path) -> None:
    source = shared_dir / "models/tflm/hello_world_int8.tflite"
    copy = tmp_path / "2-Hello World!.tflite"
    copy.write_bytes(source.read_bytes())
    assert load_model(copy).name == "model_2_hello_world"


def test_a_missing_file_a_folder_and_an_unreadable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="there is no model file"):
        load_model(tmp_path / "missing.tflite")
    with pytest.raises(InputError, match="is no file"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="there is no model file"):
        load_model(Path("a\0b.tflite"))

    def forbid(path: Path) -> bytes:
        raise PermissionError("permission denied")

    locked = tmp_path / "locked.tflite"
    locked.write_bytes(b"")
    monkeypatch.setattr(Path, "read_bytes", forbid)
    with pytest.raises(InputError, match=r"cannot read .*locked.tflite': permission denied"):
        load_model(locked)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found 0 bytes"),
        (b"TFL3", "found 4 bytes"),
        (b"# a README, not a model\n", "found READ"),
        (
            b"\x89PNG\r\n\x1a\n" + bytes(64),
            "must be TFL3, found the bytes 0d 0a 1a 0a",
        ),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(
        ModelFormatError, match=r"^model.tflite: this is no TensorFlow Lite"
    ) as refused:
        load_model(path)
    assert found in refused.value.what
    assert refused.value.help


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "huge.tflite"
    with path.open("wb") as sparse:
        sparse.truncate((64 << 20) + 1)
    with pytest.raises(InputError, match=r"has 64\.0 MiB, the limit is 64\.0 MiB"):
        load_model(path)
