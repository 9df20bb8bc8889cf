"""The arrays of the other kernels, from the parameters of a call."""

import math
from dataclasses import replace

from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import ConstantArgument, TensorArgument
from penstock.planning.estimate.access_parts import (
    LINE_BYTES,
    WORD_BYTES,
    element_bytes,
    output,
    parameters,
    repeated,
    window_hops,
    window_input,
    with_turns,
)
from penstock.planning.estimate.accesses import Access, Role, Sweep, forward, streamed
from penstock.planning.estimate.call_view import CallView
from penstock.planning.estimate.elementary import adding as adding_features
from penstock.planning.estimate.elementary import near_elements, strided_copy
from penstock.planning.estimate.windows import count_patches, window_axis


def pool_2d(view: CallView) -> list[Access]:
    """Return the arrays of a pooling, each channel of which slides its own window."""
    return _pool_2d(view, 1)


def pool_2d_by_fours(view: CallView) -> list[Access]:
    """Return the same where four channels are read as a word."""
    return _pool_2d(view, WORD_BYTES)


def _pool_2d(view: CallView, block: int) -> list[Access]:
    patches = count_patches(window_axis(view, "height", "top"), window_axis(view, "width", "left"))
    images, channels = view.number("batches"), view.number("channels")
    visits, blocks = images * patches.pixels, channels // block
    source = window_input(view, patches, visits, 1, images * patches.taps * blocks)
    source = replace(source, hops=window_hops(view, patches, 1))
    source = with_turns(source, patches.taps / patches.pixels, blocks, block)
    if block > 1:
        # What a block leaves of a line, the next ones take: they do not crowd in a few sets.
        *others, turns = source.sweeps
        source = replace(source, sweeps=(*others, replace(turns, is_joined=True)))
    return [
        parameters(view, visits),
        replace(source, element_bytes=block * source.element_bytes),
        output(view, visits, channels),
    ]


def mean(view: CallView) -> list[Access]:
    """Return the arrays of an average: outputs walk over inputs whose lines neighbours share."""
    outputs = math.prod(view.numbers("kept_extents"))
    reduced = math.prod(view.numbers("reduced_extents"))
    step = abs(view.numbers("reduced_strides")[-1]) * element_bytes(view)
    size = element_bytes(view)
    fresh = min(1.0, size / LINE_BYTES) if step >= LINE_BYTES else 1.0
    sweeps = (
        Sweep(reduced * fresh, size, step, None),
        Sweep(reduced * (1 - fresh), size, step, 1),
    )
    reads = outputs * reduced
    return [
        parameters(view, outputs),
        Access(Role.ARENA, outputs, sweeps, reads, element_bytes=size, hops=forward(step)),
        output(view, 1, outputs),
    ]


def svdf(view: CallView) -> list[Access]:
    """Return the arrays of an SVDF.

    Each filter goes over the whole input; its history moves on by an element, and is used then.
    """
    batches, depth = view.number("batches"), view.number("input_channels")
    units = view.number("units")
    filters, memory = units * view.number("rank"), view.number("memory")
    size = 2 if "state_s16" in view.call.kernel.name else 1
    history = filters * memory
    moved = batches * history
    state = streamed(Role.ARENA, history * size, 2 * moved, size, writes=moved)
    return [
        parameters(view, batches),
        repeated(Role.WEIGHTS, batches, filters * depth + history, 1, 1),
        repeated(Role.ARENA, batches, depth, filters, 1),
        state,
        output(view, batches, units),
    ]


def softmax(view: CallView) -> list[Access]:
    """Return the arrays of a softmax.

    Each row is read for its maximum, its sum and its results; the last two use the table.
    """
    return [
        replace(access, reads=(2 if access.role is Role.WEIGHTS else 3) * access.reads)
        if access.role is not Role.CODE
        else access
        for access in once(view)
    ]


def movement(view: CallView) -> list[Access]:
    """Return the arrays of a copy: adjacent elements go in words, others byte by byte."""
    if "element_bytes" not in view.fields:  # a table walks over its elements
        return once(view)
    width = 1 if "element" in strided_copy(view) else WORD_BYTES

    def moved(count: int, element_bytes: int) -> int:
        return -(-count * element_bytes // width)

    return [
        replace(
            access,
            reads=moved(access.reads, access.element_bytes),
            writes=moved(access.writes, access.element_bytes),
            element_bytes=width,
            hops=forward(width),
        )
        for access in once(view)
    ]


def once(view: CallView) -> list[Access]:
    """Return the arrays of a kernel that goes over its operands once."""
    found = [parameters(view, 1)]
    outputs = (view.program.graph.tensors[name].element_count for name in view.call.writes)
    elements = max(outputs, default=0)
    walked = math.prod(view.numbers("extents")) if "extents" in view.fields else elements
    if "table_size" in view.fields:
        elements = near_elements(view)
    for argument in view.call.arguments:
        if isinstance(argument, TensorArgument):
            tensor = view.program.graph.tensors[argument.tensor]
            count, element = min(tensor.element_count, walked), tensor.dtype.size_bytes
            reads, writes = (0, count) if argument.is_written else (count, 0)
            side = "output" if argument.is_written else "input"
            used = min(tensor.size_bytes, count * element * _last_stride(view, side))
            found.append(streamed(Role.ARENA, used, reads, element, writes=writes))
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            array = view.program.constants[argument.constant]
            found.append(_table(array, elements))
    return found


def adding(view: CallView) -> list[Access]:
    """Return the arrays of a sum for the DSP extension: four adjacent elements are a word."""
    found = once(view)
    features = adding_features(view)
    if not features.get("four", 0) + features.get("alike_four", 0):
        return found
    return [
        access
        if access.role is not Role.ARENA
        else replace(
            access,
            reads=-(-access.reads // WORD_BYTES),
            writes=-(-access.writes // WORD_BYTES),
            element_bytes=WORD_BYTES,
            hops=forward(WORD_BYTES),
        )
        for access in found
    ]


def _last_stride(view: CallView, side: str) -> int:
    """Return how far elements that follow one another are apart, where the call says so."""
    if f"{side}_strides" not in view.fields:
        return 1
    return max(abs(view.numbers(f"{side}_strides")[-1]), 1)


def _table(array: Array, elements: int) -> Access:
    """Return a constant that elements look into: no more of it than there are elements."""
    touched = Sweep(elements, array.itemsize, 2 * LINE_BYTES, None)
    whole = Sweep(1, array.nbytes, array.nbytes, None)
    sweep = touched if elements * LINE_BYTES < array.nbytes else whole
    return Access(Role.WEIGHTS, 1, (sweep,), elements, element_bytes=array.itemsize)
