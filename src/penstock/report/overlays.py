"""What overlays did for each operator: where its tensors live, how it was parted, what was hidden.

No operator falls back in silence: whatever is used in far memory itself, and whatever the core
waited for, has a reason here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penstock.boards.board import Board
from penstock.boards.copying import dma_controller, driver_channels
from penstock.kernels.kernel_graph import KernelCall, TensorArgument
from penstock.planning.estimate.routes import bandwidth_bound_cycles
from penstock.planning.execution_plan import ExecutionPlan, Placement
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall
from penstock.planning.whole_calls import why_whole
from penstock.report.copying import CopyTime, copy_time, match_transfers
from penstock.simulate.dma import Transfer
from penstock.simulate.simulation import Simulation

_WAIT = "dma_wait"


@dataclass(frozen=True, slots=True)
class Homes:
    """Memory regions that an operator's arguments live in.

    Attributes:
        inputs: one for each computed tensor that it reads.
        outputs: one for each that it writes.
        constants: those that its constants are spread over.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OverlayUse:
    """How one operator works.

    Attributes:
        tiles: calls of its kernel.
        rows: bands of rows among which its output is divided.
        filters: groups of output channels among which each band is divided.
        chain: first and last step of the chain that it runs in, band by band; None outside chains.
        homes: where its arguments live; of a tensor inside a chain, where its bands are.
        in_place: external memories that its kernel works on itself.
        loaded_bytes: copied for it to where it works.
        stored_bytes: copied away of what it computed.
        halo_bytes: of a chain's rows that moved on from one band to the next within fast memory.
        copying_cycles: in which such a copy was under way; None where not known.
        waited_cycles: that the core waited for copies meanwhile, asleep; None where not known.
        hidden_share: of ``copying_cycles``, the part in which the core did not sleep; None where
            nothing was copied or that is not known.
        reasons: why it works in external memory itself, and why it waited.
    """

    tiles: int
    rows: int
    filters: int
    chain: tuple[int, int] | None
    homes: Homes
    in_place: tuple[str, ...]
    loaded_bytes: int
    stored_bytes: int
    halo_bytes: int
    copying_cycles: int | None
    waited_cycles: int | None
    hidden_share: float | None
    reasons: tuple[str, ...]

    @property
    def reason(self) -> str:
        """All reasons as one text; empty for none."""
        return "; ".join(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name; the reasons as one text."""
        return {**asdict(self), "homes": _lists(self.homes), **_texts(self)}


def _lists(homes: Homes) -> dict[str, list[str]]:
    return {name: list(regions) for name, regions in asdict(homes).items()}


def _texts(use: OverlayUse) -> dict[str, Any]:
    return {"in_place": list(use.in_place), "reasons": list(use.reasons), "reason": use.reason}


@dataclass(frozen=True, slots=True)
class OverlayTotals:
    """What overlays did in an inference.

    Attributes:
        tiles: calls of kernels; 0 where there are no overlays.
        chains: groups of operators that run band by band, so that no tensor between them exists.
        copies: transfers between memories.
        loaded_bytes: copied to where kernels work.
        stored_bytes: copied away from there.
        halo_bytes: of rows that moved on from one band of a chain to the next.
        copying_cycles: in which a copy was under way; None where not known.
        bandwidth_bound_cycles: that the copies take one after the other, with nothing in their way,
            by the estimate: however little the core computes, it takes as long; None where the
            board does not say how long accesses take.
        waited_cycles: that the core waited for one, asleep; None where not known.
        hidden_share: of ``copying_cycles``, the part in which the core did not sleep; None where
            nothing was copied or that is not known.
        reason: why there are no overlays, or who copies where it is not DMA; empty otherwise.
    """

    tiles: int
    chains: int
    copies: int
    loaded_bytes: int
    stored_bytes: int
    halo_bytes: int
    copying_cycles: int | None
    bandwidth_bound_cycles: int | None
    waited_cycles: int | None
    hidden_share: float | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OverlayReport:
    """What overlays did, in all and by step."""

    totals: OverlayTotals
    steps: tuple[OverlayUse, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the totals, and under ``operators`` what each step does."""
        return {**self.totals.to_json(), "operators": [use.to_json() for use in self.steps]}


def report_overlays(
    plan: ExecutionPlan, board: Board, simulation: Simulation | None
) -> OverlayReport | None:
    """Return what a plan does with overlays, and what the virtual board saw of it.

    Args:
        plan: what ran.
        board: where.
        simulation: one inference; None where only the plan is known.

    Returns:
        None where the plan names no regions, because there is no board.
    """
    if plan.placement is None:
        return None
    return _Reporter(plan, plan.placement, board, simulation).report()


class _Reporter:
    def __init__(
        self,
        plan: ExecutionPlan,
        placement: Placement,
        board: Board,
        simulation: Simulation | None,
    ) -> None:
        self._plan = plan
        self._board = board
        self._simulation = simulation
        self._placement = placement
        overlays = plan.overlays
        count = len(plan.program.calls)
        self._copies: list[list[int]] = [[] for _ in range(count)]
        self._tiles: list[list[TileCall]] = [[] for _ in range(count)]
        self._chains: dict[int, tuple[int, int]] = {}
        if overlays is not None:
            chains = (stage for stage in overlays.stages if len(stage) > 1)
            self._chains = {step: (c.start, c.stop - 1) for c in chains for step in c}
            for index, copy in enumerate(overlays.copies):
                self._copies[overlays.tiles[copy.tile].step].append(index)
            for tile in overlays.tiles:
                self._tiles[tile.step].append(tile)
        self._transfers = self._match(overlays)

    def report(self) -> OverlayReport:
        steps = tuple(self._use(step) for step in range(len(self._plan.program.calls)))
        return OverlayReport(self._totals(steps), steps)

    def _match(self, overlays: OverlayProgram | None) -> list[tuple[Transfer, ...]] | None:
        """Return the transfers of each copy; None where they are not known."""
        controller = dma_controller(self._board)
        timeline = None if self._simulation is None else self._simulation.timeline
        if overlays is None or controller is None or timeline is None or not timeline.is_complete:
            return None
        first = driver_channels(controller).start
        return match_transfers(overlays.copies, timeline.transfers, first)

    def _time(self, transfers: Iterable[Transfer]) -> CopyTime:
        assert self._simulation is not None
        assert self._simulation.timeline is not None
        return copy_time(transfers, self._simulation.timeline.sleeps)

    def _use(self, step: int) -> OverlayUse:
        call = self._plan.program.calls[step]
        tiles, copies = self._tiles[step], self._copies_of(step)
        times = None if self._simulation is None else self._simulation.operator_times.get(step)
        waited = None if times is None else times.stalls[_WAIT]
        in_place = self._in_place(step)
        time = None
        if self._transfers is not None:
            own = (self._transfers[index] for index in self._copies[step])
            time = self._time(transfer for made in own for transfer in made)
        reasons = [self._why_in_place(call, in_place)] if in_place else []
        if waited:
            reasons.append(self._why_waited(copies))
        elif time is not None and time.hidden_share is not None and time.hidden_share < 1.0:
            reasons.append("copies ran on while the core waited for those of another operator")
        return OverlayUse(
            tiles=max(len(tiles), 1),
            rows=max(len({tile.band for tile in tiles}), 1),
            filters=max(len({tile.filters for tile in tiles}), 1),
            chain=self._chains.get(step),
            homes=self._homes_of(step, copies),
            in_place=in_place,
            loaded_bytes=sum(c.size_bytes for c in copies if c.is_load and not c.is_halo),
            stored_bytes=sum(c.size_bytes for c in copies if not c.is_load),
            halo_bytes=sum(c.size_bytes for c in copies if c.is_halo),
            copying_cycles=None if time is None else round(time.cycles),
            waited_cycles=waited,
            hidden_share=None if time is None else time.hidden_share,
            reasons=tuple(reasons),
        )

    def _copies_of(self, step: int) -> list[Copy]:
        overlays = self._plan.overlays
        return [] if overlays is None else [overlays.copies[n] for n in self._copies[step]]

    def _homes_of(self, step: int, copies: Sequence[Copy]) -> Homes:
        call = self._plan.program.calls[step]
        sources = {copy.source.block for copy in copies if copy.is_load}
        packs = sources.intersection((Block.PACKS, Block.FAR_PACKS))
        if any(name in self._plan.arrays for name in call.constants):
            packs.add(Block.CONSTANT)
        return Homes(
            inputs=tuple(self._home(step, name) for name in call.reads),
            outputs=tuple(self._home(step, name) for name in call.writes),
            constants=tuple(sorted({self._region(block) for block in packs})),
        )

    def _home(self, step: int, tensor: str) -> str:
        """Return where a tensor is as a whole, or where its bands are if it never is whole."""
        try:
            return self._region(self._plan.locate(tensor)[0])
        except KeyError:
            arguments = self._plan.program.calls[step].arguments
            places = [n for n, a in enumerate(arguments) if _is_tensor(a, tensor)]
            return self._region(self._tiles[step][0].addresses[places[0]].block)

    def _region(self, block: Block) -> str:
        return self._placement.region(block)

    def _in_place(self, step: int) -> tuple[str, ...]:
        """Return the external memories that a step's kernel is handed addresses of."""
        names = {self._region(address.block) for address in self._addresses(step)}
        return tuple(sorted(name for name in names if self._board.region(name).is_external))

    def _addresses(self, step: int) -> Iterable[Address]:
        if self._plan.overlays is not None:
            return (a for tile in self._tiles[step] for a in tile.addresses.values())
        call = self._plan.program.calls[step]
        found = [Address(self._plan.locate(n)[0], 0) for n in (*call.reads, *call.writes)]
        return [*found, *(Address(Block.CONSTANT, 0) for _ in call.constants)]

    def _why_in_place(self, call: KernelCall, regions: tuple[str, ...]) -> str:
        where = f"works in far memory itself ({', '.join(regions)}): "
        if self._plan.overlays is None:
            return where + self._why_none()
        if self._region(Block.ARENA) in regions:
            return where + "that is where kernels were asked to work"
        whole = why_whole(call)
        return where + (f"is not parted, {whole}" if whole else "its constants are not copied")

    def _why_waited(self, copies: Sequence[Copy]) -> str:
        """Return why copies were not there in time: the first of the reasons that there are."""
        overlays = self._plan.overlays
        assert overlays is not None
        loads = [copy for copy in overlays.copies if copy.is_load]
        late = [c for c in copies if c.is_load and c.started_at == c.waited_at]
        if any(copy.waited_at > 0 for copy in late):
            if all(copy.started_at == copy.waited_at for copy in loads):
                return "waits: copies start when they are needed, without prefetch"
            return "waits: what it needs has only just been written"
        if late:
            return "waits: nothing runs before the first tile"
        return "waits: copies take longer than what runs beside them"

    def _why_none(self) -> str:
        return self._plan.without_overlays or "overlays are off"

    def _totals(self, steps: Sequence[OverlayUse]) -> OverlayTotals:
        overlays = self._plan.overlays
        simulated = self._simulation
        time = None
        if self._transfers is not None:
            time = self._time(transfer for made in self._transfers for transfer in made)
        waited = None if simulated is None or simulated.time is None else simulated.time.stalls
        if overlays is None:
            reason = self._why_none()
        elif dma_controller(self._board) is None:
            reason = "the core copies itself: no driver knows a DMA controller of this board"
        else:
            reason = ""
        return OverlayTotals(
            tiles=0 if overlays is None else len(overlays.tiles),
            chains=len(set(self._chains.values())),
            copies=0 if overlays is None else len(overlays.copies),
            loaded_bytes=sum(use.loaded_bytes for use in steps),
            stored_bytes=sum(use.stored_bytes for use in steps),
            halo_bytes=sum(use.halo_bytes for use in steps),
            copying_cycles=None if time is None else round(time.cycles),
            bandwidth_bound_cycles=bandwidth_bound_cycles(self._plan, self._board),
            waited_cycles=None if waited is None else waited[_WAIT],
            hidden_share=None if time is None else time.hidden_share,
            reason=reason,
        )


def _is_tensor(argument: object, name: str) -> bool:
    return isinstance(argument, TensorArgument) and argument.tensor == name
