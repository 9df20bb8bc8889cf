"""Networks that are trained from nothing: their shapes, and what padding means."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.networks import (  # noqa: E402
    Autoencoder,
    BlockSpec,
    Classifier,
    ConvolutionUnit,
    InvertedResidual,
    NetworkSpec,
)
from penstock.design.published import round_channels  # noqa: E402

torch.set_num_threads(1)


def same(image: np.ndarray, filters: np.ndarray, stride: int) -> np.ndarray:
    """Convolve ``[H, W]`` as TensorFlow does with padding "same", sum by sum."""
    size = len(filters)
    results = [-(-extent // stride) for extent in image.shape]
    totals = [
        max((result - 1) * stride + size - extent, 0)
        for result, extent in zip(results, image.shape, strict=True)
    ]
    padded = np.pad(image, [(total // 2, total - total // 2) for total in totals])
    found = np.zeros(results)
    for row, column in np.ndindex(*results):
        part = padded[row * stride :, column * stride :][:size, :size]
        found[row, column] = (part * filters).sum()
    return found


@pytest.mark.parametrize(
    ("kernel", "stride", "shape"),
    [(3, 1, (5, 8)), (3, 2, (8, 6)), (3, 2, (2, 4)), (1, 1, (3, 4))],
)
@pytest.mark.parametrize("depthwise", [False, True])
def test_padding_is_that_of_tensorflow(
    kernel: int, stride: int, shape: tuple[int, int], depthwise: bool
) -> None:
    torch.manual_seed(0)
    unit = ConvolutionUnit(1, 1, kernel=kernel, stride=stride, depthwise=depthwise, linear=True)
    image = torch.randn(1, 1, *shape)
    with torch.no_grad():
        found = unit.eval()(image)[0, 0].numpy()
    expected = same(image[0, 0].numpy(), unit.convolution.weight[0, 0].detach().numpy(), stride)
    np.testing.assert_allclose(found, expected / np.sqrt(1 + 1e-5), atol=1e-5)


def test_units_are_limited_to_6_unless_linear() -> None:
    images = 100 * torch.randn(2, 3, 4, 4)
    for linear in (False, True):
        torch.manual_seed(0)
        unit = ConvolutionUnit(3, 8, kernel=1, linear=linear).eval()
        values = unit(images)
        assert unit.is_linear is linear
        assert (values.min() < 0) == linear and (values.max() > 6) == linear
        assert unit.convolution.bias is None


@pytest.mark.parametrize(
    ("channels", "spec", "hidden", "is_residual"),
    [
        (8, BlockSpec(channels=8, expansion=1, stride=1), 8, True),
        (8, BlockSpec(channels=8, expansion=2.3, stride=1), 20, True),
        (8, BlockSpec(channels=8, expansion=3, stride=2), 24, False),
        (8, BlockSpec(channels=12, expansion=3, stride=1), 24, False),
    ],
)
def test_blocks_are_those_of_the_paper(
    channels: int, spec: BlockSpec, hidden: int, is_residual: bool
) -> None:
    torch.manual_seed(0)
    block = InvertedResidual(channels, spec).eval()
    assert block.depthwise.convolution.groups == block.depthwise.convolution.in_channels == hidden
    assert hidden == (round_channels(channels * spec.expansion))
    value = torch.rand(1, channels, 6, 8)
    assert block(value).shape == (1, spec.channels, 6 // spec.stride, 8 // spec.stride)
    nn.init.zeros_(block.project.convolution.weight)
    assert torch.equal(block(value), value) if is_residual else not block(value).any()


def test_a_classifier_scores_the_average_of_all_positions() -> None:
    spec = NetworkSpec(
        shape=(16, 8, 3),
        stem_channels=8,
        stem_stride=2,
        blocks=(BlockSpec(8, 1, 1), BlockSpec(16, 2, 2), BlockSpec(16, 2, 1)),
        head_channels=24,
        classes=5,
    )
    torch.manual_seed(0)
    network = Classifier(spec).eval()
    images = torch.rand(3, 3, 16, 8)
    assert network(images).shape == (3, 5)
    features = network.stem(images)
    assert features.shape == (3, 8, 8, 4)
    for block in network.blocks:
        features = block(features)
    assert features.shape == (3, 16, 4, 2)
    mean = network.head(features).flatten(2).mean(dim=2)
    torch.testing.assert_close(network(images), network.classify(mean))


def test_an_autoencoder_is_narrow_in_its_middle() -> None:
    network = Autoencoder((12, 8, 3))
    widths = [
        (m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)
    ]
    assert widths == [(12, 8), (8, 3), (3, 8), (8, 12)]
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [nn.Flatten, *[nn.Linear, nn.ReLU] * 3, nn.Linear, nn.Sigmoid]
    pixels = network(10 * torch.randn(5, 1, 3, 4))
    assert pixels.shape == (5, 12) and pixels.min() >= 0 and pixels.max() <= 1
