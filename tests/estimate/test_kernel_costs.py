"""Costs of single kernels: they add up to the run, code is what is linked, and shapes all fit."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.bench import kernel_costs
from penstock.bench.kernel_costs import KernelCost, measure_shapes, steps_traffic
from penstock.bench.kernel_shapes import KERNEL_SHAPES
from penstock.bench.measure import load_network, run_loaded
from penstock.bench.weighted_cases import conv, depthwise
from penstock.boards import load_board
from penstock.boards.board import Board
from penstock.codegen.runtime_files import runtime_directory
from penstock.ir.graph import Graph
from penstock.kernels.catalogue import find_kernel
from penstock.kernels.kernel_set import kernel_set
from penstock.machines import OpenMachine
from penstock.planning import ExecutionPlan
from penstock.report.energy import Energy, spent_energy
from penstock.simulate.code_sizes import source_code_bytes
from penstock.simulate.firmware import read_firmware
from penstock.simulate.simulation import Simulation
from penstock.simulate.timing import CycleCounts
from penstock.simulate.virtual_board import VirtualBoard
from penstock.toolchain import find_target_compiler, link_firmware

BOARD = load_board("stm32f746g-disco")
CASES = (conv((1, 4, 4, 8), 8, (1, 1)), depthwise((1, 6, 6, 8), (3, 3)))
"""Of kernels whose files have static functions, and functions that other kernels share."""

GCC = shutil.which("arm-none-eabi-gcc") or ""
HAS_ZIG = importlib.util.find_spec("ziglang") is not None
NM = shutil.which("arm-none-eabi-nm") or ""
RUNTIME = Path(str(runtime_directory()))


def _listed(elf: Path) -> dict[str, int]:
    """Return the bytes of each function, as another program reads the file."""
    command = [NM, "--print-size", str(elf)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\w+ (\w+) [tT] (\w+)$", text, re.MULTILINE)
    return {name: int(size, 16) for size, name in found}


class Watched:
    """What `measure_shapes` ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch from now on, until the test ends."""
        self.simulations: list[Simulation] = []
        self.functions: list[dict[str, int]] = []
        monkeypatch.setattr(kernel_costs, "load_network", self._load)
        monkeypatch.setattr(kernel_costs, "run_loaded", self._run)

    @contextmanager
    def _load(self, graph: Graph, plan: ExecutionPlan, board: Board) -> Iterator[OpenMachine]:
        with load_network(graph, plan, board) as opened:
            assert isinstance(opened.machine, VirtualBoard)
            self.functions.append(_listed(opened.machine.firmware.path) if NM else {})
            yield opened

    def _run(self, graph: Graph, opened: OpenMachine) -> Simulation:
        self.simulations.append(run_loaded(graph, opened))
        return self.simulations[-1]


@pytest.mark.parametrize("place", [("flash", "dtcm"), ("qspi", "sdram")])
def test_costs_of_kernels_and_of_what_is_between_them_are_those_of_the_run(
    place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_costs, "first_placement", lambda _board: place)
    watched = Watched(monkeypatch)
    rows = measure_shapes(BOARD, "few", CASES)
    (run,) = watched.simulations
    assert run.time is not None
    assert run.timeline is not None
    between = [piece for piece in run.timeline.slices if piece.operator is None]
    cycles = sum(piece.ended - piece.started for piece in between)
    stalls = {c: sum(piece.stalls[c] for piece in between) for c in run.time.stalls}
    rounded = len(run.operator_times) + 1  # each counts whole cycles
    assert sum(row.cycles for row in rows) + cycles == pytest.approx(run.time.cycles, abs=rounded)
    for cause, waited in run.time.stalls.items():
        found = sum(row.stalls[cause] for row in rows) + stalls[cause]
        assert found == pytest.approx(waited, abs=rounded), cause
    rest = CycleCounts(round(cycles), {c: round(waited) for c, waited in stalls.items()})
    energies = [
        *(row.energy for row in rows),
        spent_energy(BOARD, rest, steps_traffic(run, [None])),
    ]
    total = spent_energy(BOARD, run.time, run.traffic)
    for part, band in total.parts.items():
        shares = sum(e.parts[part].value for e in energies if part in e.parts)
        assert shares == pytest.approx(band.value, rel=1e-3), part
    assert ("sdram" in total.parts) == (place[1] == "sdram")
    assert (rows[0].main_cause == "external") == (place[1] == "sdram")


def test_an_operator_of_several_calls_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    (row,) = measure_shapes(BOARD, "join", KERNEL_SHAPES["elementary"][-1:])
    (run,) = watched.simulations
    assert len(run.operator_times) == 2, "one call for each operand"
    assert row.cycles == sum(time.cycles for time in run.operator_times.values())
    assert (row.kernel, row.shape, row.elements) == ("ps_strided_copy", "1×8×8×64", 4096)
    assert row.cycles_each == row.cycles / 4096


@pytest.mark.skipif(not NM, reason="arm-none-eabi-nm is not installed")
def test_code_is_that_of_the_functions_in_the_kernels_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    for row in measure_shapes(BOARD, "few", CASES):
        sizes = watched.functions[0]
        own = [sizes[name] for name in _defined(row.kernel) if name in sizes]
        assert row.kernel in sizes
        assert row.code_bytes == sum(own) > 0, row.kernel


def _defined(kernel: str) -> set[str]:
    """Return the functions that a kernel's files define or declare."""
    sources = find_kernel(kernel, kernel_set(BOARD.core.name)).sources
    text = "".join((RUNTIME / source).read_text(encoding="utf-8") for source in sources)
    return set(re.findall(r"^[a-z][\w *]*?\b(\w+)\(", text, re.MULTILINE))


