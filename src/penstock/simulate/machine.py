"""The processor: Unicorn with native callbacks, run in a thread that can be interrupted."""

import ctypes
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from penstock.boards.board import Core
from penstock.boards.cores import check_simulated, is_timed
from penstock.boards.memories import PAGE_BYTES
from penstock.errors import SimulationError, ToolError
from penstock.extras import install_command, needs_extra
from penstock.simulate.computed_accesses import ComputedAccesses
from penstock.simulate.dma import Dma
from penstock.simulate.firmware import Firmware
from penstock.simulate.memory import BoardMemory
from penstock.simulate.monitor import Monitor, load_native
from penstock.simulate.pipeline import load_core
from penstock.simulate.timing import Timing

UNICORN_VERSION = "2.1.3"
"""The only version accepted: 2.1.4 loads wrong values in IT blocks when hooks are set."""

POLL_SECONDS = 0.1

_HOOK_EXCEPTION, _HOOK_BLOCK, _HOOK_INVALID_ACCESS = 1, 8, 1008
_HOOK_UNDEFINED, _HOOK_READ, _HOOK_WRITE = 16384, 1024, 2048
_HOOKS = {
    "on_block": _HOOK_BLOCK,
    "on_invalid_access": _HOOK_INVALID_ACCESS,
    "on_exception": _HOOK_EXCEPTION,
    "on_undefined": _HOOK_UNDEFINED,
}
"""The monitor's callbacks that every run needs."""

_LOW_REGISTERS = 13
"""r0 to r12."""

_PROTECTION_READ, _PROTECTION_WRITE, _PROTECTION_EXECUTE = 1, 2, 4


def import_unicorn() -> ModuleType:
    """Return the module ``unicorn``.

    Raises:
        ToolError: it is not installed, or its version is one that miscomputes.
    """
    note = "; it is GPL-2.0, and nothing else needs it"
    with needs_extra("the virtual board", "simulate", note):
        import unicorn
    if unicorn.__version__ != UNICORN_VERSION:
        raise ToolError(
            f"the virtual board needs unicorn {UNICORN_VERSION}, found {unicorn.__version__}; "
            "other versions load wrong values in IT blocks or are slower",
            help=f"install it with `{install_command('simulate')}`",
        )
    module: ModuleType = unicorn
    return module


def _processor(unicorn: ModuleType, core: Core) -> Any:
    """Return Unicorn's model of the core, without memory."""
    check_simulated(core.name)
    model = getattr(unicorn.arm_const, f"UC_CPU_ARM_{core.name.upper().replace('-', '_')}")
    processor = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    processor.ctl_set_cpu_model(model)
    # Its own pages of 1 KiB make its translation cache miss more.
    processor.ctl_set_page_size(PAGE_BYTES)
    return processor


def _is_timed(memory: BoardMemory) -> bool:
    """Return whether both the core and all memories have timing."""
    board = memory.board
    return is_timed(board.core.name) and all(region.timing for region in board.regions)


