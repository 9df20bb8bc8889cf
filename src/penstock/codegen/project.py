"""Prints an execution plan as a C99 project; decides nothing: same plan, same bytes."""

from functools import cache
from importlib import metadata

import jinja2

from penstock.boards.board import Board
from penstock.codegen.model_view import constant_views, port_views, state_views, step_views
from penstock.codegen.overlay_view import overlay_view
from penstock.codegen.runtime_files import license_text, runtime_files
from penstock.planning.drawing import draw_arena
from penstock.planning.execution_plan import ALIGNMENT_BYTES, ExecutionPlan
from penstock.planning.text import format_plan
from penstock.units import format_bytes, format_count

OVERLAY_SOURCE = "src/overlay.c"
_TEMPLATES = {
    "{name}.h": "model.h.j2",
    "{name}.c": "model.c.j2",
    "{name}_weights.h": "weights.h.j2",
    "{name}_weights.c": "weights.c.j2",
    "{name}_harness.c": "harness.c.j2",
    "{name}.ld": "fragment.ld.j2",
    "CMakeLists.txt": "CMakeLists.txt.j2",
    "README.md": "README.md.j2",
}


def emit_project(plan: ExecutionPlan, board: Board | None = None) -> dict[str, bytes]:
    """Return the files of a stand-alone C project by their relative path.

    The project holds the model, its weights, the kernels that it uses and no others, a CMake
    library, a linker fragment, the plan as text, and a README for whoever integrates it.

    Args:
        plan: what to print.
        board: that of the plan; the README says which of its memories must be brought up.
    """
    kernels = [call.kernel for call in plan.program.calls]
    runtime = runtime_files(
        [
            *(source for kernel in kernels for source in kernel.sources),
            *([OVERLAY_SOURCE] if plan.overlays is not None else []),
        ],
        [kernel.header for kernel in kernels],
    )
    context = _context(plan, board, sorted(path for path in runtime if path.endswith(".c")))
    environment = _environment()
    name = plan.program.graph.name
    files = {
        path.format(name=name): environment.get_template(template).render(context).encode()
        for path, template in _TEMPLATES.items()
    }
    files["plan.txt"] = format_plan(plan).encode()
    files["LICENSE"] = license_text().encode()
    return {**files, **runtime}


def _external_memories(plan: ExecutionPlan, board: Board | None) -> list[str]:
    """Return the memories outside the microcontroller that weights and tensors lie in, sorted."""
    if board is None or plan.placement is None:
        return []
    placement = plan.placement
    homes = {placement.weights, placement.arena, placement.far, placement.far_weights}
    names = {name for name in homes if name is not None}
    return sorted(name for name in names if board.region(name).is_external)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("penstock.codegen"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - C, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["bytes"] = format_bytes
    environment.filters["code"] = "`{}`".format
    environment.filters["count"] = format_count
    return environment


def _context(
    plan: ExecutionPlan, board: Board | None, kernel_sources: list[str]
) -> dict[str, object]:
    graph = plan.program.graph
    overlays = None if plan.overlays is None else overlay_view(plan, plan.overlays)
    return {
        "name": graph.name,
        "macro": graph.name.upper(),
        "version": metadata.version("penstock"),
        "plan": plan,
        "alignment": ALIGNMENT_BYTES,
        "weights_bytes": plan.weights_bytes,
        "arena_bytes": max(plan.arena.size_bytes, ALIGNMENT_BYTES),
        "macs": sum(call.macs for call in plan.program.calls),
        "inputs": port_views(plan, graph.inputs, "INPUT"),
        "outputs": port_views(plan, graph.outputs, "OUTPUT"),
        "states": state_views(plan),
        "steps": step_views(plan),
        "constants": constant_views(plan),
        "overlays": overlays,
        "blocks": () if overlays is None else overlays.blocks,
        "near_packs": () if overlays is None else overlays.packs,
        "far_packs": () if overlays is None else overlays.far_packs,
        "headers": sorted({call.kernel.header for call in plan.program.calls}),
        "kernel_sources": kernel_sources,
        "arena_drawing": draw_arena(plan),
        "external": _external_memories(plan, board),
    }
