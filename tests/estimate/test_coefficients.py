"""The data that estimates are made of."""

from importlib import resources

import pytest

from penstock.errors import InputError, UnsupportedError
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_set import is_mve_kernel
from penstock.planning.estimate.coefficients import (
    HARNESS,
    format_coefficients,
    load_coefficients,
    parse_coefficients,
)

CORES = ("cortex-m4", "cortex-m7", "cortex-m33")


@pytest.mark.parametrize("core", CORES)
def test_every_kernel_is_fitted(core: str) -> None:
    fitted = load_coefficients(core)
    assert fitted.core == core
    assert fitted.compiler.startswith("arm-none-eabi-gcc")
    timed = {name for name in CATALOGUE if not is_mve_kernel(name)}
    assert set(fitted.kernels) == {*timed, HARNESS}, "fit anew: `make fit`"
    for name, kernel in fitted.kernels.items():
        assert sum(kernel.cycles.values()) > 0, name
        assert min(kernel.cycles.values()) > 0, name
        assert kernel.error_median < 0.1, name


@pytest.mark.parametrize("core", CORES)
def test_a_step_of_a_dot_product_costs_what_four_products_do(core: str) -> None:
    costs = load_coefficients(core).kernel("ps_conv_2d_s8").cycles
    assert 6 < costs["block_step"] + costs.get("conflict_step", 0) < 25


def test_files_are_read_as_they_were_written() -> None:
    fitted = load_coefficients("cortex-m7")
    text = format_coefficients(fitted)
    assert parse_coefficients(text, "again") == fitted
    data = resources.files("penstock.planning.estimate") / "data" / "cortex-m7.toml"
    assert data.read_text() == text


@pytest.mark.parametrize("text", ["core = 1", "[kernels", "kernels = 3", "[kernels.a]\nb = 1"])
def test_damaged_files_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="coefficients 'mine' are damaged") as refused:
        parse_coefficients(text, "mine")
    assert "bench ops" in refused.value.help


def test_what_is_not_fitted_is_not_estimated() -> None:
    with pytest.raises(UnsupportedError, match="no core 'cortex-m3', only cortex-m33, cortex-m4"):
        load_coefficients("cortex-m3")
    with pytest.raises(UnsupportedError, match="no coefficients of ps_fly on cortex-m7"):
        load_coefficients("cortex-m7").kernel("ps_fly")
