"""Depth-first fusion: chains of calls that run band by band, so that no tensor between them exists.

A band is some rows of the last call's output. Each call of the chain computes, for each band, the
rows that nobody has computed yet; of the rows between them that the next band needs as well, a copy
moves on with it: halos are copied, never computed twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.kernels.kernel_graph import KernelCall, KernelGraph, TensorArgument
from penstock.planning.tiles import input_rows, line_count


@dataclass(frozen=True, slots=True)
class Band:
    """What a chain computes and holds at a time.

    Attributes:
        rows: by step, the rows of its output that are computed; a step without any does not run.
        held: by name, the rows of each inner tensor that are there: computed now, or kept.
    """

    rows: dict[int, range]
    held: dict[str, range]


def inner_tensors(program: KernelGraph, steps: range) -> frozenset[str]:
    """Return the tensors that only calls of a chain read: all outputs but the last call's."""
    return frozenset(program.calls[step].writes[0] for step in steps[:-1])


def tensor_users(program: KernelGraph) -> dict[str, tuple[int, ...]]:
    """Return the steps that read or write each tensor, in order."""
    users: dict[str, list[int]] = {}
    for step, call in enumerate(program.calls):
        for name in dict.fromkeys((*call.reads, *call.writes)):
            users.setdefault(name, []).append(step)
    return {name: tuple(steps) for name, steps in users.items()}


def can_chain(program: KernelGraph, steps: range, users: Mapping[str, Sequence[int]]) -> bool:
    """Return whether consecutive calls can run band by band.

    Each has rows, all that each computes but the last one is read within the chain only, and each
    row of each but the first sees some of its input: otherwise a call might never run.

    Args:
        program: kernel calls.
        steps: of the calls.
        users: of each tensor of the program, as `tensor_users` returns them.
    """
    calls = [program.calls[step] for step in steps]
    if any(line_count(program, call) <= 1 or len(call.writes) != 1 for call in calls):
        return False
    if any(_sees_padding_only(program, call) for call in calls[1:]):
        return False
    inner = inner_tensors(program, steps)
    if any(step not in steps for name in inner for step in users[name]):
        return False
    if inner & {*program.graph.outputs, *program.aliases, *program.aliases.values()}:
        return False
    tensors = program.graph.tensors
    return all(not tensors[n].is_variable for call in calls for n in (*call.reads, *call.writes))


def _sees_padding_only(program: KernelGraph, call: KernelCall) -> bool:
    """Return whether a row at an end of the output sees no row of the input."""
    last = line_count(program, call) - 1
    return not all(input_rows(call, range(line, line + 1)) for line in (0, last))


def plan_bands(program: KernelGraph, steps: range, bands: Sequence[range]) -> list[Band]:
    """Return what a chain computes and holds in each band.

    Args:
        program: that the chain is of.
        steps: the chain, as `can_chain` allows it.
        bands: rows of the last call's output, in order, without gaps.
    """
    inner = inner_tensors(program, steps)
    done = dict.fromkeys(inner, 0)
    computed: list[dict[int, range]] = []
    needed: list[dict[str, range]] = []
    for band in bands:
        rows: dict[int, range] = {}
        need: dict[str, range] = {}
        for step in reversed(steps):
            call = program.calls[step]
            output = call.writes[0]
            if output in inner:
                wanted = need.get(output, range(0))
                rows[step] = range(done[output], max(wanted.stop, done[output]))
                done[output] = rows[step].stop
            else:
                rows[step] = band
            for name in inner.intersection(call.reads) if rows[step] else ():
                need[name] = _union(need.get(name), input_rows(call, rows[step]))
        computed.append(rows)
        needed.append(need)
    return _hold(program, steps, computed, needed)


def _hold(
    program: KernelGraph,
    steps: range,
    computed: Sequence[dict[int, range]],
    needed: Sequence[dict[str, range]],
) -> list[Band]:
    """Add what is held: from the first row that this band or a later one needs.

    Rows before it, which strides pass over, are not computed.
    """
    writers = {program.calls[step].writes[0]: step for step in steps[:-1]}
    first = {name: computed[-1][step].stop for name, step in writers.items()}
    found: list[Band] = []
    for rows, need in zip(reversed(computed), reversed(needed), strict=True):
        for name, wanted in need.items():
            first[name] = min(first[name], wanted.start)
        held = {
            name: range(min(first[name], rows[step].stop), rows[step].stop)
            for name, step in writers.items()
        }
        rows = {
            step: range(max(taken.start, held[name].start), taken.stop) if name in held else taken
            for step, taken in rows.items()
            for name in program.calls[step].writes
        }
        found.append(Band(rows, held))
    return found[::-1]


def line_bytes(program: KernelGraph, call: KernelCall, position: int) -> int:
    """Return the bytes of a row of one of a chained call's tensors."""
    argument = call.arguments[position]
    assert isinstance(argument, TensorArgument)
    shape = program.graph.tensors[argument.tensor].shape
    return program.graph.tensors[argument.tensor].size_bytes // shape[1]


def _union(left: range | None, right: range) -> range:
    if left is None or not left:
        return right
    return range(min(left.start, right.start), max(left.stop, right.stop)) if right else left
