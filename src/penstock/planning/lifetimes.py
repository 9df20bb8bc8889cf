"""When each byte is needed: lifetimes of tensors, and buffers of tensors that share memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from penstock.errors import GraphError, UnsupportedError
from penstock.kernels.kernel_graph import KernelCall, KernelGraph
from penstock.planning.execution_plan import ALIGNMENT_BYTES


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Steps during which bytes must stay untouched, half-open ``[first_step, end_step)``."""

    first_step: int
    end_step: int

    def __post_init__(self) -> None:
        if not 0 <= self.first_step < self.end_step:
            raise ValueError(f"a lifetime [{self.first_step}, {self.end_step}) is empty")

    def overlaps(self, other: "Lifetime") -> bool:
        """Return whether both hold at some step."""
        return self.first_step < other.end_step and other.first_step < self.end_step


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a buffer's life with one size.

    Attributes:
        lifetime: when.
        size_bytes: how much, a multiple of `ALIGNMENT_BYTES`.
    """

    lifetime: Lifetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """Tensors at one address, or the scratch of one step.

    Attributes:
        tensors: names, aliases included; empty for scratch.
        segments: one for each chain of aliases, in order of time; two of them overlap at the step
            that computes in place.
        scratch_step: the step whose scratch this is; None for tensors.
    """

    tensors: tuple[str, ...]
    segments: tuple[Segment, ...]
    scratch_step: int | None = None

    @property
    def size_bytes(self) -> int:
        """Most bytes needed at any step."""
        return max(segment.size_bytes for segment in self.segments)

    @property
    def lifetime(self) -> Lifetime:
        """From the first segment's start to the last one's end."""
        return Lifetime(
            min(segment.lifetime.first_step for segment in self.segments),
            max(segment.lifetime.end_step for segment in self.segments),
        )


def retime(
    buffer: Buffer,
    begins: Sequence[int],
    ends: Sequence[int],
    align_bytes: Callable[[int], int] = int,
) -> Buffer:
    """Return a buffer whose life is counted in something else than steps: tiles, or stages.

    Args:
        buffer: alive during steps.
        begins: by step, when it begins in the other time; empty for a program without steps, of
            which the buffer keeps its own time.
        ends: by step, when it has ended.
        align_bytes: rounds sizes up.
    """

    def other(life: Lifetime) -> Lifetime:
        return Lifetime(begins[life.first_step], ends[life.end_step - 1]) if begins else life

    segments = tuple(Segment(other(s.lifetime), align_bytes(s.size_bytes)) for s in buffer.segments)
    return Buffer(buffer.tensors, segments, buffer.scratch_step)


def align(size_bytes: int) -> int:
    """Return the size rounded up to `ALIGNMENT_BYTES`."""
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def alias_root(aliases: Mapping[str, str], name: str) -> str:
    """Return the tensor whose memory an alias shares, or the tensor itself.

    Raises:
        GraphError: aliases go round in a circle.
    """
    seen = {name}
    while name in aliases:
        name = aliases[name]
        if name in seen:
            raise GraphError(f"aliases of tensor {name!r} go round in a circle")
        seen.add(name)
    return name


def tensor_lifetimes(program: KernelGraph) -> dict[str, Lifetime]:
    """Return the lifetime of each computed tensor in the arena, by the root of its aliases.

    Inputs live from step 0 until their last reader, outputs until the end of the program. State
    is not in the arena and not here.

    Raises:
        GraphError: a call reads a tensor that no earlier one has written.
        UnsupportedError: an output is a constant.
    """
    first: dict[str, int] = {}
    end: dict[str, int] = {}

    def touch(name: str, step: int) -> None:
        root = alias_root(program.aliases, name)
        first.setdefault(root, step)
        end[root] = max(end.get(root, 0), step + 1)

    def is_known(name: str) -> bool:
        root = alias_root(program.aliases, name)
        return root in first or program.graph.tensors[root].is_variable

    for name in program.graph.inputs:
        touch(name, 0)
    for step, call in enumerate(program.calls):
        for name in call.reads:
            if not is_known(name):
                raise GraphError(f"step {step} reads tensor {name!r} before it is written")
            touch(name, step)
        for name in call.writes:
            touch(name, step)
    _refuse_constant_outputs(program)
    for name in program.graph.outputs:
        if not is_known(name):
            raise GraphError(f"no step writes output {name!r}")
        touch(name, max(len(program.calls), 1) - 1)
    in_arena = (root for root in first if not program.graph.tensors[root].is_variable)
    return {root: Lifetime(first[root], end[root]) for root in in_arena}


def _refuse_constant_outputs(program: KernelGraph) -> None:
    for name in program.graph.outputs:
        if program.graph.tensors[alias_root(program.aliases, name)].is_constant:
            raise UnsupportedError(
                f"output {name!r} is a constant: it depends on no input",
                help="remove it from the model's outputs",
            )


def plan_buffers(program: KernelGraph, *, in_place: bool = True) -> list[Buffer]:
    """Return the buffers that the arena must hold; tensors without elements need none.

    Args:
        program: what runs.
        in_place: whether an output may take the address of an input that dies with the call.
    """
    lifetimes = tensor_lifetimes(program)
    members: dict[str, list[str]] = {root: [root] for root in lifetimes}
    for alias in program.aliases:
        root = alias_root(program.aliases, alias)
        if root in members:
            members[root].append(alias)
    heads = _merge_in_place(program, lifetimes) if in_place else {}
    chains: dict[str, list[str]] = {}
    for root in sorted(lifetimes, key=lambda name: lifetimes[name].first_step):
        chains.setdefault(heads.get(root, root), []).append(root)
    buffers = [_tensor_buffer(program, chain, members, lifetimes) for chain in chains.values()]
    scratch = [
        Buffer((), (Segment(Lifetime(step, step + 1), align(call.scratch_bytes)),), step)
        for step, call in enumerate(program.calls)
    ]
    return [buffer for buffer in buffers + scratch if buffer.size_bytes > 0]


def _tensor_buffer(
    program: KernelGraph,
    chain: list[str],
    members: Mapping[str, list[str]],
    lifetimes: Mapping[str, Lifetime],
) -> Buffer:
    tensors = program.graph.tensors
    segments = tuple(
        Segment(lifetimes[root], align(max(tensors[name].size_bytes for name in members[root])))
        for root in chain
    )
    return Buffer(tuple(name for root in chain for name in members[root]), segments)


def _merge_in_place(program: KernelGraph, lifetimes: Mapping[str, Lifetime]) -> dict[str, str]:
    """Return for each root that is computed in place the first root of its chain."""
    heads: dict[str, str] = {}
    # Outputs keep their memory until the end.
    taken = {alias_root(program.aliases, name) for name in program.graph.outputs}
    for step, call in enumerate(program.calls):
        for output in call.writes:
            root = alias_root(program.aliases, output)
            candidates = [
                donor
                for donor in _donors(program, call, step, root, lifetimes)
                if donor not in taken
            ]
            if not candidates or root in heads:
                continue
            donor = max(candidates, key=lambda name: program.graph.tensors[name].size_bytes)
            taken.add(donor)
            heads[root] = heads.get(donor, donor)
    return heads


def _donors(
    program: KernelGraph,
    call: KernelCall,
    step: int,
    output_root: str,
    lifetimes: Mapping[str, Lifetime],
) -> list[str]:
    """Return roots of inputs whose memory the output may take at this step."""
    if output_root not in lifetimes or lifetimes[output_root].first_step != step:
        return []
    donors = []
    for source, target in call.in_place:
        root = alias_root(program.aliases, source)
        if alias_root(program.aliases, target) != output_root or root not in lifetimes:
            continue
        dies_here = lifetimes[root].end_step == step + 1 and root != output_root
        # The kernel may read the same memory through another argument, in another order.
        safe_readers = {a for a, b in call.in_place if b == target}
        is_shared = any(
            alias_root(program.aliases, name) == root and name not in safe_readers
            for name in call.reads
        )
        if dies_here and not is_shared and root not in donors:
            donors.append(root)
    return donors
