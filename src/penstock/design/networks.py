"""Networks that suit a microcontroller: inverted residuals with ReLU6, and an autoencoder.

Source of the blocks: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
2018, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from penstock.design.published import round_channels


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One inverted residual block.

    Attributes:
        channels: channels of the output.
        expansion: hidden channels per input channel; 1 leaves out the first convolution.
        stride: 1, or 2 to halve the resolution.
    """

    channels: int
    expansion: float
    stride: int


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A classifier: stem, inverted residual blocks, pointwise head, average, fully connected.

    Attributes:
        shape: height, width and channels of the input.
        stem_channels: channels of the first 3×3 convolution.
        stem_stride: 1 for full resolution, 2 for half of it.
        blocks: the blocks in order.
        head_channels: channels that are averaged and classified.
        classes: number of classes.
    """

    shape: tuple[int, int, int]
    stem_channels: int
    stem_stride: int
    blocks: tuple[BlockSpec, ...]
    head_channels: int
    classes: int


class ConvolutionUnit(nn.Sequential):
    """Convolution without bias, batch normalization, and ReLU6 unless ``linear``.

    Input and output ``[N, C, H, W]``. Padding is TensorFlow Lite's "same", for kernels of 1 and 3,
    and with a stride of 2 for kernels of 3 on even heights and widths: of an odd total, the bottom
    and the right get one more than the top and the left. PyTorch's symmetric padding cannot say
    that, hence a layer of its own.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        stride: int = 1,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        if stride > 1:
            self.padding = nn.ZeroPad2d((0, 1, 0, 1))
        self.convolution = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride,
            padding=kernel // 2 if stride == 1 else 0,
            groups=channels_in if depthwise else 1,
            bias=False,
        )
        self.normalization = nn.BatchNorm2d(channels_out)
        if not linear:
            self.activation = nn.ReLU6(inplace=True)
        self.is_linear = linear


class GlobalAverage(nn.Module):
    """Average over all positions: ``[N, C, H, W]`` to ``[N, C]``."""

    def forward(self, value: Tensor) -> Tensor:
        """Return one value per channel."""
        return value.mean(dim=(2, 3))


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise 3×3, linear projection; added to the input if shaped alike."""

    def __init__(self, channels_in: int, spec: BlockSpec) -> None:
        super().__init__()
        is_expanded = spec.expansion != 1
        hidden = round_channels(channels_in * spec.expansion) if is_expanded else channels_in
        self.expand = (
            ConvolutionUnit(channels_in, hidden, kernel=1) if is_expanded else nn.Identity()
        )
        self.depthwise = ConvolutionUnit(
            hidden, hidden, kernel=3, stride=spec.stride, depthwise=True
        )
        self.project = ConvolutionUnit(hidden, spec.channels, kernel=1, linear=True)
        self.is_residual = spec.stride == 1 and channels_in == spec.channels

    def forward(self, value: Tensor) -> Tensor:
        """Return ``[N, C_OUT, H / stride, W / stride]``."""
        result: Tensor = self.project(self.depthwise(self.expand(value)))
        return value + result if self.is_residual else result


class Classifier(nn.Module):
    """The network of a spec: images ``[N, C, H, W]`` to scores ``[N, classes]``."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.stem = ConvolutionUnit(
            spec.shape[2], spec.stem_channels, kernel=3, stride=spec.stem_stride
        )
        blocks: list[InvertedResidual] = []
        channels = spec.stem_channels
        for block in spec.blocks:
            blocks.append(InvertedResidual(channels, block))
            channels = block.channels
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvolutionUnit(channels, spec.head_channels, kernel=1)
        self.pool = GlobalAverage()
        self.classify = nn.Linear(spec.head_channels, spec.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return unnormalized class scores."""
        value = self.stem(images)
        for block in self.blocks:
            value = block(value)
        scores: Tensor = self.classify(self.pool(self.head(value)))
        return scores


class Autoencoder(nn.Module):
    """Fully connected layers that grow narrow and wide again: images ``[N, 1, H, W]`` to pixels.

    The outputs ``[N, H W]`` are between 0 and 1, row by row.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        """Make it; ``widths`` are pixels, features of each layer down to the narrowest one."""
        super().__init__()
        down = list(pairwise(widths))
        up = list(pairwise(reversed(widths)))
        layers: list[nn.Module] = []
        for features_in, features_out in (*down, *up):
            layers += [nn.Linear(features_in, features_out), nn.ReLU()]
        self.layers = nn.Sequential(nn.Flatten(), *layers[:-1], nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        """Return what the network makes of images."""
        result: Tensor = self.layers(images)
        return result
