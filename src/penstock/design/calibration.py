"""What quantizing a trained network takes; without torch."""

from dataclasses import dataclass
from pathlib import Path

from penstock.frontends.samples import PIXELS_AS_THEY_ARE, PixelScaling
from penstock.quantize.histograms import RangeRule


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """How a float network becomes an int8 one.

    Attributes:
        scaling: of the pixels of images.
        samples_max: that are taken, evenly spread.
        rule: which part of what was seen of an activation its quantization covers.
        corrects_bias: whether biases make up for what rounding adds to outputs on average.
        equalizes: whether channels between two layers are scaled to fit one quantization.
    """

    scaling: PixelScaling = PIXELS_AS_THEY_ARE
    samples_max: int = 500
    rule: RangeRule = RangeRule.ALL
    corrects_bias: bool = True
    equalizes: bool = True


DEFAULT_CALIBRATION = CalibrationOptions()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Data to quantize a float network with, on the way to something else.

    Attributes:
        data: a folder of images, or a .npy or .npz file of arrays.
        options: of quantizing.
    """

    data: Path
    options: CalibrationOptions = DEFAULT_CALIBRATION
