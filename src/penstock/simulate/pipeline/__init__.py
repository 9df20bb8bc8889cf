"""How long machine code takes on a core: pure functions over bytes, in core cycles.

Memories, caches and branch prediction are the engine's: here every access hits memory without wait
states and every branch is foreseen.
"""

from penstock.simulate.pipeline.core_timing import CoreTiming, PairRule
from penstock.simulate.pipeline.decode import decode_block
from penstock.simulate.pipeline.edges import (
    BranchCost,
    EdgeCost,
    branch_cost,
    edge_cost,
    sequence_cycles,
)
from penstock.simulate.pipeline.instruction import Block, BranchKind, Instruction, Kind
from penstock.simulate.pipeline.load_core import load_core

__all__ = [
    "Block",
    "BranchCost",
    "BranchKind",
    "CoreTiming",
    "EdgeCost",
    "Instruction",
    "Kind",
    "PairRule",
    "branch_cost",
    "decode_block",
    "edge_cost",
    "load_core",
    "sequence_cycles",
]
