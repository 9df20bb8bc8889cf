"""How much of far memory overlays hide: `penstock compare` for networks and boards, as tables.

Run by ``make bench-overlays``, a quarter of an hour on two cores. Every figure is simulated,
so that the same version gives the same table anywhere. Rows go to docs/overlays.md between markers;
``--network``, ``--board`` and ``--resolution`` run only some, and the other rows stay as they are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "overlays.md"
JOBS = 2

BOARDS = ("stm32f746g-disco", "stm32f469i-disco", "nucleo-h743zi")
VARIANTS = ("external", "placement", "overlays", "roomy", "ideal")
BUILT = {
    f"mbv3 {width}-{resolution}": (width, resolution)
    for width, resolution in (("0.50", 112), ("0.55", 128), ("0.75", 128), ("1.00", 160))
}
"""Networks of `penstock build`, by name: width and resolution."""
SHARED = {
    "mcunet-in3": "mcunet/mcunet-in3_320kb-1mb_imagenet.tflite",
    "tf2_mobilenet_v2 1.0-224": "imagenet_int8/tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "pretrainedResnet": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "pretrainedResnet 37M": "mlperf_tiny/pretrainedResnet_quant_37M_history.tflite",
    "vww 836k": "mlperf_tiny/vww_96_14blk_836k_int8.tflite",
    "mobilenet_v1 0.25-128, uint8": "imagenet_uint8/mobilenet_v1_0_25_128_quant.tflite",
    "mobilenet_v2 0.5-96, uint8": "imagenet_uint8/mobilenet_v2_0_5_96_quant.tflite",
    "mobilenet_v2 1.0-128, uint8": "imagenet_uint8/mobilenet_v2_1_0_128_quant.tflite",
}
"""Networks of the shared models, by name."""
SWEEP = tuple(range(48, 193, 16))
SWEEP_BOARDS = ("stm32f469i-disco", "stm32f746g-disco")
SWEEP_WIDTH = "0.50"

Runs = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        title: what the marker in the page calls it.
        heading: cells of the first row; all but the first ``keys`` are numbers.
        keys: how many cells of a row say which one it is.
    """

    title: str
    heading: tuple[str, ...]
    keys: int


NETWORKS_TABLE = Table(
    "networks",
    (
        "network",
        "board",
        "all outside",
        "fastest that fits",
        "overlays",
        "roomy",
        "ideal",
        "overlays ÷ roomy",
        "overlays ÷ ideal",
        "outside ÷ overlays",
        "copied",
        "hidden",
        "energy, outside",
        "energy, overlays",
    ),
    2,
)
SWEEP_TABLE = Table(
    "sweep",
    (
        "resolution",
        *(
            f"{board}: {what}"
            for board in SWEEP_BOARDS
            for what in ("all outside", "overlays", "÷", "far tensors")
        ),
    ),
    1,
)


def main() -> None:
    """Run what was asked for; write each row to the page as soon as it is known."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(JOBS) as pool:
        bench = Bench(Path(scratch))
        pairs = [(network, board) for network in asked.network for board in asked.board]
        rows = pool.map(lambda pair: bench.network_row(*pair), pairs)
        _show(NETWORKS_TABLE, rows, writes=asked.write)
        _show(SWEEP_TABLE, pool.map(bench.sweep_row, asked.resolution), writes=asked.write)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = (*BUILT, *SHARED)
    parser.add_argument("--network", action="append", choices=names)
    parser.add_argument("--board", action="append", choices=BOARDS)
    parser.add_argument("--resolution", action="append", type=int, choices=SWEEP)
    parser.add_argument("--write", action="store_true", help=f"to {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args()
    is_all = asked.network is None and asked.resolution is None
    asked.network = asked.network or (names if is_all or asked.board else ())
    asked.board = asked.board or BOARDS
    asked.resolution = asked.resolution or (SWEEP if is_all else ())
    return asked


class Bench:
    """Networks in a folder, and comparisons of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shared = os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared")
        self._models = Path(shared) / "models"

    def network_row(self, network: str, board: str) -> tuple[str, ...]:
        """Return the row of a network on a board."""
        runs = self._compare(self._model(network), board, VARIANTS, "--effort", "full")
        outside, inside = runs["external"], runs["overlays"]
        told = {} if inside is None else inside["overlays"]
        return (
            network,
            board,
            *(_milliseconds(runs[variant]) for variant in VARIANTS),
            _ratio(inside, runs["roomy"], places=3),
            _ratio(inside, runs["ideal"], places=3),
            _ratio(outside, inside),
            _kibibytes(told.get("loaded_bytes", 0) + told.get("stored_bytes", 0)) if told else "",
            _percent(told.get("hidden_share")),
            _millijoules(outside),
            _millijoules(inside),
        )

    def sweep_row(self, resolution: int) -> tuple[str, ...]:
        """Return the row of a resolution, on all boards of the sweep."""
        model = self._build(SWEEP_WIDTH, resolution)
        cells = [str(resolution)]
        for board in SWEEP_BOARDS:
            runs = self._compare(model, board, ("external", "overlays"))
            outside, inside = runs["external"], runs["overlays"]
            far = [] if inside is None else [_far_tensors(inside)]
            cells += [_milliseconds(outside), _milliseconds(inside), _ratio(outside, inside), *far]
        return tuple(cells)

    def _model(self, network: str) -> Path:
        if network in BUILT:
            return self._build(*BUILT[network])
        model = self._models / SHARED[network]
        if not model.is_file():
            sys.exit(f"{model} is missing: set PENSTOCK_SHARED to the folder of shared models")
        return model

    def _build(self, width: str, resolution: int) -> Path:
        # One file for each thread: a second one may be building the same network.
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        path = folder / f"mbv3_{width.replace('.', '_')}_{resolution}.tflite"
        size = ("--width", width, "--resolution", str(resolution))
        _penstock("build", "mbv3", *size, "-o", str(path))
        return path

    def _compare(self, model: Path, board: str, variants: Sequence[str], *options: str) -> Runs:
        result = Path(tempfile.mkdtemp(dir=self._folder)) / "compare.json"
        chosen = [word for variant in variants for word in ("--variant", variant)]
        _penstock("compare", str(model), "--board", board, *chosen, *options, "--json", str(result))
        found: Runs = json.loads(result.read_text(encoding="utf-8"))["variants"]
        return found


