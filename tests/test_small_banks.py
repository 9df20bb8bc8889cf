"""A network that fits no bank of SRAM, but all of them together."""

from importlib import resources
from pathlib import Path

import pytest

from penstock import api
from penstock.errors import CapacityError
from penstock.kernels.kernel_set import KernelChoice
from penstock.planning.options import PlanOptions

MODEL = Path(__file__).parents[1] / "examples" / "cifar10.tflite"
KIB = 1024
SIZES = {"sram1": 32 * KIB, "sram2": 16 * KIB, "sram3": 40 * KIB}
NO_FUSION = PlanOptions(fusion=False)


@pytest.fixture
def board(tmp_path: Path) -> str:
    """Return the file of a board like one with much more memory."""
    text = (resources.files("penstock.boards") / "data" / "nucleo-u575zi-q.toml").read_text("utf-8")
    for old, new in (
        ("196_608", "32_768"),
        ("0x2003_0000\nsize_bytes = 65_536", "0x2000_8000\nsize_bytes = 16_384"),
        ("0x2004_0000\nsize_bytes = 524_288", "0x2000_C000\nsize_bytes = 40_960"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "small.toml").write_text(text)
    return str(tmp_path / "small.toml")


@pytest.mark.parametrize("overlays", [True, False])
def test_tensors_reach_from_bank_to_bank(board: str, overlays: bool) -> None:
    assert {name: api.board(board).region(name).size_bytes for name in SIZES} == SIZES
    options = api.CompileOptions(PlanOptions(overlays=overlays, fusion=False), check=False)
    outcome = api.run(MODEL, board=board, verify=True, options=options)
    assert outcome.result.verified
    joined = outcome.result.memory["sram1_to_sram3"]
    assert joined.capacity_bytes == sum(SIZES.values())
    assert joined.used_bytes > max(SIZES.values())
    assert not SIZES.keys() & outcome.result.memory.keys()


def test_a_network_that_fits_one_bank_stays_there(board: str) -> None:
    plain = PlanOptions(kernels=KernelChoice.REFERENCE)  # without scratch memory
    outcome = api.run(MODEL, board=board, options=api.CompileOptions(plain, check=False))
    assert "sram1_to_sram3" not in outcome.result.memory


def test_a_bank_that_somebody_names_is_not_joined(board: str) -> None:
    wishes = PlanOptions(fusion=False, arena_in="sram3")
    with pytest.raises(CapacityError, match="sram3 offers"):
        api.run(MODEL, board=board, options=api.CompileOptions(wishes))


def test_comparisons_and_estimates_join_banks_too(board: str) -> None:
    variants = [api.Variant.INTERNAL, api.Variant.OVERLAYS]
    found = api.compare(MODEL, board=board, variants=variants, options=NO_FUSION)
    for result in found.variants.values():
        assert result.run is not None
        assert "sram1_to_sram3" in result.run.memory
