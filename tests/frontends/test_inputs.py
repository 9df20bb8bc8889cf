"""Users' arrays and images become what the model wants, or one clear message."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penstock.errors import InputError
from penstock.frontends.inputs import load_inputs, load_pixels, random_inputs
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Quantize
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor


def graph_of(*inputs: Tensor) -> Graph:
    return Graph.build("net", inputs, (), [tensor.name for tensor in inputs], [])


def image_graph(dtype: DType = DType.INT8, channels: int = 3) -> Graph:
    quantization = QuantizationParameters.per_tensor(1 / 255, -128)
    return graph_of(Tensor("image", (1, 4, 4, channels), dtype, quantization))


def save_gradient(path: Path, width: int = 4, height: int = 4) -> np.ndarray:
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    Image.fromarray(pixels).save(path)
    return pixels


def test_random_inputs_depend_on_the_seed_only() -> None:
    graph = image_graph()
    first, again, other = (random_inputs(graph, seed).arrays[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.int8


def test_random_floats_cover_what_the_quantizer_keeps() -> None:
    real = Tensor("real", (1, 1000), DType.FLOAT32)
    quantized = Tensor("q", (1, 1000), DType.INT8, QuantizationParameters.per_tensor(0.5, -28))
    graph = Graph.build(
        "net", [real, quantized], [Quantize(input="real", output="q")], ["real"], ["q"]
    )
    values = random_inputs(graph, 0).arrays[0]
    assert -50.0 <= values.min() < -45.0
    assert 70.0 < values.max() <= 77.5


def test_an_array_may_lack_the_batch_dimension(tmp_path: Path) -> None:
    values = np.arange(48, dtype=np.int8).reshape(4, 4, 3)
    np.save(tmp_path / "x.npy", values)
    (loaded,) = load_inputs(image_graph(), tmp_path / "x.npy").arrays
    assert np.array_equal(loaded, values[np.newaxis])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 4, 4, 3), np.float32), "wants int8"),
        (np.zeros((1, 5, 4, 3), np.int8), r"wants shape \[1, 4, 4, 3\]"),
    ],
)
def test_an_array_that_does_not_fit_is_explained(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(InputError, match=message):
        load_inputs(image_graph(), tmp_path / "x.npy")


def test_several_inputs_are_taken_by_name_or_in_order(tmp_path: Path) -> None:
    graph = graph_of(Tensor("a", (2,), DType.INT8), Tensor("b", (3,), DType.INT8))
    a, b = np.array([1, 2], np.int8), np.array([3, 4, 5], np.int8)
    np.savez(tmp_path / "named.npz", b=b, a=a)
    np.savez(tmp_path / "ordered.npz", a, b)
    for name in ("named.npz", "ordered.npz"):
        first, second = load_inputs(graph, tmp_path / name).arrays
        assert np.array_equal(first, a)
        assert np.array_equal(second, b)
    np.savez(tmp_path / "short.npz", a)
    with pytest.raises(InputError, match="found 1 arrays, the model has 2 inputs"):
        load_inputs(graph, tmp_path / "short.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".png"])
def test_damaged_files_are_explained(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"not what it says")
    with pytest.raises(InputError, match="is not a readable"):
        load_inputs(image_graph(), path)


def test_pickled_arrays_are_never_executed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is not a readable"):
        load_inputs(image_graph(), tmp_path / "x.npy")


def test_unknown_and_missing_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"")
    with pytest.raises(InputError, match=r"unknown suffix '\.wav'"):
        load_inputs(image_graph(), tmp_path / "x.wav")
    with pytest.raises(InputError, match="does not exist"):
        load_inputs(image_graph(), tmp_path / "missing.png")


@pytest.mark.parametrize(("dtype", "offset"), [(DType.INT8, -128), (DType.UINT8, 0)])
def test_pixels_fill_the_integer_range(tmp_path: Path, dtype: DType, offset: int) -> None:
    pixels = save_gradient(tmp_path / "x.png")
    (loaded,) = load_inputs(image_graph(dtype), tmp_path / "x.png").arrays
    assert np.array_equal(loaded[0].astype(int), pixels.astype(int) + offset)


def test_an_image_is_cropped_in_the_centre(tmp_path: Path) -> None:
    pixels = save_gradient(tmp_path / "x.png", width=8, height=4)
    assert np.array_equal(load_pixels(tmp_path / "x.png", 4, 4, 3), pixels[:, 2:6])


def test_an_image_loses_detail_before_it_gets_its_size(tmp_path: Path) -> None:
    checkers = np.indices((32, 48)).sum(axis=0) % 2 * 255
    Image.fromarray(checkers.astype(np.uint8)).convert("RGB").save(tmp_path / "x.png")
    sharp = load_pixels(tmp_path / "x.png", 32, 48, 3)
    reduced = load_pixels(tmp_path / "x.png", 32, 48, 3, detail=8)
    assert np.array_equal(sharp[..., 0], checkers)
    assert sharp.shape == reduced.shape
    assert np.abs(reduced[4:-4, 4:-4].astype(int) - 127.5).max() < 3
    enlarged = Image.open(tmp_path / "x.png").resize((12, 8), Image.Resampling.BILINEAR)
    again = np.asarray(enlarged.resize((48, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(reduced, again)


def test_detail_is_of_images_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4, 3), np.int8))
    with pytest.raises(InputError, match=r"only an image has detail; the input is x\.npy"):
        load_inputs(image_graph(), tmp_path / "x.npy", detail=2)
    with pytest.raises(InputError, match="only an image has detail; the input is random values"):
        load_inputs(image_graph(), None, detail=2)
    save_gradient(tmp_path / "x.png")
    origin = load_inputs(image_graph(), tmp_path / "x.png", detail=2).origin
    assert origin.startswith("x.png, centre square resized to 2×2, and that to 4×4")


def test_gray_models_get_gray_images(tmp_path: Path) -> None:
    save_gradient(tmp_path / "x.png")
    (loaded,) = load_inputs(image_graph(channels=1), tmp_path / "x.png").arrays
    assert loaded.shape == (1, 4, 4, 1)


def test_an_image_for_a_model_without_image_input_is_explained(tmp_path: Path) -> None:
    save_gradient(tmp_path / "x.png")
    with pytest.raises(InputError, match="an image fits a model with one input"):
        load_inputs(graph_of(Tensor("a", (1, 10), DType.INT8)), tmp_path / "x.png")


@pytest.mark.parametrize(
    ("shape", "scale", "doubt"),
    [
        ((1, 4, 4, 3), 1 / 255, None),
        ((1, 4, 4, 3), 2 / 255, None),
        ((1, 4, 4, 3), 1.0, None),
        ((1, 4, 6, 3), 1 / 128, None),
        ((1, 49, 10, 1), 1 / 255, "the input is 10 wide and 49 high"),
        ((1, 4, 4, 1), 0.5847, "its real values span 149.1, those of images usually 1, 2, 255"),
    ],
)
def test_an_input_that_hardly_takes_images_is_doubted(
    tmp_path: Path, shape: tuple[int, ...], scale: float, doubt: str | None
) -> None:
    save_gradient(tmp_path / "x.png")
    quantization = QuantizationParameters.per_tensor(scale, -128)
    graph = graph_of(Tensor("x", shape, DType.INT8, quantization))
    origin = load_inputs(graph, tmp_path / "x.png").origin
    if doubt is None:
        assert "warning" not in origin
    else:
        assert f"(warning: {doubt}; was this model trained on images?)" in origin


@pytest.mark.parametrize("shape", [(4, 4, 3), (1, 48), (1, 4, 4, 4), (1, 4, 4, 2), (2, 4, 4, 3)])
def test_an_image_is_refused_by_other_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    save_gradient(tmp_path / "x.png")
    with pytest.raises(InputError, match="an image fits a model with one input"):
        load_inputs(graph_of(Tensor("x", shape, DType.INT8)), tmp_path / "x.png")


def test_a_grey_image_is_said_to_be_one(tmp_path: Path) -> None:
    save_gradient(tmp_path / "x.png")
    assert "4×4 in grey" in load_inputs(image_graph(channels=1), tmp_path / "x.png").origin
    assert "grey" not in load_inputs(image_graph(), tmp_path / "x.png").origin
