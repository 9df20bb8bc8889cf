"""Which tensors stay in fast memory, and which calls are fused into chains.

Tensors stay where they are computed as long as they fit. Where they do not, the largest one at the
most crowded stage goes to far memory, or never exists as a whole because its calls become a chain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from penstock.kernels.kernel_graph import KernelGraph
from penstock.planning.lifetimes import Buffer, plan_buffers, retime
from penstock.planning.overlaps import stretches
from penstock.planning.overlays.fusion import can_chain, inner_tensors, tensor_users
from penstock.planning.overlays.parts import (
    Space,
    Stage,
    copied_arguments,
    finest_stage,
    part_stage,
    stage_bytes,
)
from penstock.planning.tiles import row_count

_PACKS_SHARE = 0.3
"""Of fast memory, how much the constants of a chain may take: they stay there while it runs."""
_CROWDED_SHARE = 0.8
"""Of fast memory, how much tensors may take together with the smallest slots of a call."""

_Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """How a program is parted.

    Attributes:
        buffers: tensors that share memory, and scratch; none for tensors inside a chain.
        far: positions of the buffers that live in far memory.
        stages: in order of execution.
    """

    buffers: tuple[Buffer, ...]
    far: frozenset[int]
    stages: tuple[Stage, ...]

    @property
    def far_tensors(self) -> frozenset[str]:
        """Names of the tensors in far memory."""
        return frozenset(name for index in self.far for name in self.buffers[index].tensors)


class TooSmallError(Exception):
    """A stage does not fit fast memory, however the program is parted.

    Attributes:
        step: the stage's first, or one of it; None for a program without any.
    """

    def __init__(self, step: int | None) -> None:
        super().__init__(f"step {step} does not fit")
        self.step = step


def choose_far(program: KernelGraph, space: Space) -> Partition:
    """Return which tensors go to far memory, and which calls are fused into chains.

    Each stage is parted as if it were alone.

    Args:
        program: kernel calls.
        space: fast memory.

    Raises:
        TooSmallError: a call does not fit however it is parted.
    """
    draft = _Draft(program, space)
    while (stage := draft.most_crowded()) is not None:
        draft.relieve(stage)
    names = frozenset(draft.far)
    stages = tuple(
        part_stage(program, steps, names, space, int(free))
        for steps, free in zip(draft.stages, draft.crowd.free, strict=True)
    )
    far = frozenset(np.flatnonzero(draft.crowd.is_far).tolist())
    return Partition(draft.buffers, far, stages)


class _Crowd:
    """Which buffers live in fast memory during which stage, and what they leave free.

    Attributes:
        free: bytes by stage.
        is_far: by buffer.
    """

    def __init__(
        self, buffers: Sequence[Buffer], stages: Sequence[range], space: Space, whole: _Integers
    ) -> None:
        begins = [number for number, steps in enumerate(stages) for _ in steps]
        ends = [number + 1 for number in begins]
        lives = [
            (index, *stretch)
            for index, buffer in enumerate(buffers)
            for stretch in (stretches(retime(buffer, begins, ends)) if stages else ())
        ]
        table = np.array(lives, np.int64).reshape(-1, 4)
        self._space = space
        self._owners, self._begins, self._ends, self._sizes = table.T
        self._whole = whole
        self._is_movable = np.array([b.scratch_step is None for b in buffers], bool)
        self.is_far = np.zeros(len(buffers), bool)
        self.free = np.full(len(stages), space.capacity_bytes, np.int64)
        for begin, end, size in table[:, 1:].tolist():
            self.free[begin:end] -= space.align(size)

    def send_far(self, buffer: int) -> None:
        """Take a buffer out of fast memory."""
        self.is_far[buffer] = True
        own = self._owners == buffer
        for begin, end, size in zip(
            *(column[own].tolist() for column in (self._begins, self._ends, self._sizes)),
            strict=True,
        ):
            self.free[begin:end] += self._space.align(size)

    def candidates(self, stage: int) -> Iterator[int]:
        """Yield tensors' buffers at a stage, those first that should leave: large, in tiles."""
        alive = (self._begins <= stage) & (stage < self._ends) & (self._sizes > 0)
        alive &= (self._is_movable & ~self.is_far)[self._owners]
        owners, sizes = self._owners[alive], self._sizes[alive]
        yield from owners[np.lexsort((owners, -sizes, self._whole[owners]))].tolist()


