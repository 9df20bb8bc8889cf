"""A tile as a kernel call of its own, so that it is estimated like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penstock.ir.tensor import Array
from penstock.kernels.kernel_graph import (
    ConstantArgument,
    KernelCall,
    KernelGraph,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.kernels.sparse_filters import END_BYTES
from penstock.planning.estimate.accesses import Access
from penstock.planning.estimate.features import call_features
from penstock.planning.estimate.loop_accesses import call_accesses
from penstock.planning.estimate.weighted import Features
from penstock.planning.overlays.program import Address, TileCall

SCRATCH = "(scratch)"
"""Stands for scratch memory among the names of arrays; no tensor and no constant is called so."""
_Key = tuple[int, tuple[StructArgument, ...], range | None]


@dataclass(frozen=True, slots=True)
class TileWork:
    """What a tile does, wherever its data are.

    Attributes:
        call: of the tile.
        features: how often the parts of the kernel run.
        accesses: what it reads and writes, under the names of `array_names`.
    """

    call: KernelCall
    features: Features
    accesses: tuple[Access, ...]


@dataclass(slots=True)
class TileWorks:
    """Works out what tiles do, once for all tiles that do the same.

    Attributes:
        program: that they are tiles of.
    """

    program: KernelGraph
    _known: dict[_Key, TileWork] = field(default_factory=dict)

    def work(self, tile: TileCall) -> TileWork:
        """Return what a tile does."""
        key = tile.step, tuple(tile.params.values()), tile.filters
        if key not in self._known:
            self._known[key] = self._work_out(tile)
        return self._known[key]

    def _work_out(self, tile: TileCall) -> TileWork:
        whole = self.program.calls[tile.step]
        arguments = tuple(tile.params.get(n, a) for n, a in enumerate(whole.arguments))
        call = replace(whole, arguments=arguments)
        constants = {**self.program.constants, **_own_constants(self.program, whole, tile.filters)}
        program = replace(self.program, constants=constants)
        return TileWork(call, call_features(program, call), call_accesses(program, call))


def _own_constants(
    program: KernelGraph, call: KernelCall, filters: range | None
) -> Mapping[str, Array]:
    """Return what some output channels use of each constant that has something for every one."""
    fields = {
        name: value
        for argument in call.arguments
        if isinstance(argument, StructArgument)
        for name, value in argument.fields
    }
    count = fields.get("output_channels")
    if filters is None or not isinstance(count, int):
        return {}
    arrays = {name: program.constants[name] for name in call.constants}
    own = {
        name: array.reshape(count, -1)[filters.start : filters.stop].reshape(-1)
        for name, array in arrays.items()
        if array.size % count == 0 and array.size > 1
    }
    if call.filter_starts:
        stream = call.constants[0]
        first, last = call.filter_starts[filters.start], call.filter_starts[filters.stop]
        own[stream] = arrays[stream][first : last + END_BYTES]
    return own


def array_names(program: KernelGraph, tile: TileCall) -> dict[str, Address]:
    """Return where the arrays of a tile are, by the names that its accesses have."""
    found: dict[str, Address] = {}
    for position, argument in enumerate(program.calls[tile.step].arguments):
        if position not in tile.addresses:
            continue
        if isinstance(argument, TensorArgument):
            name = program.aliases.get(argument.tensor, argument.tensor)
            found[name] = tile.addresses[position]
        elif isinstance(argument, ConstantArgument) and argument.constant is not None:
            found[argument.constant] = tile.addresses[position]
        elif isinstance(argument, ScratchArgument):
            found[SCRATCH] = tile.addresses[position]
    return found
