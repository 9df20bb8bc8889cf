"""Compilers: finding them, running them, loading what they made. The only room with processes."""

from penstock.toolchain.build import (
    STANDARD_FLAGS,
    WARNING_FLAGS,
    compile_objects,
    compile_shared_library,
    link_firmware,
)
from penstock.toolchain.cache import cached_shared_library
from penstock.toolchain.compilers import (
    Compiler,
    CompilerFamily,
    find_host_compiler,
    find_target_compiler,
)
from penstock.toolchain.host_model import HostModel, HostTensor

__all__ = [
    "STANDARD_FLAGS",
    "WARNING_FLAGS",
    "Compiler",
    "CompilerFamily",
    "HostModel",
    "HostTensor",
    "cached_shared_library",
    "compile_objects",
    "compile_shared_library",
    "find_host_compiler",
    "find_target_compiler",
    "link_firmware",
]
