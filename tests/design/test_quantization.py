"""Modules in memory become int8 networks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402

from penstock.design.calibration import CalibrationOptions  # noqa: E402
from penstock.design.quantization import quantize_module  # noqa: E402
from penstock.errors import InputError, UnsupportedError  # noqa: E402
from penstock.frontends.tflite import write_model  # noqa: E402
from penstock.quantize.histograms import RangeRule  # noqa: E402
from tests.frontends.pytorch.modules import Darts, MobileNet, with_random_norms  # noqa: E402

GENERATOR = np.random.default_rng(0)
SAMPLES = [GENERATOR.normal(size=(1, 3, 16, 16)).astype(np.float32) for _ in range(12)]


@pytest.mark.parametrize("rule", RangeRule)
@pytest.mark.parametrize("make", [MobileNet, Darts])
def test_int8_networks_are_near_the_float_ones(make: type[nn.Module], rule: RangeRule) -> None:
    torch.manual_seed(0)
    module = with_random_norms(make())
    options = CalibrationOptions(rule=rule)
    made = quantize_module(module, SAMPLES, "net", options)
    assert made.calibrated_on == made.agreement.samples == len(SAMPLES)
    assert made.agreement.signal_to_noise_db > 25
    assert write_model(quantize_module(module, SAMPLES, "net", options).graph) == write_model(
        made.graph
    )


def test_correcting_biases_brings_outputs_nearer() -> None:
    torch.manual_seed(0)
    module = with_random_norms(MobileNet())
    errors = [
        quantize_module(module, SAMPLES, "net", CalibrationOptions(corrects_bias=wanted)).agreement
        for wanted in (False, True)
    ]
    assert errors[1].signal_to_noise_db > errors[0].signal_to_noise_db + 1


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(InputError, match="no calibration samples"):
        quantize_module(MobileNet(), [], "net")
    with pytest.raises(InputError, match="MobileNet does not accept inputs"):
        quantize_module(MobileNet(), [np.zeros((1, 4, 16, 16), np.float32)], "net")
    broken = [SAMPLES[0], np.full_like(SAMPLES[0], np.nan)]
    with pytest.raises(InputError, match="infinite or no number"):
        quantize_module(MobileNet().eval(), broken, "net")
    with pytest.raises(UnsupportedError, match="erf"):
        quantize_module(Erf(), SAMPLES, "net")


class Erf(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.erf(x)
