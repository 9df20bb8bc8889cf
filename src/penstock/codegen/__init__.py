"""Code generation: an execution plan printed as a C99 project."""

from penstock.codegen.linker_script import emit_linker_script
from penstock.codegen.project import emit_project

__all__ = ["emit_linker_script", "emit_project"]