class _Draft:
    """Decisions so far.

    Attributes:
        stages: steps of each stage.
        buffers: with those chains.
        crowd: what they leave free.
        far: names of tensors in far memory.
    """

    def __init__(self, program: KernelGraph, space: Space) -> None:
        self._program = program
        self._space = space
        self._users = tensor_users(program)
        self._is_whole = np.array([row_count(call) == 1 for call in program.calls], bool)
        self._least: dict[tuple[range, tuple[frozenset[int], ...]], int] = {}
        self._settled: set[int] = set()
        self.stages = [range(step, step + 1) for step in range(len(program.calls))]
        self.buffers = tuple(plan_buffers(program))
        self.far: set[str] = set()
        self._survey()

    def _survey(self) -> None:
        """Count anew who lives when, after stages have changed."""
        self._stage_of = [number for number, steps in enumerate(self.stages) for _ in steps]
        whole = np.array([self._whole_users(buffer) for buffer in self.buffers], np.int64)
        self.crowd = _Crowd(self.buffers, self.stages, self._space, whole)
        for index, buffer in enumerate(self.buffers):
            if not self.far.isdisjoint(buffer.tensors):
                self.crowd.send_far(index)
        numbers = range(len(self.stages))
        self._needs = np.array([self._smallest_bytes(number) for number in numbers], np.int64)

    def most_crowded(self) -> int | None:
        """Return the stage that lacks the most memory; None where all have enough."""
        lacking = (self._needs / _CROWDED_SHARE).astype(np.int64) - self.crowd.free
        lacking[[self._stage_of[step] for step in self._settled]] = 0
        if not lacking.size or lacking.max() <= 0:
            return None
        return int(lacking.argmax())

    def relieve(self, stage: int) -> None:
        """Fuse calls so that a tensor never exists, or send one to far memory.

        The largest one that tiles can touch. Where there is none, take the stage as it is.

        Raises:
            TooSmallError: it does not fit.
        """
        for index in self.crowd.candidates(stage):
            buffer = self.buffers[index]
            chain = self._chain_over(buffer)
            if chain is not None:
                self._fuse(chain)
                return
            if self._space.has_far:
                self._send_far(index)
                return
        self._settle(stage)

    def _send_far(self, index: int) -> None:
        self.crowd.send_far(index)
        tensors = self.buffers[index].tensors
        self.far.update(tensors)
        users = {step for name in tensors for step in self._users.get(name, ())}
        for number in {self._stage_of[step] for step in users}:
            self._needs[number] = self._smallest_bytes(number)

    def _chain_over(self, buffer: Buffer) -> range | None:
        """Return the chain that would have a buffer's tensor inside; None where there is none."""
        if not self._space.fuses or len(buffer.tensors) != 1:
            return None
        users = self._users.get(buffer.tensors[0])
        if users is None:  # an input that nobody reads
            return None
        first, last = self._stage_of[users[0]], self._stage_of[users[-1]]
        steps = range(self.stages[first].start, self.stages[last].stop)
        if first == last or not can_chain(self._program, steps, self._users):
            return None
        packs = sum(
            self._space.align(self._program.constants[name].nbytes)
            for step in steps
            for name in self._program.calls[step].constants
        )
        return steps if packs <= self._space.capacity_bytes * _PACKS_SHARE else None

    def _fuse(self, chain: range) -> None:
        first, last = self._stage_of[chain.start], self._stage_of[chain.stop - 1]
        self.stages[first : last + 1] = [chain]
        self.buffers = _buffers(self._program, self.stages)
        self._survey()

    def _settle(self, stage: int) -> None:
        """Take a stage as it is if it just fits; raises TooSmallError."""
        step = self.stages[stage].start
        if self._needs[stage] > self.crowd.free[stage]:
            raise TooSmallError(step)
        self._settled.add(step)

    def _whole_users(self, buffer: Buffer) -> int:
        """Return how many calls would have to work on a buffer where it is."""
        users = {step for name in buffer.tensors for step in self._users.get(name, ())}
        return int(self._is_whole[sorted(users)].sum())

    def _smallest_bytes(self, stage: int) -> int:
        """Return what slots take where a stage is parted as finely as can be."""
        steps, far = self.stages[stage], frozenset(self.far)
        key = steps, tuple(copied_arguments(self._program.calls[step], far) for step in steps)
        if key not in self._least:
            finest = finest_stage(self._program, steps, far)
            self._least[key] = stage_bytes(self._program, finest, self._space)
        return self._least[key]


def _buffers(program: KernelGraph, stages: Sequence[range]) -> tuple[Buffer, ...]:
    """Return buffers of what lives outside chains, whose calls never compute in place."""
    chains = [steps for steps in stages if len(steps) > 1]
    inner = frozenset(name for steps in chains for name in inner_tensors(program, steps))
    calls = list(program.calls)
    for steps in chains:
        for step in steps:
            calls[step] = replace(calls[step], in_place=())
    buffers = plan_buffers(replace(program, calls=tuple(calls)))
    return tuple(buffer for buffer in buffers if inner.isdisjoint(buffer.tensors))
