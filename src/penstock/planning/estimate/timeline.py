"""Cycles of a plan with overlays: kernels on tiles, and copies that run beside them.

Tiles and copies are gone through in the order in which the core comes to them. Kernels are
estimated like whole ones, with every argument in the memory where the tile finds it; copies take
what the board's file says (`copying`); the rest is a handful of fitted costs (`overlay_costs`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.paths import is_tightly_coupled
from penstock.planning.estimate.accesses import Access, Role
from penstock.planning.estimate.coefficients import load_coefficients
from penstock.planning.estimate.copying import Route
from penstock.planning.estimate.estimate import call_cycles, harness_cycles
from penstock.planning.estimate.memory import fetch_cycles, wait_cycles_at
from penstock.planning.estimate.overlay_costs import OverlayCosts, load_overlay_costs
from penstock.planning.estimate.residue import Residue
from penstock.planning.estimate.routes import Routes
from penstock.planning.estimate.tile_calls import SCRATCH, TileWorks, array_names
from penstock.planning.execution_plan import ExecutionPlan, Placement
from penstock.planning.overlays.program import Address, Block, Copy, OverlayProgram, TileCall

_RECENT = 16
"""Copies among which that of an argument is found."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """What one step of an overlaid program is expected to take.

    Attributes:
        compute_cycles: kernels on all its tiles, waiting for memories included.
        overhead_cycles: starting copies and waiting for none, caches, and what copies that run
            beside a kernel hold it up.
        stall_cycles: waiting for copies that are not there yet.
        wait_cycles: of ``compute_cycles``, waiting for memories.
        tiles: how many.
        copied_bytes: by the copies for its tiles.
    """

    compute_cycles: float
    overhead_cycles: float
    stall_cycles: float
    wait_cycles: float
    tiles: int
    copied_bytes: int

    @property
    def cycles(self) -> float:
        """All of it."""
        return self.compute_cycles + self.overhead_cycles + self.stall_cycles


@dataclass(frozen=True, slots=True)
class OverlayTimeline:
    """What an overlaid program is expected to take, with cold caches.

    Attributes:
        cycles: of the core.
        steps: by step; what is outside of them is the harness, and waiting at the end.
        stall_cycles: waiting for copies, of all steps and at the end.
        moved_bytes: by source and destination memory.
    """

    cycles: float
    steps: tuple[StepTime, ...]
    stall_cycles: float
    moved_bytes: Mapping[tuple[str, str], int]


def estimate_overlaid(plan: ExecutionPlan, board: Board) -> OverlayTimeline:
    """Return the expected times of a plan with overlays.

    Args:
        plan: for a board, with overlays.
        board: whose core, memories and DMA controller.

    Raises:
        UnsupportedError: nobody has fitted the core, or a kernel on it.
    """
    assert plan.overlays is not None and plan.placement is not None
    return _Walk(plan, plan.overlays, plan.placement, board).run()


@dataclass(slots=True)
class _Account:
    """A step's time, as it adds up."""

    compute: float = 0.0
    overhead: float = 0.0
    stall: float = 0.0
    waits: float = 0.0
    tiles: int = 0
    copied_bytes: int = 0


@dataclass(slots=True)
class Job:
    """A copy that runs, and how long the controller still has to work on it."""

    route: Route
    left_cycles: float


@dataclass(slots=True)
class Controller:
    """Channels that share one controller: it serves the lowest of those that have something to do.

    Attributes:
        now: up to when it has worked.
        jobs: by channel.
    """

    now: float = 0.0
    jobs: dict[int, Job] = field(default_factory=dict)

    def start(self, channel: int, job: Job, now: float) -> None:
        """Let a channel copy from now on."""
        self.advance(now)
        self.jobs[channel] = job

    def advance(self, until: float) -> dict[int, float]:
        """Work until a time; return by channel how long each was served."""
        served: dict[int, float] = {}
        while self.now < until and (channel := self._chosen()) is not None:
            job = self.jobs[channel]
            took = min(job.left_cycles, until - self.now)
            served[channel] = served.get(channel, 0.0) + took
            job.left_cycles = 0.0 if took == job.left_cycles else job.left_cycles - took
            self.now += took
        self.now = max(self.now, until)
        return served

    def finish(self, channel: int, now: float) -> float:
        """Return when the copy of a channel is over, not before now."""
        self.advance(now)
        while self.jobs[channel].left_cycles > 0:
            chosen = self._chosen()
            assert chosen is not None
            self.now += self.jobs[chosen].left_cycles
            self.jobs[chosen].left_cycles = 0.0
        del self.jobs[channel]
        return max(self.now, now)

    def _chosen(self) -> int | None:
        return min((n for n, job in self.jobs.items() if job.left_cycles > 0), default=None)


