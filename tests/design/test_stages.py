"""Weights become 0 while a network is trained, and integers behind it: what stays, and how much."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'design'")
pytest.importorskip("torch_pruning", reason="needs the extra 'design'")

from penstock.design.compression.choices import Pattern, WeightFormat  # noqa: E402
from penstock.design.compression.magnitude import WeightPruning, prunable  # noqa: E402
from penstock.design.compression.recipe import QuantizeStep, SparsifyStep  # noqa: E402
from penstock.design.compression.setting import Setting  # noqa: E402
from penstock.design.compression.stages import (  # noqa: E402
    calibrate,
    filter_maxima,
    fine_tune,
    quantize,
    sparsify,
)
from penstock.design.data import DataSet, Samples  # noqa: E402
from penstock.design.learning.engine import EpochResult  # noqa: E402
from penstock.design.learning.options import Optimizer, TrainingOptions  # noqa: E402
from penstock.design.learning.tasks import Classification, Reconstruction  # noqa: E402
from penstock.design.trainable import TrainableGraph  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from penstock.frontends.samples import PixelScaling  # noqa: E402
from penstock.ir import interpreter  # noqa: E402
from penstock.ir import operators as ops  # noqa: E402
from penstock.ir.dtype import DType  # noqa: E402
from penstock.ir.graph import Graph  # noqa: E402
from penstock.ir.verify import verify  # noqa: E402
from penstock.quantize.affine import dequantize_array, quantize_array  # noqa: E402
from penstock.quantize.histograms import RangeRule  # noqa: E402
from tests.design.test_trainable import SPEC, folded  # noqa: E402

torch.set_num_threads(1)

OPTIONS = TrainingOptions(epochs=2, batch_size=8, learning_rate=0.01)
STILL = replace(OPTIONS, epochs=1, batch_size=10, learning_rate=1e-9)
"""Weights stay what they are."""
SCALING = PixelScaling((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


@cache
def data() -> DataSet:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (40, *SPEC.shape)).astype(np.uint8)
    samples = Samples(values, np.arange(40) % SPEC.classes)
    return DataSet("noise", samples, samples, tuple("abcd"))


def setting(**others: object) -> Setting:
    return Setting(data=data(), task=Classification(), scaling=SCALING, **others)  # type: ignore[arg-type]


def outputs_of(graph: Graph, reals: np.ndarray) -> np.ndarray:
    """What a graph gives for each sample ``[H, W, C]``, as the interpreter has it: real numbers."""
    source, result = (graph.tensors[n].quantization for n in (*graph.inputs, *graph.outputs))
    rows = []
    for real in reals.astype(np.float32):
        value = real[np.newaxis]
        if source is not None:
            value = quantize_array(value, source, DType.INT8)
        (found,) = interpreter.run(graph, [value])
        rows.append(np.ravel(found if result is None else dequantize_array(found, result)))
    return np.array(rows, np.float64)


def real_samples() -> np.ndarray:
    return np.asarray((data().training.values / 255 - SCALING.mean) / SCALING.deviation)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def cross_entropy(scores: np.ndarray, smoothing: float) -> float:
    """Of all samples with their labels, some of the probability spread over all classes."""
    logs = log_softmax(scores)
    right = logs[np.arange(len(logs)), data().training.labels]
    return float(-((1 - smoothing) * right + smoothing * logs.mean(axis=1)).mean())


def filters(graph: Graph) -> Mapping[str, np.ndarray]:
    """Weights by operator: of those that may become 0 ``[C_OUT, taps, C_IN]``."""
    found = {}
    for operator in prunable(TrainableGraph(folded("classifier"))):
        values = graph.tensors[operator.filters].data
        assert values is not None
        found[operator.output] = values.reshape(len(values), -1, values.shape[-1])
    return found


def share_of_zeros(graph: Graph) -> float:
    everything = np.concatenate([values.ravel() for values in filters(graph).values()])
    return float(np.mean(everything == 0))


def blocks(values: np.ndarray) -> list[np.ndarray]:
    """All blocks of two output by two input channels, smaller ones at odd ends."""
    outputs, taps, inputs = values.shape
    return [
        values[row : row + 2, tap, column : column + 2]
        for row in range(0, outputs, 2)
        for column in range(0, inputs, 2)
        for tap in range(taps)
    ]


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_as_many_weights_are_0_as_were_asked_for(
    pattern: Pattern, share: float, epochs: int
) -> None:
    """However short the training is: here of 5 steps an epoch."""
    graph = folded("classifier")
    step = SparsifyStep(zeros=share, pattern=pattern, training=replace(OPTIONS, epochs=epochs))
    made = sparsify(graph, step, setting())
    verify(made)
    count = sum(values.size for values in filters(made).values())
    assert share_of_zeros(made) == pytest.approx(
        share, abs=(4 if pattern is Pattern.BLOCKS else 1) / count
    )
    kept = [o for o in TrainableGraph(graph).weighted if o.output not in filters(made)]
    assert isinstance(kept[0], ops.Conv2D) and kept[0].output.startswith("stem")
    assert all(isinstance(operator, ops.DepthwiseConv2D) for operator in kept[1:])
    for operator in kept:
        values = made.tensors[operator.filters].data
        assert values is not None and (values != 0).all()
    if pattern is Pattern.BLOCKS:
        for values in filters(made).values():
            assert all((block == 0).all() or (block != 0).all() for block in blocks(values))
    for training in (None, OPTIONS):
        rounded = quantize(made, QuantizeStep(training=training), setting())
        for name, values in filters(rounded).items():
            assert (values[filters(made)[name] == 0] == 0).all()


@given(done=st.floats(0, 1), share=st.floats(0.01, 0.99))
@settings(max_examples=100, deadline=None)
def test_zeros_come_as_the_paper_says(done: float, share: float) -> None:
    """Zhu and Gupta 2017, equation 1, from none at the start to all at half of the training."""
    pruning = WeightPruning(TrainableGraph(folded("classifier")), share, Pattern.SINGLE)
    expected = share + (0 - share) * (1 - min(2 * done, 1.0)) ** 3
    assert pruning.share_at(done) == pytest.approx(expected)


def lamp(values: np.ndarray) -> np.ndarray:
    """Lee et al. 2021, equation 2, as it stands there."""
    squares = values.astype(np.float64).ravel() ** 2
    scores = [square / squares[squares >= square].sum() for square in squares]
    return np.array(scores).reshape(values.shape)


def test_the_smallest_weights_for_their_layer_are_0() -> None:
    """By LAMP: however small its weights are, no layer is emptied, and where many are, more go."""
    network = TrainableGraph(folded("classifier"))
    layers = [network.layer(operator) for operator in prunable(network)]
    with torch.no_grad():
        layers[0].weight.mul_(1e-6)
    scores = [lamp(layer.weight.detach().numpy()) for layer in layers]
    everything = np.sort(np.concatenate([score.ravel() for score in scores]))
    count = round(0.6 * len(everything))
    WeightPruning(network, 0.6, Pattern.SINGLE).after_step(0, 10, 10)
    for layer, score in zip(layers, scores, strict=True):
        np.testing.assert_array_equal(layer.weight.detach() == 0, score < everything[count])
    WeightPruning(network, 0.999, Pattern.SINGLE).after_step(0, 10, 10)
    assert all(int((layer.weight != 0).sum()) >= 1 for layer in layers)
    shares = {layer.weight.numel(): float((layer.weight == 0).float().mean()) for layer in layers}
    assert shares[max(shares)] > shares[min(shares)]


def block_scores(values: np.ndarray) -> dict[float, float]:
    """Score of each block by the mean of its squares: the mean of its weights' shares by LAMP.

    They count as if each had the block's mean, one after the other.
    """
    found = [
        (float((block.astype(np.float64) ** 2).mean()), block.size) for block in blocks(values)
    ]
    larger, scores = 0.0, {}
    for mean, size in sorted(found, reverse=True):
        sums = [larger + mean * number for number in range(1, size + 1)]
        scores[mean] = float(np.mean([mean / whole for whole in sums]))
        larger = sums[-1]
    return scores


def test_the_smallest_blocks_for_their_layer_are_0() -> None:
    network = TrainableGraph(folded("classifier"))
    layers = [network.layer(operator) for operator in prunable(network)]
    with torch.no_grad():
        layers[0].weight.mul_(1e-6)

    def weights() -> list[np.ndarray]:
        """Filters as `blocks` has them: output channels, positions, input channels."""
        found = [layer.weight.detach().clone().numpy() for layer in layers]
        return [one.reshape(*one.shape[:2], -1).transpose(0, 2, 1) for one in found]

    before = weights()
    WeightPruning(network, 0.6, Pattern.BLOCKS).after_step(0, 10, 10)
    gone, kept = [], []
    for old, new in zip(before, weights(), strict=True):
        scores = block_scores(old)
        for block, left in zip(blocks(old), blocks(new), strict=True):
            score = scores[float((block.astype(np.float64) ** 2).mean())]
            (kept if left.any() else gone).append(score)
    assert len(kept) > len(layers) and len(gone) > len(kept)
    assert max(gone) < min(kept)


def test_layers_of_zeros_do_not_disturb() -> None:
    """They count as zeros that are there, and are no reason to divide by 0."""
    network = TrainableGraph(folded("classifier"))
    layers = [network.layer(operator) for operator in prunable(network)]
    with torch.no_grad():
        layers[0].weight.zero_()
    WeightPruning(network, 0.9, Pattern.SINGLE).after_step(0, 10, 10)
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
    assert zeros == round(0.9 * sum(layer.weight.numel() for layer in layers))
    assert all(bool(layer.weight.any()) for layer in layers[1:])


@pytest.mark.parametrize("training", [None, OPTIONS])
@pytest.mark.parametrize("weights", [WeightFormat.INT8, WeightFormat.INT4])
def test_weights_are_as_small_as_their_format(
    weights: WeightFormat, training: TrainingOptions | None
) -> None:
    graph = folded("classifier")
    step = QuantizeStep(weights=weights, training=training)
    made = quantize(graph, step, setting())
    verify(made)
    maxima = filter_maxima(graph, step.weights)
    for number, operator in enumerate(TrainableGraph(graph).weighted):
        is_kept = number == 0 or isinstance(operator, ops.DepthwiseConv2D)
        limit = 7 if weights is WeightFormat.INT4 and not is_kept else 127
        assert maxima[operator.output] == limit
        tensor = made.tensors[operator.filters]
        assert tensor.dtype is DType.INT8 and tensor.data is not None
        assert np.abs(tensor.data.astype(int)).max() == limit
        before = graph.tensors[operator.filters].data
        assert before is not None and tensor.quantization is not None
        if training is None:
            error = np.abs(dequantize_array(tensor.data, tensor.quantization) - before)
            assert error.max() <= 0.51 * max(tensor.quantization.scale)


def test_calibration_sees_the_training_samples() -> None:
    """Ranges and means of all tensors, over as many samples as asked, and of all pixels."""
    graph = folded("classifier")
    step = QuantizeStep(samples=7, ranges=RangeRule.ALL)
    ranges, means = calibrate(graph, step, setting())
    network = TrainableGraph(graph).eval()
    chosen = data().training.values[[n * 40 // 7 for n in range(7)]]
    real = ((chosen / 255 - SCALING.mean) / SCALING.deviation).astype(np.float32)
    seen: dict[str, np.ndarray] = {}
    with torch.no_grad():
        network.run(
            torch.from_numpy(real.transpose(0, 3, 1, 2).copy()),
            lambda name, value: seen.update({name: value.numpy()}),
        )
    assert seen.keys() == {n for n, t in graph.tensors.items() if not t.is_constant}
    for name, values in seen.items():
        low, high = float(values.min()), float(values.max())
        if name == graph.inputs[0]:
            low, high = -0.6 / 0.3, 0.6 / 0.2
        assert (ranges[name].low, ranges[name].high) == pytest.approx((low, high), abs=1e-4)
        dims = (0, 2, 3) if values.ndim == 4 else (0,)
        np.testing.assert_allclose(means[name], values.mean(axis=dims), atol=1e-4)


def test_networks_learn_from_themselves_while_they_are_rounded() -> None:
    """Unless there is a teacher for all stages: losses are those of Hinton et al. 2015."""
    graph = folded("classifier")
    step = QuantizeStep(weights=WeightFormat.INT4, training=STILL)
    other = TrainableGraph(graph)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    scores = {
        name: outputs_of(g, real_samples())
        for name, g in (("own", graph), ("other", other.to_graph()))
    }
    for teacher, taught in ((None, "own"), (TrainableGraph(graph), "own"), (other, "other")):
        losses: list[tuple[str, float]] = []

        def report(stage: str, result: EpochResult, into: list[tuple[str, float]] = losses) -> None:
            into.append((stage, result.loss))

        made = quantize(graph, step, setting(teacher=teacher, report=report))
        found = outputs_of(made, real_samples())
        target, own = (log_softmax(each / 4.0) for each in (scores[taught], found))
        divergence = (np.exp(target) * (target - own)).sum(axis=1).mean()
        expected = 0.3 * cross_entropy(found, 0.05) + 0.7 * 4.0**2 * divergence
        ((stage, loss),) = losses
        assert stage == "quantize"
        assert loss == pytest.approx(expected, rel=0.02)


def test_values_that_are_no_numbers_are_refused_before_training() -> None:
    graph = folded("classifier")
    operator = TrainableGraph(graph).weighted[-1]
    bias = graph.tensors[operator.bias or ""]
    wild = replace(bias, data=np.full(bias.shape, np.inf, np.float32))
    broken = graph.with_changes(tensors={**graph.tensors, bias.name: wild})
    with pytest.raises(InputError) as refused:
        quantize(broken, QuantizeStep(training=OPTIONS), setting())
    message = f"{operator.output}: a calibration sample makes values that are infinite or no number"
    assert message in str(refused.value)


def test_a_network_is_trained_on() -> None:
    """The network that is returned has about the loss of the last epoch."""
    graph = folded("classifier")
    losses: list[tuple[str, float]] = []
    options = replace(OPTIONS, epochs=6, optimizer=Optimizer.ADAM, label_smoothing=0.0)
    chosen = setting(report=lambda stage, result: losses.append((stage, result.loss)))
    made = fine_tune(graph, options, chosen)
    verify(made)
    assert [stage for stage, _ in losses] == ["train"] * 6
    before, after = (cross_entropy(outputs_of(g, real_samples()), 0.0) for g in (graph, made))
    assert before > 1.1 * after
    assert losses[-1][1] == pytest.approx(after, rel=0.02)


def test_stages_go_on_where_they_were(tmp_path: Path) -> None:
    """Sparsifying chooses the same zeros; interrupted after any epoch, no bit differs."""
    graph = folded("classifier")
    step = SparsifyStep(zeros=0.7, training=replace(OPTIONS, epochs=3))
    expected = sparsify(graph, step, setting())
    for epoch in (1, 2, 3):

        def interrupt(_stage: str, result: EpochResult, at: int = epoch) -> None:
            if result.epoch == at:
                raise KeyboardInterrupt

        folder = tmp_path / str(epoch)
        with pytest.raises(KeyboardInterrupt):
            sparsify(graph, step, setting(folder=folder, report=interrupt))
        found = sparsify(graph, step, setting(folder=folder))
        for name, values in filters(expected).items():
            np.testing.assert_array_equal(filters(found)[name], values)
        other = replace(step, zeros=0.5)
        sparsify(graph, other, setting(folder=folder))
        assert len(list(folder.iterdir())) == 2


def test_autoencoders_are_rounded_too() -> None:
    """Nobody teaches them: their loss is how badly the int8 network gives its inputs back."""
    graph = folded("autoencoder")
    values = np.random.default_rng(0).random((20, 4, 6, 1)).astype(np.float32)
    samples = Samples(values, np.zeros(20, np.int64))
    whole = DataSet("set", samples, samples, ("0",))
    errors, losses = [], []
    for options in (STILL, replace(OPTIONS, epochs=8, batch_size=10, optimizer=Optimizer.ADAM)):
        seen: list[float] = []

        def report(_stage: str, result: EpochResult, into: list[float] = seen) -> None:
            into.append(result.loss)

        chosen = Setting(data=whole, task=Reconstruction(normal=0), report=report)
        made = quantize(graph, QuantizeStep(training=options), chosen)
        verify(made)
        errors.append(np.square(outputs_of(made, values) - values.reshape(20, -1)).mean())
        losses.append(seen[-1])
    assert losses == pytest.approx(errors, rel=0.01)
    assert errors[1] < 0.95 * errors[0]
