"""Runs a kernel graph by calling the C functions one by one, without any generated code."""

import ctypes
import functools
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from penstock.ir.interpreter import initial_state
from penstock.ir.tensor import Array
from penstock.kernels.catalogue import CATALOGUE
from penstock.kernels.kernel_graph import (
    Argument,
    ConstantArgument,
    FieldValue,
    KernelCall,
    KernelGraph,
    ScratchArgument,
    StructArgument,
    TensorArgument,
)
from penstock.toolchain import cached_shared_library

GUARD_BYTES = 64
GUARD = 0xA5


def runtime_directory() -> Path:
    return Path(str(resources.files("penstock") / "runtime"))


def all_sources() -> list[Path]:
    names = {source for entry in CATALOGUE.values() for source in entry.kernel.sources}
    return [runtime_directory() / name for name in sorted(names)]


def include_directory() -> Path:
    return runtime_directory() / "include"


@functools.cache
def load_library() -> ctypes.CDLL:
    """Return every kernel of the catalogue in one library for this machine.

    PENSTOCK_TEST_KERNELS names another one to take, built with sanitizers.
    """
    explicit = os.environ.get("PENSTOCK_TEST_KERNELS")
    path = explicit or cached_shared_library("test-kernels", all_sources(), [include_directory()])
    return ctypes.CDLL(str(path))


class Memory:
    """Bytes between guards that must stay as they are, 16-byte aligned."""

    def __init__(self, size_bytes: int, guard_bytes: int = GUARD_BYTES) -> None:
        # Without guards a block of its own, so that AddressSanitizer sees its ends.
        spare = 2 * guard_bytes + 16 if guard_bytes else 0
        self._block = np.full(size_bytes + spare, GUARD, np.uint8)
        self._start = guard_bytes + -(self._block.ctypes.data + guard_bytes) % 16 if spare else 0
        self._end = self._start + size_bytes

    @property
    def address(self) -> int:
        return int(self._block.ctypes.data) + self._start

    @property
    def bytes(self) -> Array:
        return self._block[self._start : self._end]

    def is_intact(self) -> bool:
        outside = (self._block[: self._start], self._block[self._end :])
        return all((part == GUARD).all() for part in outside)


def pack_struct(fields: Sequence[tuple[str, FieldValue]]) -> Array:
    """Pack a structure of parameters: every member is an int32, a float, or an array of int32."""
    words: list[bytes] = []
    for _, value in fields:
        if isinstance(value, float):
            words.append(np.float32(value).tobytes())
        else:
            words.append(np.array(value, np.int32).tobytes())
    return np.frombuffer(b"".join(words), np.uint8).copy()


def call_function(name: str, addresses: Sequence[int | None]) -> None:
    function = getattr(load_library(), name)
    function.restype = None
    function(*(ctypes.c_void_p(address) for address in addresses))


class Program:
    """A kernel graph with memory of its own for each tensor."""

    def __init__(self, program: KernelGraph, guard_bytes: int = GUARD_BYTES) -> None:
        self.program = program
        self.graph = program.graph
        self.constants = {name: np.ascontiguousarray(a) for name, a in program.constants.items()}
        self.memory: dict[str, Memory] = {}
        state = initial_state(self.graph)
        for name, tensor in self.graph.tensors.items():
            if not tensor.is_constant and name not in program.aliases:
                self.memory[name] = Memory(tensor.size_bytes, guard_bytes)
                if name in state:
                    self.write(name, state[name])

    def root(self, name: str) -> str:
        while name in self.program.aliases:
            name = self.program.aliases[name]
        return name

    def write(self, name: str, value: Array) -> None:
        self.memory[self.root(name)].bytes[:] = np.ascontiguousarray(value).view(np.uint8).ravel()

    def read(self, name: str) -> Array:
        tensor = self.graph.tensors[name]
        content = self.memory[self.root(name)].bytes.copy()
        return content.view(tensor.dtype.numpy).reshape(tensor.shape)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self.trace(dict(zip(self.graph.inputs, inputs, strict=True)))
        return [self.read(name) for name in self.graph.outputs]

    def trace(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run all calls; return every computed tensor, aliases included."""
        for name, value in inputs.items():
            self.write(name, value)
        for call in self.program.calls:
            self.execute(call)
        names = [*self.memory, *self.program.aliases]
        return {name: self.read(name) for name in names}

    def execute(self, call: KernelCall) -> None:
        keep_alive: list[Array] = []
        addresses = [self._address(argument, call, keep_alive) for argument in call.arguments]
        call_function(call.kernel.name, addresses)
        for name, memory in self.memory.items():
            assert memory.is_intact(), f"{call.kernel.name} wrote outside {name!r}"

    def _address(self, argument: Argument, call: KernelCall, keep_alive: list[Array]) -> int | None:
        if isinstance(argument, TensorArgument):
            return self.memory[self.root(argument.tensor)].address
        if isinstance(argument, ConstantArgument):
            name = argument.constant
            return None if name is None else self.constants[name].ctypes.data
        if isinstance(argument, StructArgument):
            keep_alive.append(pack_struct(argument.fields))
        else:
            assert isinstance(argument, ScratchArgument)
            keep_alive.append(np.empty(call.scratch_bytes, np.uint8))
        return keep_alive[-1].ctypes.data
