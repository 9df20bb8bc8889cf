"""Emits the linker script of the firmware for a board: sections to memory regions."""

from penstock.boards.board import Board, MemoryRegion
from penstock.boards.cores import core_facts
from penstock.errors import InputError
from penstock.planning.execution_plan import CACHE_LINE_BYTES, Placement
from penstock.planning.placement import STACK_BYTES

_STATIC_DATA_BYTES = 1024
DEFAULT_STACK_BYTES = STACK_BYTES - _STATIC_DATA_BYTES
"""The stack's share of what planning keeps for stack and static data."""

_DEVICE_SPACE = range(0xA000_0000, 0xE000_0000)
"""Addresses that an ARMv7-M core treats as device memory unless its MPU says otherwise."""


def emit_linker_script(
    board: Board, placement: Placement, *, stack_bytes: int = DEFAULT_STACK_BYTES
) -> str:
    """Return the script for GNU ld and lld.

    The script defines what ``runtime/ports/cortex_m`` reads: ``ps_stack_limit``, ``ps_stack_top``,
    and the tables of memory to copy, to clear, and to declare as normal memory.

    Args:
        board: whose regions the placement names.
        placement: regions of code, weights, arena and stack.
        stack_bytes: extent of the stack, a multiple of 8.

    Raises:
        InputError: a region is unknown, code is not in flash, RAM is asked for in flash, or the
            MPU cannot declare a region that needs it.
    """
    code = _region(board, placement.code, "code")
    weights = _region(board, placement.weights, "weights")
    arena = _region(board, placement.arena, "arena")
    stack = _region(board, placement.stack, "stack")
    image = _region(board, placement.copied_from, "the weights' image")
    _check_kinds(code, {"arena": arena, "stack": stack})
    tight = _optional(board, placement.tight, "tight slots")
    far = _optional(board, placement.far, "far tensors")
    far_weights = _optional(board, placement.far_weights, "far weights")
    used = [r for r in (weights, arena, stack, tight, far, far_weights) if r is not None]
    return _TEMPLATE.format(
        title=board.title,
        regions="\n".join(_memory_line(region) for region in board.regions),
        code=code.name,
        weights=weights.name,
        weights_load=f" AT > {image.name}" if weights.is_writable else "",
        arena=arena.name,
        stack=stack.name,
        stack_bytes=f"{stack_bytes:#x}",
        line=CACHE_LINE_BYTES,
        far_sections=_far_sections(board, placement, tight, far, far_weights),
        copy_table=_copy_table(weights, far_weights),
        mpu_table=_mpu_table({r.name: r for r in used}, board.core.name),
    )


def _region(board: Board, name: str, what: str) -> MemoryRegion:
    try:
        return board.region(name)
    except KeyError:
        raise InputError(
            f"board '{board.name}' has no memory '{name}' for {what}; its memories are "
            + ", ".join(region.name for region in board.regions)
        ) from None


def _optional(board: Board, name: str | None, what: str) -> MemoryRegion | None:
    return None if name is None else _region(board, name, what)


def _far_sections(
    board: Board,
    placement: Placement,
    tight: MemoryRegion | None,
    far: MemoryRegion | None,
    far_weights: MemoryRegion | None,
) -> str:
    sections = []
    if far_weights is not None:
        image = _optional(board, placement.far_weights_image, "the far weights' image")
        load = "" if image is None else f" AT > {image.name}"
        sections.append(
            _SECTION.format(name="far_weights", kind="", line=CACHE_LINE_BYTES, end=". = ALIGN(4);")
            + f" > {far_weights.name}{load}"
        )
    for name, region in (("tight", tight), ("far", far)):
        if region is not None:
            section = _SECTION.format(name=name, kind=" (NOLOAD)", line=CACHE_LINE_BYTES, end="")
            sections.append(f"{section} > {region.name}")
    return "\n\n".join(sections)


def _check_kinds(code: MemoryRegion, written: dict[str, MemoryRegion]) -> None:
    for what, region in written.items():
        if not region.is_writable:
            raise InputError(f"the {what} cannot be placed in '{region.name}': it is read-only")
    if code.is_writable:
        raise InputError(
            f"code cannot be placed in '{code.name}': it is empty at reset",
            help="place code in flash",
        )


def _memory_line(region: MemoryRegion) -> str:
    access = "rwx" if region.is_writable else "rx"
    return (
        f"  {region.name} ({access}) : "
        f"ORIGIN = {region.base:#010x}, LENGTH = {region.size_bytes:#x}"
    )


