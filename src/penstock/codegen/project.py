"""Prints an execution plan as a C99 project; decides nothing: same plan, same bytes."""

from functools import cache
from importlib import metadata

import jinja2

from penstock.boards.board import Board
from penstock.boards.copying import dma_controller, driver_channels
from penstock.codegen.dma_files import CORE_SOURCE, dma_files, driver_sources
from penstock.codegen.model_view import (
    StepView,
    constant_views,
    port_views,
    state_views,
    step_views,
)
from penstock.codegen.overlay_view import OverlayView, overlay_view
from penstock.codegen.runtime_files import license_text, runtime_files
from penstock.planning.drawing import draw_arena
from penstock.planning.execution_plan import ALIGNMENT_BYTES, CACHE_LINE_BYTES, ExecutionPlan
from penstock.planning.overlays.program import Block
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
    library, a linker fragment, the plan as text, and a README for whoever integrates it; with
    overlays also what makes their copies.

    Args:
        plan: what to print.
        board: that of the plan: the README says which of its memories must be brought up, and the
            driver of copies is that of its DMA controller.
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
    if plan.overlays is not None:
        files |= dma_files(board)
    return {**files, **runtime}


def _external_memories(plan: ExecutionPlan, board: Board | None) -> list[str]:
    """Return the memories outside the microcontroller that weights and tensors lie in, sorted."""
    if board is None or plan.placement is None:
        return []
    placement = plan.placement
    homes = (placement.weights, placement.arena, placement.far, placement.far_weights)
    images = (placement.weights_image, placement.far_weights_image)
    names = {name for name in (*homes, *images) if name is not None}
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


def _entries(name: str, steps: list[StepView], overlays: OverlayView | None) -> list[str]:
    """Return the function of each step; the first one of a chain runs all of it."""
    entries = [step.function for step in steps]
    for chain in () if overlays is None else overlays.chains:
        for step in chain.steps:
            entries[step] = "run_in_chain"
        entries[chain.steps[0]] = f"{name}_chain_{chain.steps[0]}"
    return entries


def _context(
    plan: ExecutionPlan, board: Board | None, kernel_sources: list[str]
) -> dict[str, object]:
    graph = plan.program.graph
    overlays = None if plan.overlays is None else overlay_view(plan, plan.overlays)
    steps = step_views(plan)
    return {
        "name": graph.name,
        "macro": graph.name.upper(),
        "version": metadata.version("penstock"),
        "plan": plan,
        "alignment": ALIGNMENT_BYTES,
        "block_alignment": _block_alignment(plan),
        "weights_bytes": plan.weights_bytes,
        "arena_bytes": max(plan.arena.size_bytes, ALIGNMENT_BYTES),
        "macs": sum(call.macs for call in plan.program.calls),
        "inputs": port_views(plan, graph.inputs, "INPUT"),
        "outputs": port_views(plan, graph.outputs, "OUTPUT"),
        "states": state_views(plan),
        "steps": steps,
        "entries": _entries(graph.name, steps, overlays),
        "constants": constant_views(plan),
        "overlays": overlays,
        "blocks": () if overlays is None else overlays.blocks,
        "chains": () if overlays is None else overlays.chains,
        "near_packs": () if overlays is None else overlays.packs,
        "far_packs": () if overlays is None else overlays.far_packs,
        "headers": sorted({call.kernel.header for call in plan.program.calls}),
        "kernel_sources": kernel_sources,
        "arena_drawing": draw_arena(plan),
        "external": _external_memories(plan, board),
        "dma_sources": driver_sources(board),
        "core_source": CORE_SOURCE,
        "far_weights_image": None if plan.placement is None else plan.placement.far_weights_image,
        "further_sections": "" if overlays is None else _further_sections(overlays),
        "dma_channels": _channels(plan, board),
        **_weights_sizes(plan),
    }


def _block_alignment(plan: ExecutionPlan) -> str:
    """Return the alignment of what is written: whole cache lines where DMA writes too."""
    if plan.overlays is not None:
        return str(CACHE_LINE_BYTES)
    return f"{plan.program.graph.name.upper()}_ALIGNMENT_BYTES"


def _further_sections(overlays: OverlayView) -> str:
    """Return which sections there are besides, and what changes them, as part of a comment."""
    names = [
        *(name for name, _ in overlays.blocks),
        *(["far_weights"] if overlays.far_packs else []),
    ]
    if not names:
        return ""
    macros = ", ".join(f"..._{name.upper()}_SECTION" for name in names)
    return f"Likewise\n * {macros} for " + ", ".join(f".penstock_{name}" for name in names) + "."


def _weights_sizes(plan: ExecutionPlan) -> dict[str, int]:
    far = 0 if plan.overlays is None else plan.overlays.packs_bytes(Block.FAR_PACKS)
    return {"far_weights_bytes": far, "near_weights_bytes": plan.weights_bytes - far}


def _channels(plan: ExecutionPlan, board: Board | None) -> str:
    """Return for people which DMA channels the copies take; empty where the core copies."""
    controller = None if board is None else dma_controller(board)
    if controller is None or plan.overlays is None or not plan.overlays.channel_count:
        return ""
    first = driver_channels(controller).start
    last = first + plan.overlays.channel_count - 1
    numbers = f"channel {first}" if first == last else f"channels {first} to {last}"
    return f"{numbers} of {controller.name}"