class Machine:
    """A core with memories and callbacks; knows nothing of models."""

    def __init__(
        self,
        firmware: Firmware,
        memory: BoardMemory,
        core: Core,
        *,
        watches_accesses: bool = True,
    ) -> None:
        """Build the processor; it has not run yet.

        Args:
            firmware: whose functions the instructions are counted for.
            memory: mapped at all of its windows.
            core: which processor.
            watches_accesses: whether each access is watched for the alignment faults that
                Unicorn does not raise, for a stack that grows into other memory, and for the
                time that it takes, if the board says how long accesses take; is slower.

        Raises:
            ToolError: Unicorn or a C compiler is missing.
            UnsupportedError: the core can be compiled for only.
        """
        unicorn = import_unicorn()
        from unicorn.unicorn_py3.unicorn import uclib

        self._registers: Any = unicorn.arm_const
        self._engine: ctypes.CDLL = uclib
        self._uc = _processor(unicorn, core)
        self._memory = memory  # the engine holds addresses of its buffers
        self._map(memory)
        self._shorten_lookup()
        self.monitor = Monitor(firmware, memory.registers, uclib)
        self.dma: Dma | None = None
        self.timing = self._attach_timing(core) if watches_accesses and _is_timed(memory) else None
        for callback, kind in _HOOKS.items():
            self._hook(callback, kind)
        if watches_accesses:
            hook = self._hook("on_access", _HOOK_READ | _HOOK_WRITE)
            self.monitor.record.access_hook = hook

    def _attach_timing(self, core: Core) -> Timing:
        memory, slots = self._memory, self.monitor.slot_count
        timing = Timing(memory.board, load_core(core.name), memory, slots, load_native())
        read_write = _PROTECTION_READ | _PROTECTION_WRITE
        for base, host_address in timing.register_pages.items():
            self._uc.mem_map_ptr(base, PAGE_BYTES, read_write, host_address)
        self.monitor.record.clock = timing.clock
        self._computed = ComputedAccesses(memory, timing.block_at)
        self._computed.attach(self.monitor.record, self._find_registers())
        self.dma = Dma(memory.board, memory, timing.record, load_native())
        for base, host_address in self.dma.register_pages.items():
            self._uc.mem_map_ptr(base, PAGE_BYTES, read_write, host_address)
        return timing

    def _find_registers(self) -> int | None:
        """Return where the emulator keeps r0 to r15; it has not run yet."""
        find = load_native().ps_find_registers
        find.restype = ctypes.c_void_p
        found: set[int | None] = set()
        for seed in (0x5EED_0001, 0x0DD0_5EED):  # a copy of the first values would not follow
            for number in range(_LOW_REGISTERS):
                self.set_register(number, seed * (number + 1) & 0xFFFF_FFFF)
            found.add(find(self._uc._uch, ctypes.c_uint32(seed), ctypes.c_uint32(_LOW_REGISTERS)))
        for number in range(_LOW_REGISTERS):
            self.set_register(number, 0)
        return found.pop() if len(found) == 1 else None

    def _shorten_lookup(self) -> bool:
        """Make watched accesses faster, where the emulator is built as expected."""
        try:
            search = self.engine_function("find_memory_mapping_arm")
        except AttributeError:
            return False
        shorten = load_native().ps_shorten_lookup
        return bool(shorten(self._uc._uch, ctypes.c_void_p(search)))

    def _map(self, memory: BoardMemory) -> None:
        """Map the largest first: otherwise Unicorn 2.1.3 gives several the same internal place.

        It then takes stores into one for stores into code of another, which it translates anew.
        """
        for window in sorted(memory.windows, key=lambda w: -w.region.size_bytes):
            protection = _PROTECTION_READ
            protection |= _PROTECTION_WRITE if window.region.is_writable else 0
            protection |= _PROTECTION_EXECUTE if window.is_executable else 0
            self._uc.mem_map_ptr(
                window.base, window.region.size_bytes, protection, window.host_address
            )

    def _hook(self, callback: str, kind: int) -> int:
        """Register one of the monitor's callbacks; begin above end means everywhere."""
        return self._add_hook(self.monitor.callback(callback), self.monitor.record, kind, 1, 0)

    def _add_hook(
        self, callback: int, state: ctypes.Structure, kind: int, begin: int, end: int
    ) -> int:
        handle = ctypes.c_size_t()
        status = self._engine.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.c_void_p(callback),
            ctypes.c_void_p(ctypes.addressof(state)),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status != 0:
            raise SimulationError(f"the emulator refused a callback: status {status}")
        return handle.value

    def watch_reads(self, callback: int, state: ctypes.Structure, addresses: range) -> None:
        """Call a native function before each read of the addresses; the caller keeps ``state``."""
        self._add_hook(callback, state, _HOOK_READ, addresses.start, addresses.stop - 1)

    def engine_function(self, name: str) -> int:
        """Return the address of one of the emulator's own functions, for native callbacks."""
        address = ctypes.cast(getattr(self._engine, name), ctypes.c_void_p).value
        assert address is not None
        return address

    @property
    def pc(self) -> int:
        """Address of the instruction that is next, or that stopped."""
        return int(self._uc.reg_read(self._registers.UC_ARM_REG_PC))

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return int(self._uc.reg_read(self._registers.UC_ARM_REG_SP))

    @property
    def lr(self) -> int:
        """The link register."""
        return int(self._uc.reg_read(self._registers.UC_ARM_REG_LR))

    def register(self, number: int) -> int:
        """Return one of r0 to r12."""
        return int(self._uc.reg_read(self._registers.UC_ARM_REG_R0 + number))

    def set_register(self, number: int, value: int) -> None:
        """Set one of r0 to r12."""
        self._uc.reg_write(self._registers.UC_ARM_REG_R0 + number, value)

    def prepare_call(self, stack_top: int, return_address: int, arguments: Sequence[int]) -> None:
        """Set the registers as a caller does that passes at most four arguments."""
        self._uc.reg_write(self._registers.UC_ARM_REG_SP, stack_top)
        self._uc.reg_write(self._registers.UC_ARM_REG_LR, return_address | 1)
        for number, value in enumerate(arguments):
            self.set_register(number, value)

    def stop_before(self, addresses: Sequence[int]) -> None:
        """From now on stop before the instructions at these addresses, and at no others.

        Blocks end there, so that what is counted ends there too. A run that begins at one of them
        stops at once.
        """
        self.monitor.record.may_compute = 0
        self._uc.ctl_exits_enabled(True)
        self._uc.ctl_set_exits(list(addresses))
        self._uc.ctl_flush_tb()  # blocks that were translated before run past the address

    def reset(self, stack_top: int) -> None:
        """Set the stack pointer as the core does from the vector table."""
        self._uc.reg_write(self._registers.UC_ARM_REG_SP, stack_top)

    def run(
        self, address: int, instruction_limit: int, on_poll: Callable[[], None] | None = None
    ) -> None:
        """Run from an address until something stops the core; the monitor says what.

        The core runs in a thread of its own, so that this one can report progress and take
        Ctrl-C, upon which the core is stopped and the exception goes on.
        """
        self.monitor.prepare(instruction_limit)
        # Not Thread.join: a Ctrl-C within it makes Python 3.11 take a running thread for ended
        # (bpo-45274), and the engine would be freed under the running core.
        stopped = threading.Event()
        threading.Thread(target=self._start, args=(address, stopped), daemon=True).start()
        try:
            is_running = True
            while is_running:
                is_running = not stopped.wait(POLL_SECONDS)
                if on_poll is not None:
                    on_poll()
        except BaseException:
            while not stopped.is_set():
                self.monitor.interrupt()
                stopped.wait(POLL_SECONDS)
            raise

    def _start(self, address: int, stopped: threading.Event) -> None:
        """The status is not looked at: the monitor recorded the reason before."""
        try:
            self.monitor.run(self._uc._uch, address)
            if self.timing is not None:
                self.timing.settle()
        finally:
            stopped.set()

    def close(self) -> None:
        """Release the engine, then the callbacks' memory."""
        self._uc = None
        self.monitor.close()
        if self.dma is not None:
            self.dma.close()
        if self.timing is not None:
            self.timing.close()