def _copy_table(weights: MemoryRegion, far_weights: MemoryRegion | None) -> str:
    sections = [".data", *([".penstock_weights"] if weights.is_writable else [])]
    if far_weights is not None and far_weights.is_writable:
        sections.append(".penstock_far_weights")
    lines = [f"    ps_copy_count = .; LONG({len(sections)})", "    ps_copy_table = .;"]
    lines += [f"    LONG(LOADADDR({s})) LONG(ADDR({s})) LONG(SIZEOF({s}))" for s in sections]
    return "\n".join(lines)


def _mpu_table(used: dict[str, MemoryRegion], core: str) -> str:
    regions = [r for r in used.values() if r.is_writable and r.base in _DEVICE_SPACE]
    if regions and not core_facts(core).has_armv7m_mpu:
        raise InputError(
            f"memory '{regions[0].name}' at {regions[0].base:#010x} must be declared as normal "
            f"memory, found a {core}; the start-up code knows the MPU of ARMv7-M cores only",
            help="place arena, state and stack in memory outside 0xA0000000 to 0xDFFFFFFF",
        )
    lines = [f"    ps_mpu_count = .; LONG({len(regions)})", "    ps_mpu_table = .;"]
    lines += [f"    LONG({r.base:#x}) LONG({_mpu_size_log2(r)})" for r in regions]
    return "\n".join(lines)


def _mpu_size_log2(region: MemoryRegion) -> int:
    """Return the size as the MPU says it; what it cannot say would stay device memory."""
    size_log2 = region.size_bytes.bit_length() - 1
    largest = 1 << size_log2
    remedy = "place arena, state and stack in another memory, or correct the board file: "
    if region.size_bytes != largest:
        raise InputError(
            f"memory '{region.name}' has {region.size_bytes} bytes; at {region.base:#010x} the MPU "
            "must declare it as normal memory, which it does for powers of two only",
            help=f"{remedy}size_bytes = {largest} is the most that can be used",
        )
    if region.base % region.size_bytes != 0:
        raise InputError(
            f"memory '{region.name}' begins at {region.base:#010x}; the MPU must declare it as "
            f"normal memory, which it does only from multiples of its size, {region.size_bytes}",
            help=f"{remedy}split the memory into parts that begin at multiples of their sizes",
        )
    return size_log2


_SECTION = """\
  .penstock_{name}{kind} : ALIGN({line})
  {{
    *(.penstock_{name} .penstock_{name}.*)
    {end}
  }}"""

_TEMPLATE = """\
/* Memory of {title}. */
ENTRY(Reset_Handler)

MEMORY
{{
{regions}
}}

SECTIONS
{{
  .vectors : {{ KEEP(*(.vectors)) }} > {code}

  .text :
  {{
    *(.text .text.*)
    *(.rodata .rodata.*)
    . = ALIGN(4);
{copy_table}
    ps_zero_count = .; LONG(1)
    ps_zero_table = .;
    LONG(ADDR(.bss)) LONG(SIZEOF(.bss))
{mpu_table}
  }} > {code}

  /* The stack grows down from the lowest addresses of its memory: what overflows leaves the
     memory map and faults, instead of overwriting data that happens to lie below. */
  .stack (NOLOAD) :
  {{
    ps_stack_limit = .;
    . = . + {stack_bytes};
    . = ALIGN(8);
    ps_stack_top = .;
  }} > {stack}

  .data : ALIGN(8)
  {{
    *(.data .data.*)
    . = ALIGN(4);
  }} > {stack} AT > {code}

  .bss (NOLOAD) : ALIGN(8)
  {{
    *(.bss .bss.* COMMON)
    . = ALIGN(4);
  }} > {stack}

  .penstock_weights : ALIGN({line})
  {{
    *(.penstock_weights .penstock_weights.*)
    . = ALIGN(4);
  }} > {weights}{weights_load}

  .penstock_state (NOLOAD) : ALIGN({line})
  {{
    *(.penstock_state .penstock_state.*)
  }} > {arena}

  .penstock_arena (NOLOAD) : ALIGN({line})
  {{
    *(.penstock_arena .penstock_arena.*)
  }} > {arena}

{far_sections}

  /DISCARD/ :
  {{
    *(.ARM.exidx .ARM.exidx.* .ARM.extab .ARM.extab.* .eh_frame .eh_frame.*)
    *(.comment .note .note.*)
    /* Of zig's run-time library, a megabyte that names the folder that zig is installed in. */
    *compiler_rt*(.debug_*)
  }}
}}
"""
