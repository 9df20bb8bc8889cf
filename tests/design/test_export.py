"""A tiny untrained network: what PyTorch computes is what the exported graphs compute."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from click.testing import CliRunner
from PIL import Image

torch = pytest.importorskip(
    "torch", reason="the learning side needs torch: pip install '.[design]'"
)

from penstock.design.datasets import LabelledImages, load_labelled_images  # noqa: E402
from penstock.design.evaluation import predict_int8  # noqa: E402
from penstock.design.export import IMAGE, export_float_graph, observe_ranges  # noqa: E402
from penstock.design.networks import (  # noqa: E402
    BlockSpec,
    Classifier,
    NetworkSpec,
    build_classifier,
)
from penstock.design.recipes import cifar10  # noqa: E402
from penstock.design.training import (  # noqa: E402
    TrainingOptions,
    augment,
    predict,
    train,
)
from penstock.errors import InputError  # noqa: E402
from penstock.frontends.tflite import load_model, write_model  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.quantize.post_training import quantize_graph  # noqa: E402

SPEC = NetworkSpec(
    resolution=12,
    stem_channels=4,
    blocks=(BlockSpec(6, 2, 2), BlockSpec(6, 2, 1), BlockSpec(8, 2, 2)),
    head_channels=16,
    classes=3,
)


def network_with_statistics(seed: int) -> Classifier:
    """An untrained network whose normalization is not the identity."""
    network = build_classifier(SPEC, seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.05, 0.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network


def random_images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)


def run_litert(graph: Graph, values: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(
        model_content=write_model(graph),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    outputs = []
    for value in values:
        interpreter.set_tensor(source, value[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result)[0])
    return np.stack(outputs)


def probabilities(network: Classifier, images: np.ndarray) -> np.ndarray:
    return np.asarray(torch.softmax(torch.from_numpy(predict(network, images)), dim=1))


def test_float_graph_equals_torch() -> None:
    network, images = network_with_statistics(1), random_images(20)
    found = run_litert(export_float_graph(network, "tiny"), images.astype(np.float32) / 255)
    expected = probabilities(network, images)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_observed_ranges_cover_every_computed_tensor_but_softmax() -> None:
    network = network_with_statistics(2)
    graph = export_float_graph(network, "tiny")
    computed = {operator.outputs[0] for operator in graph.operators} - set(graph.outputs)
    ranges = observe_ranges(network, random_images(10))
    assert computed | {IMAGE} <= set(ranges)
    assert (ranges[IMAGE].low, ranges[IMAGE].high) == (0.0, 1.0)
    assert ranges["stem"].low >= 0.0
    assert ranges["stem"].high <= 6.0


def test_int8_graph_is_close_to_torch() -> None:
    network, images = network_with_statistics(3), random_images(50)
    graph = quantize_graph(export_float_graph(network, "tiny"), observe_ranges(network, images))
    found = run_litert(graph, (images.astype(np.int32) - 128).astype(np.int8))
    expected = probabilities(network, images)
    assert np.abs((found.astype(np.int32) + 128) / 256 - expected).max() < 0.05


def test_augmentation_moves_and_mirrors_whole_images() -> None:
    image = torch.arange(1, 12 * 12 * 3 + 1, dtype=torch.int32).reshape(1, 12, 12, 3)
    seen = {
        "mirrored" if found[0, 6, 6, 0] > found[0, 6, 7, 0] else "plain"
        for found in (augment(image, torch.Generator().manual_seed(seed)) for seed in range(20))
    }
    assert seen == {"mirrored", "plain"}
    once, again = (augment(image, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(once, again)
    # A shift by at most four pixels leaves at least 8 × 8 pixels in the picture.
    assert int((once[..., 0] > 0).sum()) >= 64


def test_training_learns_and_repeats_from_its_seed() -> None:
    labels = np.arange(60) % 3
    images = (random_images(60) // 4 + labels[:, None, None, None] * 64).astype(np.uint8)
    data = LabelledImages(images, labels.astype(np.int64))
    options = TrainingOptions(epochs=3, batch_size=20, learning_rate_peak=0.05, seed=5)
    results = []
    for _ in range(2):
        losses: list[float] = []
        network = build_classifier(SPEC, options.seed)
        train(network, data, options, lambda result, losses=losses: losses.append(result.loss))
        results.append(losses)
    assert results[0] == results[1]
    assert len(results[0]) == 3
    assert results[0][-1] < results[0][0]


def test_recipe_network_fits_a_microcontroller() -> None:
    network = build_classifier(cifar10.NETWORK, 0)
    assert sum(parameter.numel() for parameter in network.parameters()) < 120_000
    graph = cifar10.export_quantized(
        network, np.zeros((cifar10.CALIBRATION_IMAGES, 32, 32, 3), np.uint8), seed=0
    )
    assert len(write_model(graph)) < 200_000


def test_data_set_is_read_by_class(tmp_path: Path) -> None:
    for name, level in (("cat", 10), ("dog", 200)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (12, 12), (level,) * 3).save(tmp_path / name / "0.png")
    data = load_labelled_images(tmp_path, ("cat", "dog"), 12)
    assert data.images[:, 0, 0, 0].tolist() == [10, 200]
    assert data.labels.tolist() == [0, 1]
    with pytest.raises(InputError, match="bird is not a folder"):
        load_labelled_images(tmp_path, ("bird",), 12)
    with pytest.raises(InputError, match=r"0\.png is 12×12, expected 32×32"):
        load_labelled_images(tmp_path, ("cat",), 32)


def test_recipe_makes_a_model_from_a_folder(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for part, count in (("train", 13), ("test", 1)):
        for name in cifar10.CLASSES:
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{number}.png")
    output = tmp_path / "model.tflite"
    arguments = ["--data", str(tmp_path), "--output", str(output), "--epochs", "1"]
    result = CliRunner().invoke(cifar10.main, arguments)
    assert result.exit_code == 0, result.output
    assert "130 training images, 10 test images" in result.output
    assert "int8 test accuracy" in result.output
    graph = load_model(output)
    assert graph.tensors[graph.outputs[0]].shape == (1, 10)


def test_int8_predictions_are_those_of_litert() -> None:
    network, images = network_with_statistics(4), random_images(10)
    graph = quantize_graph(export_float_graph(network, "tiny"), observe_ranges(network, images))
    expected = run_litert(graph, (images.astype(np.int32) - 128).astype(np.int8))
    np.testing.assert_array_equal(predict_int8(graph, images), expected)