def test_what_has_no_room_beside_others_is_measured_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = {"dtcm": 12 * 1024}
    regions = (replace(r, size_bytes=sizes.get(r.name, r.size_bytes)) for r in BOARD.regions)
    small = replace(BOARD, regions=tuple(regions))
    plans: list[tuple[int, str]] = []

    @contextmanager
    def load(graph: Graph, plan: ExecutionPlan, _board: Board) -> Iterator[OpenMachine]:
        plans.append((len(graph.operators), graph.name))
        with load_network(graph, plan, BOARD) as opened:
            yield opened

    monkeypatch.setattr(kernel_costs, "load_network", load)
    wide = conv((1, 8, 8, 8), 8, (1, 1)), conv((1, 64, 64, 8), 8, (1, 1))
    rows = measure_shapes(small, "few", (*wide, conv((1, 8, 8, 8), 4, (1, 1))))
    assert [row.shape for row in rows] == ["1×8×8×8 by 8×1×1×8", "1×8×8×4 by 4×1×1×8"]
    assert plans == [(1, "few"), (1, "few")]


def test_a_row_says_what_the_core_waited_for_most() -> None:
    row = KernelCost(
        kernel="ps_add_s8",
        shape="1×64",
        weights_in="flash",
        arena_in="sram",
        macs=0,
        elements=64,
        cycles=640,
        stalls={"load_use": 10, "fetch": 54, "branch": 0},
        energy=Energy(None, {}, "nobody knows"),
        code_bytes=100,
    )
    assert (row.cycles_each, row.stalled, row.main_cause) == (10, 0.1, "fetch")
    assert replace(row, macs=1280).cycles_each == 0.5
    assert replace(row, stalls={"fetch": 0}).main_cause is None
    found = row.to_json()
    assert (found["cycles_each"], found["energy_mj"], found["truth"]) == (10, None, "simulate")
    assert (found["energy_reason"], found["code_bytes"]) == ("nobody knows", 100)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param("gcc", marks=pytest.mark.skipif(not GCC, reason="no target gcc")),
        pytest.param("zig", marks=pytest.mark.skipif(not HAS_ZIG, reason="no ziglang")),
    ],
)
def test_what_the_linker_left_out_is_no_code(family: str, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "int a_used(int x) { return x + 1; }\nint a_left(void) { return 2; }"
    )
    (tmp_path / "b.c").write_text(
        "int a_used(int);\nvolatile int v;\nvoid Reset_Handler(void) { v = a_used(v); }"
    )
    script = tmp_path / "x.ld"
    script.write_text("SECTIONS { . = 0x8000000; .text : { *(.text*) } .bss : { *(.bss*) } }")
    elf = link_firmware(
        [tmp_path / "a.c", tmp_path / "b.c"],
        script,
        tmp_path / "x.elf",
        BOARD.core,
        compiler=find_target_compiler(BOARD.core, family),
    )
    firmware = read_firmware(elf)
    found = source_code_bytes(firmware)
    assert found["a.c"] == firmware.sizes["a_used"]
    assert found["b.c"] == firmware.sizes["Reset_Handler"]
    assert "a_left" not in firmware.sizes