def _penstock(*arguments: str) -> None:
    command = [sys.executable, "-m", "penstock", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _milliseconds(run: Mapping[str, Any] | None) -> str:
    return "–" if run is None else f"{run['latency_ms']:,.1f} ms"


def _millijoules(run: Mapping[str, Any] | None) -> str:
    energy = None if run is None else run["energy_mj"]
    return "–" if energy is None else f"{energy['value']:,.0f} mJ"


def _ratio(
    above: Mapping[str, Any] | None, below: Mapping[str, Any] | None, places: int = 2
) -> str:
    if above is None or below is None:
        return "–"
    return f"{above['latency_ms'] / below['latency_ms']:.{places}f}"


def _kibibytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.0f} KiB"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{int(1000 * share) / 10:.1f} %"


def _far_tensors(run: Mapping[str, Any]) -> str:
    """Return how many operators write a tensor that does not fit the arena, of how many."""
    operators = run["operators"]
    far = sum(bool(operator["overlay"]["stored_bytes"]) for operator in operators)
    return f"{far} of {len(operators)}"


def _show(table: Table, rows: Iterable[tuple[str, ...]], *, writes: bool) -> None:
    """Print rows as they come, and put them in the page if asked to."""
    for row in rows:
        print(" | ".join(row), flush=True)
        if writes:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(replace_row(page, table, row), encoding="utf-8")


def replace_row(page: str, table: Table, row: tuple[str, ...]) -> str:
    """Return the page with a row in its table, in place of an earlier one with the same keys.

    Raises:
        ValueError: the page has no such table.
    """
    begin, end = f"<!-- {table.title}: written by benchmarks/overlays.py -->\n", "<!-- end -->"
    before, found, rest = page.partition(begin)
    written, _, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE.name} has no marker {begin.strip()!r}")
    rows = {cells[: table.keys]: cells for cells in _rows(written)}
    rows[row[: table.keys]] = row
    ordered = sorted(rows.values(), key=lambda cells: _rank(table, cells))
    ruler = ["---"] * table.keys + ["--:"] * (len(table.heading) - table.keys)
    lines = [_line(table.heading), _line(ruler, ""), *map(_line, ordered)]
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n\n{end}{after}"


def _rank(table: Table, cells: Sequence[str]) -> tuple[int, ...]:
    if table is SWEEP_TABLE:
        return (int(cells[0]),)
    return (*BUILT, *SHARED).index(cells[0]), BOARDS.index(cells[1])


def _rows(written: str) -> Iterator[tuple[str, ...]]:
    """Yield the rows below the heading and its ruler."""
    lines = [line for line in written.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield tuple(cell.strip() for cell in line.strip("|").split("|"))


def _line(cells: Sequence[str], space: str = " ") -> str:
    return "|" + "|".join(f"{space}{cell}{space}" for cell in cells) + "|"


if __name__ == "__main__":
    main()
