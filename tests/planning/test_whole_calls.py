"""Each call that has no rows says why."""

from pathlib import Path

from penstock.errors import PenstockError
from penstock.frontends.tflite import read_model, write_model
from penstock.kernels.kernel_graph import KernelGraph
from penstock.kernels.selection import select_kernels
from penstock.planning.tiles import row_count
from penstock.planning.whole_calls import why_whole
from tests.frontends.writer_cases import CASES

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"


def lowered(content: bytes) -> KernelGraph | None:
    """Return a model's calls; None for one that is refused, such as a float one."""
    try:
        return select_kernels(read_model(content, "case"))
    except PenstockError:
        return None


def test_every_operator_has_rows_or_a_reason() -> None:
    programs = [program for g in CASES.values() if (program := lowered(write_model(g)))]
    assert len(programs) > 50
    for program in programs:
        for call in program.calls:
            assert bool(why_whole(call)) == (row_count(call) == 1), call.kernel.name


def test_reasons_are_in_words() -> None:
    program = lowered(MODEL.read_bytes())
    assert program is not None
    reasons = {call.kernel.name: why_whole(call) for call in program.calls}
    assert reasons["ps_conv_2d_s8"] == ""
    assert reasons["ps_mean_s8"] == "each output needs all rows"
    assert reasons["ps_fully_connected_s8"] == "each output needs all inputs"
