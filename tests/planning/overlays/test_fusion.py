"""Chains: which calls can be fused, and which rows each band computes and holds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import CapacityError
from penstock.frontends.tflite import load_model
from penstock.ir.operators import Padding2D
from penstock.kernels.kernel_graph import KernelGraph, StructArgument
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning.overlays.fusion import can_chain, inner_tensors, plan_bands, tensor_users
from penstock.planning.overlays.parts import Space
from penstock.planning.overlays.plan import overlay
from penstock.planning.tiles import line_count
from tests.planning.overlays.networks import ChainBuilder, chains, lower, mobile_blocks


def chainable(program: KernelGraph) -> list[range]:
    """Return all chains that a program could have."""
    count = len(program.calls)
    spans = (range(a, b) for a in range(count) for b in range(a + 2, min(a + 6, count) + 1))
    users = tensor_users(program)
    return [steps for steps in spans if can_chain(program, steps, users)]


def numbers(program: KernelGraph, step: int) -> dict[str, Any]:
    params = program.calls[step].arguments[0]
    assert isinstance(params, StructArgument)
    return dict(params.fields)


def rows_read(program: KernelGraph, step: int, row: int) -> set[int]:
    """Return the input rows that one row of output is computed from."""
    fields = numbers(program, step)
    if "extents" in fields:
        return {row}
    first = row * fields["stride_height"] - fields["padding_top"]
    taps = range(fields["filter_height"])
    seen = {first + tap * fields.get("dilation_height", 1) for tap in taps}
    return {row for row in seen if 0 <= row < fields["input_height"]}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(chains(), st.data())
def test_bands_compute_each_row_once_and_hold_what_is_read(graph: Any, data: Any) -> None:
    program = lower(graph, "model")
    found = chainable(program)
    if not found:
        return
    steps = data.draw(st.sampled_from(found))
    lines = line_count(program, program.calls[steps[-1]])
    cuts = sorted(data.draw(st.sets(st.integers(1, lines - 1), max_size=6)))
    edges = [0, *cuts, lines]
    inner = inner_tensors(program, steps)
    computed: dict[str, set[int]] = {name: set() for name in inner}
    held: dict[str, set[int]] = {name: set() for name in inner}
    for band, wanted in zip(
        plan_bands(program, steps, [range(a, b) for a, b in pairwise(edges)]),
        pairwise(edges),
        strict=True,
    ):
        assert band.rows[steps[-1]] == range(*wanted)
        for step in steps:
            call, rows = program.calls[step], band.rows[step]
            output = call.writes[0]
            if output in inner:
                kept = set(band.held[output])
                assert kept <= held[output] | set(rows), "what is kept was there before"
                assert not computed[output] & set(rows), "no row is computed twice"
                computed[output] |= set(rows)
                held[output] = kept
                assert set(rows) <= kept
            for name in inner.intersection(call.reads):
                for row in rows:
                    assert rows_read(program, step, row) <= held[name], (step, row)


def test_rows_that_a_stride_passes_over_are_not_computed() -> None:
    network = ChainBuilder(1)
    source = network.conv(network.image(9, 4, 8), 16)
    last = network.conv(source, 4, (1, 1), (2, 2))
    program = lower(network.build([last]), "model")
    steps = range(len(program.calls))
    assert can_chain(program, steps, tensor_users(program))
    bands = plan_bands(program, steps, [range(row, row + 1) for row in range(5)])
    assert [band.rows[0] for band in bands] == [range(2 * row, 2 * row + 1) for row in range(5)]


def test_what_is_read_elsewhere_is_not_inside_a_chain() -> None:
    program = lower(mobile_blocks(), "model")
    for steps in chainable(program):
        inner = inner_tensors(program, steps)
        outside = [call for step, call in enumerate(program.calls) if step not in steps]
        assert not any(inner.intersection(call.reads) for call in outside)
        assert not inner.intersection(program.graph.outputs)


def test_a_call_whose_rows_see_padding_alone_ends_no_chain() -> None:
    """Else what is before it would never run: both rows here lie beyond the input's ends."""
    network = ChainBuilder(1)
    source = network.conv(network.image(3, 5, 14), 4, (1, 1), (2, 2))
    last = network.conv(source, 4, (1, 1), (3, 1), Padding2D(1, 1, 1, 1))
    program = lower(network.build([last]), "model")
    assert network.shape(last)[1] == 2
    assert chainable(program) == []


MOBILENET = "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite"


@pytest.mark.models
@pytest.mark.shared
def test_an_early_stage_that_does_not_fit_needs_no_external_memory(shared_dir: Path) -> None:
    program = select_kernels(run_passes(load_model(shared_dir / "models" / MOBILENET)))
    largest = max(tensor.size_bytes for tensor in program.graph.tensors.values())
    room = 512 * 1024
    assert largest > 2 * room
    space = Space("sram", room, 32, 8, has_far=False)
    overlaid = overlay(program, space)
    assert overlaid.program.far_bytes == 0
    assert overlaid.arena.size_bytes <= room
    with pytest.raises(CapacityError, match="fast memory with its smallest tiles"):
        overlay(program, Space("sram", room, 32, 8, has_far=False, fuses=False))
