"""Models with overlays as C on this computer, several in one library."""

from collections.abc import Sequence
from pathlib import Path

from penstock.codegen import emit_project
from penstock.codegen.project_files import write_project
from penstock.codegen.runtime_files import runtime_directory
from penstock.planning import ExecutionPlan
from penstock.toolchain import WARNING_FLAGS, cached_shared_library, compile_shared_library
from tests.kernels.driver import all_sources, include_directory

DMA = Path(str(runtime_directory())) / "ports" / "dma"
HOSTILE = DMA / "hostile" / "ps_dma.c"
MEMCPY = DMA / "memcpy" / "ps_dma.c"


def build_host(plans: Sequence[ExecutionPlan], folder: Path, double: Path = HOSTILE) -> Path:
    """Compile models of different names into one library; returns its path.

    Args:
        plans: with overlays.
        folder: for the C and the library.
        double: what stands for the DMA controller.
    """
    sources = [double]
    for plan in plans:
        name = plan.program.graph.name
        write_project(emit_project(plan), folder / name)
        sources += [folder / name / f"{name}.c", folder / name / f"{name}_weights.c"]
    sources.append(folder / plans[0].program.graph.name / "src" / "overlay.c")
    # Kernels are compiled once for all tests.
    kernels = cached_shared_library("test-kernels", all_sources(), [include_directory()])
    projects = [folder / plan.program.graph.name for plan in plans]
    return compile_shared_library(
        sources,
        folder / "models.so",
        [*projects, DMA],
        flags=[*WARNING_FLAGS, "-O0", f"-Wl,--no-as-needed,{kernels}"],
    )
