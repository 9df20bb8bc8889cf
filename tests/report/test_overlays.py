"""The report of overlays: homes, parts, copies, what was hidden, and why not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from penstock import api
from penstock.boards import load_board
from penstock.cli.entry import run_command_line
from penstock.frontends.tflite import load_model
from penstock.kernels.selection import select_kernels
from penstock.passes import run_passes
from penstock.planning import ExecutionPlan, plan_model
from penstock.planning.options import PlanOptions
from penstock.planning.overlays.program import Block
from penstock.report.overlays import OverlayReport, report_overlays
from penstock.units import format_bytes

MODEL = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
BOARD = "stm32f746g-disco"
_RESERVED = {"dtcm": 52 * 1024, "sram1": 204 * 1024, "flash": 960 * 1024}
CROWDED = PlanOptions(fusion=False, tight=False, reserve=tuple(_RESERVED.items()))
"""Too little room for the tensors inside, and for the weights: both are far."""


def plan(options: PlanOptions, board: str = BOARD) -> ExecutionPlan:
    return plan_model(select_kernels(run_passes(load_model(MODEL))), load_board(board), options)


def report(options: PlanOptions, board: str = BOARD) -> OverlayReport:
    found = report_overlays(plan(options, board), load_board(board), None)
    assert found is not None
    return found


def simulated(options: PlanOptions, board: str = BOARD) -> api.RunOutcome:
    return api.run(MODEL, board=board, options=api.CompileOptions(options, check=False))


@pytest.fixture(scope="module")
def crowded() -> api.RunOutcome:
    return simulated(CROWDED)


def test_homes_and_parts_are_those_of_the_plan() -> None:
    made = plan(CROWDED)
    assert made.overlays is not None
    assert made.overlays.far_bytes
    found = report(CROWDED)
    assert found.totals.tiles == len(made.overlays.tiles) == sum(u.tiles for u in found.steps)
    loads = [copy for copy in made.overlays.copies if copy.is_load]
    assert found.totals.loaded_bytes == sum(copy.size_bytes for copy in loads)
    assert found.totals.copies == len(made.overlays.copies)
    assert found.totals.hidden_share is None
    for call, use in zip(made.program.calls, found.steps, strict=True):
        homes = {"sram1": Block.ARENA, "sdram": Block.FAR}
        assert [homes[name] for name in use.homes.inputs] == [
            made.locate(name)[0] for name in call.reads
        ]
        assert bool(use.homes.constants) == bool(call.constants)
        assert use.tiles == use.rows * use.filters
    assert any(use.homes.outputs == ("sdram",) and use.stored_bytes for use in found.steps)


def test_what_the_virtual_board_saw_adds_up(crowded: api.RunOutcome) -> None:
    totals = crowded.result.overlays
    assert totals is not None
    assert totals.reason == ""
    assert totals.copying_cycles
    assert totals.waited_cycles is not None
    assert totals.hidden_share is not None
    exposed = (1 - totals.hidden_share) * totals.copying_cycles
    assert 0 < exposed < totals.waited_cycles + 1
    uses = [row.overlay for row in crowded.result.operators]
    assert all(use is not None for use in uses)
    listed = [use for use in uses if use is not None]
    assert sum(use.waited_cycles or 0 for use in listed) <= totals.waited_cycles
    assert sum(use.copying_cycles or 0 for use in listed) >= totals.copying_cycles
    for use in listed:
        assert (use.hidden_share is None) == (use.loaded_bytes + use.stored_bytes == 0)
        assert bool(use.waited_cycles) == any(r.startswith("waits: ") for r in use.reasons)


def test_chains_are_told_with_the_rows_that_move_on() -> None:
    options = replace(CROWDED, fusion=True)
    made, found = plan(options), report(options)
    assert made.overlays is not None
    chains = [stage for stage in made.overlays.stages if len(stage) > 1]
    assert found.totals.chains == len(chains) > 0
    for step, use in enumerate(found.steps):
        [stage] = [stage for stage in made.overlays.stages if step in stage]
        assert use.chain == ((stage[0], stage[-1]) if len(stage) > 1 else None)
    halos = [copy for copy in made.overlays.copies if copy.source.block is Block.ARENA]
    halos = [copy for copy in halos if copy.is_load]
    assert found.totals.halo_bytes == sum(copy.size_bytes for copy in halos) > 0
    moved = found.totals.loaded_bytes + found.totals.stored_bytes + found.totals.halo_bytes
    assert moved == sum(copy.size_bytes for copy in made.overlays.copies)
    assert all(use.chain for use in found.steps if use.halo_bytes)


def test_nothing_is_hidden_in_part_without_a_reason() -> None:
    for row in simulated(replace(CROWDED, fusion=True)).result.operators:
        assert row.overlay is not None
        share = row.overlay.hidden_share
        assert (share is not None and share < 1) <= bool(row.overlay.reasons), row.kind


def test_the_bandwidth_bound_is_what_the_controller_needs_at_least(
    crowded: api.RunOutcome,
) -> None:
    totals = crowded.result.overlays
    assert totals is not None
    assert totals.copying_cycles is not None
    # Copies of two channels share memories, and wait for the core's accesses.
    assert 0.8 < totals.bandwidth_bound_cycles / totals.copying_cycles < 1.05


def test_what_waits_says_why() -> None:
    result = simulated(replace(CROWDED, prefetch=False)).result
    assert result.overlays is not None
    assert result.overlays.hidden_share == pytest.approx(0, abs=0.2)
    reasons = {row.overlay.reason for row in result.operators if row.overlay}
    assert "waits: copies start when they are needed, without prefetch" in reasons


def test_what_works_in_far_memory_itself_says_why() -> None:
    found = report(PlanOptions(overlays=False, arena_in="sdram", weights_in="qspi"))
    assert {use.in_place for use in found.steps if use.homes.constants} == {("qspi", "sdram")}
    assert {use.reason for use in found.steps if use.homes.constants} == {
        "works in far memory itself (qspi, sdram): overlays are off"
    }
    assert (found.totals.tiles, found.totals.reason) == (0, "overlays are off")


def test_a_kernel_without_tiles_works_on_far_tensors_where_they_are() -> None:
    made = plan(PlanOptions())
    step = next(n for n, c in enumerate(made.program.calls) if c.kernel.name == "ps_mean_s8")
    overlays = made.overlays
    assert overlays is not None
    assert made.placement is not None
    tiles = [
        replace(t, addresses={n: replace(a, block=Block.FAR) for n, a in t.addresses.items()})
        if t.step == step
        else t
        for t in overlays.tiles
    ]
    far = replace(
        made,
        overlays=replace(overlays, tiles=tuple(tiles)),
        placement=replace(made.placement, far="sdram"),
    )
    found = report_overlays(far, load_board(BOARD), None)
    assert found is not None
    reason = "works in far memory itself (sdram): is not parted, each output needs all rows"
    assert found.steps[step].reasons == (reason,)
    assert {use.in_place for n, use in enumerate(found.steps) if n != step} == {()}


def test_a_plan_that_could_not_have_overlays_says_so() -> None:
    board = load_board("stm32f469i-disco")
    controllers = tuple(replace(c, reaches=("ccm",)) for c in board.dma_controllers)
    isolated = replace(board, dma_controllers=controllers)
    program = select_kernels(run_passes(load_model(MODEL)))
    found = report_overlays(plan_model(program, isolated), isolated, None)
    assert found is not None
    assert "no DMA controller of board 'stm32f469i-disco'" in found.totals.reason


def test_a_board_whose_core_copies_says_so() -> None:
    totals = report(PlanOptions(), "nucleo-l4r5zi").totals
    assert totals.tiles == 0
    assert totals.reason.startswith("no driver knows a DMA controller of this board, and all fits")


def test_json_has_it_for_each_operator(crowded: api.RunOutcome) -> None:
    document = json.loads(json.dumps(crowded.result.to_json()))
    assert document["overlays"]["tiles"] > len(document["operators"])
    use = document["operators"][0]["overlay"]
    assert set(use) >= {
        "tiles",
        "rows",
        "filters",
        "homes",
        "loaded_bytes",
        "stored_bytes",
        "waited_cycles",
        "hidden_share",
        "reason",
    }
    assert set(use["homes"]) == {"inputs", "outputs", "constants"}


def test_people_see_it(capsys: pytest.CaptureFixture[str], crowded: api.RunOutcome) -> None:
    command = ["run", str(MODEL), "--board", BOARD, "--no-fusion", "--no-tight"]
    reserved = [f"--reserve={name}={size}" for name, size in CROWDED.reserve]
    assert run_command_line([*command, *reserved]) == 0
    printed = capsys.readouterr().out
    totals = crowded.result.overlays
    assert totals is not None
    assert f"Overlays: {totals.tiles} tiles" in printed
    assert "of their time hidden" in printed
    assert "that wait longest for copies" in printed
    assert run_command_line([*command, *reserved, "--operators"]) == 0
    printed = capsys.readouterr().out
    assert "tiles: bands of rows × groups of output channels" in printed
    assert f"{len(crowded.result.operators)} operators, sorted by cycles" in printed
    assert "others" not in printed


def test_people_see_what_works_in_far_memory(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(MODEL), "--board", BOARD, "--no-overlays", "--arena-in", "sdram"]
    assert run_command_line(command) == 0
    printed = capsys.readouterr().out
    assert "Overlays: none, overlays are off" in printed
    assert "works in far memory itself (sdram): overlays are off: 34 operators" in printed


def test_compile_says_what_it_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, project = tmp_path / "x.json", str(tmp_path / "project")
    command = ["compile", str(MODEL), "--board", BOARD, "-o", project, "--no-check"]
    assert run_command_line([*command, "--json", str(result)]) == 0
    document = json.loads(result.read_text())["overlays"]
    brought = format_bytes(sum(use["loaded_bytes"] for use in document["operators"]))
    assert f"overlays: {document['tiles']} tiles, {brought} brought" in capsys.readouterr().out
    assert document["hidden_share"] is None
    assert sum(use["tiles"] for use in document["operators"]) == document["tiles"]
    assert run_command_line([*command, "--weights-in", "sram1"]) == 0
    printed = capsys.readouterr().out
    assert "overlays: none, weights in sram1, which is inside, need no copies" in printed
    assert run_command_line([*command, "--no-overlays", "--weights-in", "qspi"]) == 0
    lines = capsys.readouterr().out.splitlines()
    [far] = [line.strip() for line in lines if "far memory" in line]
    assert far.startswith("works in far memory itself (qspi): overlays are off: ")