class _Walk:
    """Goes through tiles and copies as the core does."""

    def __init__(
        self, plan: ExecutionPlan, overlays: OverlayProgram, placement: Placement, board: Board
    ) -> None:
        self._plan, self._overlays, self._board = plan, overlays, board
        self._placement = placement
        self._core = load_coefficients(board.core.name)
        self._costs: OverlayCosts = load_overlay_costs(board.core.name)
        self._works = TileWorks(plan.program)
        self._residue = Residue()
        self._controller = Controller()
        self._routes = Routes(board, placement)
        self._loaded: dict[Block, list[tuple[int, int, int]]] = {}
        self._known: set[str] = set()
        self._moved: dict[tuple[str, str], int] = {}
        self._now = 0.0
        self._accounts = [_Account() for _ in plan.program.calls]
        self._end = _Account()
        copies = overlays.copies
        self._loads = _by_tile((c for c in copies if c.is_load), lambda c: c.started_at)
        self._stores = _by_tile((c for c in copies if not c.is_load), lambda c: c.started_at)
        self._waits = _by_tile((c for c in copies if not _is_late(c)), lambda c: c.waited_at)

    def run(self) -> OverlayTimeline:
        for number, tile in enumerate(self._overlays.tiles):
            account = self._accounts[tile.step]
            account.tiles += 1
            self._pay(account, self._costs.tile_cycles)
            for copy in sorted(self._waits.get(number, ()), key=lambda copy: copy.channel):
                self._finish(copy, account)
            for copy in self._loads.get(number, ()):
                self._start(copy, account)
            for copy in self._loads.get(number, ()):
                if _is_late(copy):
                    self._finish(copy, account)
            self._compute(tile, account)
            for copy in self._stores.get(number, ()):
                self._start(copy, account)
        last = self._waits.get(len(self._overlays.tiles), ())
        for copy in sorted(last, key=lambda copy: copy.channel):
            self._finish(copy, self._end)
        harness = harness_cycles(self._core, len(self._accounts), self._placement, self._board)
        steps = tuple(
            StepTime(a.compute, a.overhead, a.stall, a.waits, a.tiles, a.copied_bytes)
            for a in self._accounts
        )
        outside = harness + self._end.overhead + self._end.stall
        return OverlayTimeline(
            cycles=outside + sum(step.cycles for step in steps),
            steps=steps,
            stall_cycles=self._end.stall + sum(step.stall_cycles for step in steps),
            moved_bytes=self._moved,
        )

    # Copies -----------------------------------------------------------------------------------

    def _pay(self, account: _Account, cycles: float) -> None:
        account.overhead += cycles
        self._now += cycles

    def _start(self, copy: Copy, account: _Account) -> None:
        source, destination = self._region(copy.source), self._region(copy.destination)
        route = self._routes.of(copy)
        cached = self._overlays.cached
        lines = self._lines(copy.size_bytes)
        is_constant = copy.source.block in (Block.PACKS, Block.FAR_PACKS)
        if copy.source.block in cached and not is_constant:
            self._pay(account, self._costs.clean_cycles + lines * self._costs.clean_line_cycles)
        if copy.destination.block in cached:
            self._pay(account, self._invalidation(lines))
        self._pay(account, self._costs.start_cycles)
        took = route.cycles(copy.size_bytes)
        if route.is_by_core:
            self._pay(account, took)
            took = 0.0
        self._controller.start(copy.channel, Job(route, took), self._now)
        account.copied_bytes += copy.size_bytes
        way = source.name, destination.name
        self._moved[way] = self._moved.get(way, 0) + copy.size_bytes
        if copy.is_load:
            start = copy.destination.offset_bytes
            self._loaded.setdefault(copy.destination.block, []).append(
                (start, start + copy.size_bytes, copy.tile)
            )

    def _finish(self, copy: Copy, account: _Account) -> None:
        over = self._controller.finish(copy.channel, self._now)
        if over > self._now:
            account.stall += over - self._now
            self._now = over
        self._pay(account, self._costs.wait_cycles)
        if copy.destination.block in self._overlays.cached:
            self._pay(account, self._invalidation(self._lines(copy.size_bytes)))

    def _invalidation(self, lines: int) -> float:
        return self._costs.invalidate_cycles + lines * self._costs.invalidate_line_cycles

    def _lines(self, size_bytes: int) -> int:
        cache = self._board.data_cache
        return 0 if cache is None else -(-size_bytes // cache.line_bytes)

    def _region(self, address: Address) -> MemoryRegion:
        return self._home(address.block)

    def _home(self, block: Block) -> MemoryRegion:
        return self._board.region(self._placement.region(block))

    # Kernels ----------------------------------------------------------------------------------

    def _compute(self, tile: TileCall, account: _Account) -> None:
        work = self._works.work(tile)
        addresses = array_names(self._plan.program, tile)
        placed = [self._placed(access, tile, addresses) for access in work.accesses]
        waits = wait_cycles_at(placed, self._board, self._residue)
        name = work.call.kernel.name
        if name not in self._known:
            self._known.add(name)
            waits += fetch_cycles(self._core.kernel(name).fetch_bytes, self._board)
        used = {role: home for access, home in placed for role in (_use(access),) if role}
        cycles, waits = call_cycles(
            self._core.kernel(name),
            work.features,
            waits,
            shares_memory=bool(work.call.constants) and used.get("weights") == used.get("input"),
            buffers_stores=self._board.data_cache is not None
            or is_tightly_coupled(used.get("output", self._home(Block.ARENA))),
        )
        account.compute += cycles
        account.waits += waits
        self._now += cycles
        self._hold_up(account)

    def _hold_up(self, account: _Account) -> None:
        """Add what copies beside a kernel hold it up: some of the time that they keep memories."""
        for channel, cycles in self._controller.advance(self._now).items():
            route = self._controller.jobs[channel].route
            busy = route.destination_busy_cycles / route.round_cycles if route.round_cycles else 0.0
            self._pay(account, cycles * busy * self._costs.hold_up_share)

    def _placed(
        self, access: Access, tile: TileCall, addresses: Mapping[str, Address]
    ) -> tuple[Access, MemoryRegion]:
        if access.role is Role.SCRATCH and SCRATCH in addresses:
            return access, self._region(addresses[SCRATCH])
        address = addresses.get(access.array)
        if address is None:
            block = {Role.WEIGHTS: Block.CONSTANT, Role.ARENA: Block.ARENA}.get(access.role)
            code = self._board.region(self._placement.code)
            return access, code if block is None else self._home(block)
        label = self._label(address, access.array, tile.step)
        return replace(access, array=label), self._region(address)

    def _label(self, address: Address, name: str, step: int) -> str:
        """Return a name of what is at an address now: the latest copy there, or a tensor."""
        for start, end, tile in reversed(self._loaded.get(address.block, ())[-_RECENT:]):
            is_own = self._overlays.tiles[tile].step == step
            if is_own and start <= address.offset_bytes < end:
                return f"{address.block.value} {start} {tile}"
        return name


def _use(access: Access) -> str:
    if access.role is Role.WEIGHTS:
        return "weights" if access.is_inner else ""
    if access.role is Role.ARENA:
        return "input" if access.reads else "output"
    return ""


def _is_late(copy: Copy) -> bool:
    """Return whether a copy is waited for as soon as it has started."""
    return copy.is_load and copy.started_at == copy.waited_at


def _by_tile(copies: Iterable[Copy], at: Callable[[Copy], int]) -> Mapping[int, Sequence[Copy]]:
    found: dict[int, list[Copy]] = {}
    for copy in copies:
        found.setdefault(at(copy), []).append(copy)
    return found
