"""What overlays cost a core beside kernels and copies: data, fitted to virtual boards."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from penstock.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class OverlayCosts:
    """Core cycles of overlays.

    Attributes:
        board: virtual board that they were fitted on.
        tile_cycles: of a tile that copies nothing: its parameters, and the code that comes anew.
        start_cycles: of starting a copy.
        wait_cycles: of waiting for a copy that is over.
        clean_cycles, invalidate_cycles: of maintaining the data cache for a copy.
        clean_line_cycles, invalidate_line_cycles: of each line of it.
        hold_up_share: of the time that copies keep a memory busy while a kernel runs, what the
            kernel waits.
    """

    board: str
    tile_cycles: float
    start_cycles: float
    wait_cycles: float
    clean_cycles: float
    clean_line_cycles: float
    invalidate_cycles: float
    invalidate_line_cycles: float
    hold_up_share: float


@cache
def load_overlay_costs(core: str) -> OverlayCosts:
    """Return the costs on a core.

    Raises:
        UnsupportedError: nobody has fitted them.
    """
    file = files("penstock.planning.estimate") / "overlay_costs.toml"
    known = tomllib.loads(file.read_text(encoding="utf-8"))["core"]
    if core not in known:
        raise UnsupportedError(
            f"the estimate has no costs of overlays on {core}, only on {', '.join(known)}",
            help="simulate instead: `penstock run MODEL --board NAME`",
        )
    return OverlayCosts(**known[core])
