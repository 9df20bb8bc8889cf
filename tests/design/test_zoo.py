"""Networks of the zoo, before anybody trains them: sizes, bytes, and the boards they are for."""

from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from penstock.api.deploying import BoardDeployment  # noqa: E402
from penstock.api.evaluating import host_outputs  # noqa: E402
from penstock.boards import load_board  # noqa: E402
from penstock.design.compression.setting import Setting  # noqa: E402
from penstock.design.data import DataSet, Samples  # noqa: E402
from penstock.design.learning.tasks import Reconstruction, training_data  # noqa: E402
from penstock.design.zoo.building import as_trained, quantize_trained  # noqa: E402
from penstock.design.zoo.catalogue import ZOO  # noqa: E402
from penstock.frontends.samples import PIXELS_AS_THEY_ARE  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.pipeline import lower  # noqa: E402
from penstock.report.inspection import graph_totals  # noqa: E402
from penstock.report.summary import HOST  # noqa: E402
from tests.frontends.pytorch.modules import with_random_norms  # noqa: E402
from tests.litert import LiteRT, compare_outputs, random_inputs  # noqa: E402

torch.set_num_threads(1)

KIB = 1024
INTERNAL = "nucleo-f446re"
"""A board with nothing but a chip: 512 KiB of flash."""
EXTERNAL = "stm32f746g-disco"
"""A board with 1 MiB of flash, and more memory around the chip."""


def data(name: str) -> DataSet:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (4, *ZOO[name].shape)).astype(np.uint8)
    samples = Samples(values, np.arange(4))
    return DataSet("noise", samples, samples, tuple("0123456789"))


@cache
def quantized(name: str) -> Graph:
    network = ZOO[name]
    module = with_random_norms(network.build())
    height, width, channels = network.shape
    made = as_trained(module, torch.zeros(1, channels, height, width), "net")
    graph = quantize_trained(network, made, Setting(data=data(name), task=network.task))
    verify(graph)
    return graph


@pytest.mark.parametrize("name", ZOO)
def test_litert_the_interpreter_and_the_c_agree(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    graph = quantized(name)
    model = tmp_path_factory.mktemp("zoo") / "net.tflite"
    model.write_bytes(write_model(graph))
    inputs = [random_inputs(graph, seed) for seed in range(2)]
    oracle = LiteRT(model)
    lowered = lower(model, HOST)
    of_c = host_outputs(lowered, lambda n: inputs[n][0], len(inputs))
    for each, found in zip(inputs, of_c, strict=True):
        expected = interpreter.run(graph, each)
        assert compare_outputs(expected, oracle.run(each)).agrees
        np.testing.assert_array_equal(found, expected[0])


def fits(name: str, board: str) -> bool:
    network = ZOO[name]
    deployment = BoardDeployment(
        load_board(board), board, data(name).test, PIXELS_AS_THEY_ARE, network.task
    )
    return deployment.cost(quantized(name)).latency is not None


@pytest.mark.parametrize("name", ZOO)
def test_sizes_and_boards_are_what_they_are_described_as(name: str) -> None:
    network, totals = ZOO[name], graph_totals(quantized(name))
    weights = sum(
        tensor.data.nbytes for tensor in quantized(name).tensors.values() if tensor.data is not None
    )
    assert fits(name, EXTERNAL)
    if name == "cifar10-large":
        assert "too large for most internal flash" in network.about
        assert totals.parameters >= 1_200_000 and min(network.shape[:2]) >= 64
        assert weights > 1024 * KIB and not fits(name, INTERNAL)
    else:
        assert weights < 512 * KIB and fits(name, INTERNAL)
    source = quantized(name).tensors[quantized(name).inputs[0]]
    assert source.shape == (1, *network.shape)
    outputs = quantized(name).tensors[quantized(name).outputs[0]].shape
    assert outputs == (1, 784 if isinstance(network.task, Reconstruction) else 10)


@pytest.mark.parametrize("name", ["cifar10-small", "mnist-anomaly"])
def test_weights_follow_from_the_seed(name: str) -> None:
    torch.manual_seed(99)
    first = ZOO[name].build().state_dict()
    torch.rand(5)
    second = ZOO[name].build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_autoencoder_learns_from_normal_samples_alone() -> None:
    values = np.arange(12, dtype=np.float32).reshape(12, 1)
    samples = Samples(values, np.arange(12) % 3)
    whole = DataSet("set", samples, samples, ("a", "b", "c"))
    network = ZOO["mnist-anomaly"]
    assert isinstance(network.task, Reconstruction) and network.task.normal == 0
    kept = training_data(whole, network.task)
    assert kept.training.values.ravel().tolist() == [0, 3, 6, 9]
    assert len(kept.test) == 12
    assert training_data(whole, ZOO["cifar10-small"].task) is whole


@pytest.mark.parametrize("name", ["spoken-digits", "mnist-anomaly"])
def test_exported_networks_compute_what_the_module_computes(name: str) -> None:
    network = ZOO[name]
    module = with_random_norms(network.build())
    height, width, channels = network.shape
    example = torch.rand(1, channels, height, width)
    made = as_trained(module.to(memory_format=torch.channels_last), example, "net")
    with torch.no_grad():
        torch.testing.assert_close(made.program.module()(example), module(example))
    assert made.saved()[:2] == b"PK"
