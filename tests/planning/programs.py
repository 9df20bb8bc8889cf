"""Small kernel programs without kernels: what planning sees of one, made by hand or at random."""

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.operators import Concatenation, Operator
from penstock.ir.tensor import Tensor
from penstock.kernels.kernel_graph import (
    Argument,
    ConstantArgument,
    Kernel,
    KernelCall,
    KernelGraph,
    ScratchArgument,
    TensorArgument,
)

KERNEL = Kernel("ps_copy_s8", "penstock/copy.h", ("kernels/reference/copy_s8.c",))


def call(
    reads: Sequence[str],
    writes: Sequence[str],
    *,
    scratch_bytes: int = 0,
    in_place: Sequence[tuple[str, str]] = (),
    constants: Sequence[str] = (),
) -> KernelCall:
    arguments: list[Argument] = [TensorArgument(name, "int8_t", False) for name in reads]
    arguments += [TensorArgument(name, "int8_t", True) for name in writes]
    arguments += [ConstantArgument(name) for name in constants]
    if scratch_bytes:
        arguments.append(ScratchArgument())
    return KernelCall(
        KERNEL, tuple(arguments), 0, scratch_bytes=scratch_bytes, in_place=tuple(in_place)
    )


def program(
    sizes: Mapping[str, int],
    calls: Sequence[KernelCall],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    aliases: Mapping[str, str] | None = None,
    variables: Sequence[str] = (),
    constants: Mapping[str, int] | None = None,
) -> KernelGraph:
    tensors = [
        Tensor(name, (size,), DType.INT8, is_variable=name in variables)
        for name, size in sizes.items()
    ]
    operators: list[Operator] = [
        Concatenation(operands=tuple(inputs), output=outputs[0], axis=0, source=0)
    ]
    graph = Graph.build("program", tensors, operators, inputs, outputs)
    weights = {name: np.zeros(size, np.int8) for name, size in (constants or {}).items()}
    return KernelGraph(graph, tuple(calls), weights, dict(aliases or {}))


@st.composite
def programs(draw: st.DrawFn) -> KernelGraph:
    """Any legal program: branches, aliases, state, scratch, several outputs, in-place kernels."""
    size = st.sampled_from([0, 1, 15, 16, 17, 48, 100, 160, 1000])
    sizes = {f"in{i}": draw(size) for i in range(draw(st.integers(1, 3)))}
    inputs = tuple(sizes)
    variables = [f"state{i}" for i in range(draw(st.integers(0, 2)))]
    sizes |= {name: draw(size) for name in variables}
    calls: list[KernelCall] = []
    aliases: dict[str, str] = {}
    for step in range(draw(st.integers(1, 12))):
        readable = list(sizes)
        reads = draw(st.lists(st.sampled_from(readable), min_size=1, max_size=3))
        writes, pairs = [], []
        for port in range(draw(st.integers(1, 2))):
            name = f"t{step}_{port}"
            donors = [r for r in dict.fromkeys(reads) if r not in variables]
            if donors and draw(st.booleans()):
                donor = draw(st.sampled_from(donors))
                sizes[name] = draw(st.sampled_from([sizes[donor], sizes[donor] // 2]))
                pairs.append((donor, name))
            else:
                sizes[name] = draw(size)
            writes.append(name)
        written_state = [name for name in variables if name in reads and draw(st.booleans())]
        scratch = draw(st.sampled_from([0, 0, 1, 64, 300]))
        calls.append(call(reads, [*writes, *written_state], scratch_bytes=scratch, in_place=pairs))
        if draw(st.integers(0, 3)) == 0:
            target = draw(st.sampled_from([n for n in sizes if n not in variables]))
            sizes[f"alias{step}"] = sizes[target]
            aliases[f"alias{step}"] = target
    computed = [name for name in sizes if name not in variables]
    outputs = draw(st.lists(st.sampled_from(computed), min_size=1, max_size=3))
    return program(sizes, calls, inputs, outputs, aliases=aliases, variables=variables)
