"""Where an image begins: its vector table, or its entry point, and the stack."""

from dataclasses import dataclass

from penstock.boards.board import MemoryKind
from penstock.errors import InputError, SimulationError
from penstock.simulate.image import Image
from penstock.simulate.memory import BoardMemory

_STACK_ROOM_BYTES = 4096
"""A stack is put only where the image leaves so much below its top."""


@dataclass(frozen=True, slots=True)
class Reset:
    """State of the core after reset.

    Attributes:
        entry: first instruction.
        stack_top: initial stack pointer.
        vectors: address of the vector table; None where the file's entry point was taken.
    """

    entry: int
    stack_top: int
    vectors: int | None


def find_reset(
    image: Image, memory: BoardMemory, vectors: int | None = None, stack_top: int | None = None
) -> Reset:
    """Return where the core starts; the image is in the memory already.

    The vector table is looked for at the start of the board's flash, then at the start of each
    segment; an ELF or HEX file without one starts at its entry point, with a stack of ours.

    Args:
        image: what was loaded.
        memory: the board's memories.
        vectors: the vector table's address; None looks for it.
        stack_top: initial stack pointer; None takes the vector table's, or finds a place.

    Raises:
        InputError: there is no vector table at ``vectors``, or neither table nor entry point.
    """
    table = _find_table(image, memory, vectors)
    if table is not None:
        stack, entry = memory.read_word(table), memory.read_word(table + 4) & ~1
        return Reset(entry, stack if stack_top is None else stack_top, table)
    if vectors is None and image.entry is not None and _is_code(memory, image.entry):
        stack = find_stack(image, memory) if stack_top is None else stack_top
        return Reset(image.entry, stack, None)
    place = _default_place(image, memory) if vectors is None else vectors
    raise InputError(
        f"{image.name} has no vector table for {memory.board.name}: {_describe(memory, place)}",
        help="link it for this board, name another place with --vectors ADDRESS, or call its "
        "functions with --call",
    )


def find_stack(image: Image, memory: BoardMemory) -> int:
    """Return the top of a stack: the end of data TCM, or else of the largest internal RAM.

    Raises:
        InputError: the image leaves no room in any of them.
    """
    regions = [r for r in memory.board.regions if r.is_writable and not r.is_external]
    regions.sort(key=lambda r: (r.kind is not MemoryKind.TCM_DATA, -r.size_bytes))
    for region in regions:
        top = region.base + region.size_bytes
        is_free = all(
            s.address >= top or s.address + len(s.content) <= top - _STACK_ROOM_BYTES
            for s in (*image.firmware.segments, *image.initialized)
        )
        if is_free and region.size_bytes >= _STACK_ROOM_BYTES:
            return top
    raise InputError(
        f"{image.name} leaves no {_STACK_ROOM_BYTES} bytes for a stack at the end of any RAM of "
        f"{memory.board.name}",
        help="say where the stack begins with --stack ADDRESS",
    )


def check_stack(memory: BoardMemory, top: int) -> None:
    """Refuse an initial stack pointer below which are no words of RAM; raises InputError."""
    if not _is_stack(memory, top):
        raise InputError(
            f"--stack is {top:#010x}, where no stack of words can end on {memory.board.name}",
            help="give a multiple of 4 within a RAM or at its end; `penstock boards` lists them",
        )


def _find_table(image: Image, memory: BoardMemory, vectors: int | None) -> int | None:
    segments = [s.address for s in image.firmware.segments]
    flash = [r.base for r in memory.board.regions if r.kind is MemoryKind.FLASH]
    places = [base for base in flash if image.holds(base)] + sorted(segments)
    for place in places if vectors is None else [vectors]:
        if _is_table(memory, place):
            return place
    return None


def _is_table(memory: BoardMemory, place: int) -> bool:
    try:
        stack, entry = memory.read_word(place), memory.read_word(place + 4)
    except SimulationError:
        return False
    return _is_stack(memory, stack) and entry % 2 == 1 and _is_loaded(memory, entry & ~1)


def _is_stack(memory: BoardMemory, top: int) -> bool:
    window = memory.window_at(top - 4)  # a stack pointer may be just behind its memory
    return top % 4 == 0 and window is not None and window.region.is_writable


def _is_loaded(memory: BoardMemory, address: int) -> bool:
    """Return whether there is code; memories that nobody has programmed are zero."""
    return _is_code(memory, address) and any(memory.read(address, 2))


def _is_code(memory: BoardMemory, address: int) -> bool:
    window = memory.window_at(address)
    return window is not None and window.is_executable


def _default_place(image: Image, memory: BoardMemory) -> int:
    flash = [r.base for r in memory.board.regions if r.kind is MemoryKind.FLASH]
    held = [base for base in flash if image.holds(base)]
    return (held or sorted(s.address for s in image.firmware.segments))[0]


def _describe(memory: BoardMemory, place: int) -> str:
    try:
        stack, entry = memory.read_word(place), memory.read_word(place + 4)
    except SimulationError:
        return f"{place:#010x} is in none of its memories"
    return (
        f"found at {place:#010x} are {stack:#010x}, which should be the end of a stack in RAM, and "
        f"{entry:#010x}, which should be the odd address of code that was loaded"
    )
