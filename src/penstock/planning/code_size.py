"""How much flash the program itself takes: code, parameters and tables, before a compiler has run.

An allowance that is a little too large; the linker knows the real figure.
"""

import numpy as np

from penstock.kernels.kernel_graph import FieldValue, KernelGraph, StructArgument
from penstock.planning.overlays.program import OverlayProgram

_BASE_BYTES = 32 * 1024
"""Start-up code, the harness and the kernels."""
_CALL_BYTES = 128
"""The function of an operator, its name, and the two entries that lead to these. Measured with GCC
12 at -O2 on models of 4,000 operators: 90 to 120."""
_PORT_BYTES = 64
"""An input or an output, with its name and shape."""
_FIELD_BYTES = 4
_COPY_BYTES = 16
_TILE_BYTES = 6
_CELL_BYTES = 4


def code_bytes(program: KernelGraph) -> int:
    """Return the allowance for a program whose operators run as a whole."""
    structs = (a for c in program.calls for a in c.arguments if isinstance(a, StructArgument))
    return _common_bytes(program) + sum(map(_struct_bytes, structs))


def overlaid_code_bytes(program: KernelGraph, overlays: OverlayProgram) -> int:
    """Return the allowance for a program with overlays: tables of tiles and copies besides."""
    structs = {(tile.step, n, s) for tile in overlays.tiles for n, s in tile.params.items()}
    cells = sum(len(tile.addresses) + 1 for tile in overlays.tiles)
    tables = len(overlays.copies) * _COPY_BYTES + len(overlays.tiles) * _TILE_BYTES
    params = sum(_struct_bytes(struct) for _, _, struct in structs)
    return _common_bytes(program) + params + tables + cells * _CELL_BYTES


def _common_bytes(program: KernelGraph) -> int:
    ports = len(program.graph.inputs) + len(program.graph.outputs)
    return _BASE_BYTES + len(program.calls) * _CALL_BYTES + ports * _PORT_BYTES


def _struct_bytes(struct: StructArgument) -> int:
    return sum(_field_bytes(value) for _, value in struct.fields)


def _field_bytes(value: FieldValue) -> int:
    return int(np.size(value)) * _FIELD_BYTES
