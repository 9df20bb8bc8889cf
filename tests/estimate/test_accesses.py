"""What kernels read and write, against counts by hand."""

import pytest

from penstock.bench.networks import NetworkBuilder, Shape
from penstock.ir import operators as ops
from penstock.ir.dtype import DType
from penstock.kernels.selection import select_kernels
from penstock.planning.estimate.accesses import Access, Role
from penstock.planning.estimate.loop_accesses import call_accesses


def accesses_of(network: NetworkBuilder) -> dict[str, list[Access]]:
    """Return the accesses of a network's only call, by what they are."""
    program = select_kernels(network.build("network"))
    found = call_accesses(program, program.calls[0])
    return {
        "values": [a for a in found if a.role is Role.ARENA and a.reads],
        "results": [a for a in found if a.role is Role.ARENA and a.writes and not a.reads],
        "weights": [a for a in found if a.role is Role.WEIGHTS],
    }


def depthwise(shape: Shape, per_input: int) -> dict[str, list[Access]]:
    network = NetworkBuilder()
    network.depthwise_conv_2d(shape, (2, 2), per_input=per_input)
    return accesses_of(network)


@pytest.mark.parametrize(
    ("channels", "per_input", "each"),
    # Four outputs of one input read it once; with one input each, or alone, each reads its own.
    [(1, 8, 2), (8, 1, 8), (6, 1, 6), (3, 2, 6)],
)
def test_reads_of_a_depthwise_convolution(channels: int, per_input: int, each: int) -> None:
    found = depthwise((1, 5, 5, channels), per_input)
    pixels, taps = 16, 4
    assert found["values"][0].reads == pixels * taps * each
    assert found["weights"][0].reads == pixels * taps * channels * per_input
    assert found["results"][0].writes == pixels * channels * per_input


def test_a_convolution_reads_a_patch_once_for_four_channels() -> None:
    network = NetworkBuilder()
    network.conv_2d((1, 4, 4, 16), 9, (3, 3))
    found = accesses_of(network)
    pixels, taps = 4, 9
    assert found["values"][0].reads == pixels * taps * 16 * (2 + 1)
    assert found["weights"][0].reads == pixels * taps * 16 * 9
    # Eight channels of nine are read in bursts of four.
    assert found["weights"][0].burst == pytest.approx(9 / (2 + 1))
    assert found["weights"][0].crossings(1024) < found["weights"][0].crossings(144) < 1


def test_an_svdf_goes_over_its_input_for_each_filter() -> None:
    network = NetworkBuilder()
    network.svdf(depth=40, units=16, rank=2, memory=8, state=network.dtype)
    found = accesses_of(network)
    assert found["values"][0].reads == 32 * 40
    assert found["weights"][0].reads == 32 * 40 + 32 * 8


def sliced(size: tuple[int, int], begin: int, step: int) -> dict[str, list[Access]]:
    """Return the accesses of a copy of every so manieth column."""
    network = NetworkBuilder()
    source = network.input(size)
    extent = (size[1] - begin + step - 1) // step
    network.operator(
        ops.StridedSlice(
            input=source,
            output=network.tensor((size[0], extent)),
            begin=(0, begin),
            extents=(size[0], extent),
            strides=(1, step),
        )
    )
    return accesses_of(network)


def test_a_copy_reads_words_of_what_it_copies_only() -> None:
    found = sliced((1, 4096), 2048, 1)
    assert found["values"][0].reads == found["results"][0].writes == 2048 // 4
    assert found["values"][0].extent_bytes == 2048


def test_a_copy_of_elements_that_are_apart_reads_each_byte() -> None:
    found = sliced((1, 4096), 1024, 3)
    assert found["values"][0].reads == found["results"][0].writes == 1024
    assert found["values"][0].extent_bytes == 3 * 1024
    assert found["results"][0].extent_bytes == 1024


def test_a_softmax_goes_over_its_rows_three_times() -> None:
    network = NetworkBuilder()
    source = network.input((2, 10))
    output = network.tensor((2, 10), DType.INT8, 1 / 256, -128)
    network.operator(ops.Softmax(input=source, output=output))
    assert accesses_of(network)["values"][0].reads == 3 * 2 * 10


def test_a_later_call_knows_what_the_one_before_it_wrote() -> None:
    network = NetworkBuilder()
    network.fully_connected(1, 8, 4)
    program = select_kernels(network.build("network"))
    call = program.calls[0]
    names = {access.array for access in call_accesses(program, call)}
    assert names == {"", *call.reads, *call.writes, *call.constants}
