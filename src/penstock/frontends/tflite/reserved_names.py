"""Names that a model must not have in C, because its files or symbols would hide others.

A model called ``string`` would put a ``string.h`` on the include path, in front of the C library's;
one called ``con`` files that Windows cannot make; one called ``m`` a ``libm.a`` and a CMake target
that stands for ``-lm`` from then on.
"""

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const
const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit
export extern false float for friend goto if inline int long main mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast restrict
return short signed sizeof static static_assert static_cast struct switch template this
thread_local throw true try typedef typeid typename typeof union unsigned using virtual void
volatile wchar_t while xor xor_eq
"""
"""Of C and C++."""

_HEADERS = """
aio alloca ar argz arm_acle arm_bf16 arm_cde arm_cmse arm_fp16 arm_mve arm_mve_types arm_neon
assert byteswap complex cpio cpuid crypt ctype devctl dirent dlfcn elf endian envlock envz err errno
error fastmath fcntl features fenv float fmtmsg fnmatch ftw gcov getopt glob grp iconv ieeefp
immintrin inttypes iso646 langinfo libgen libintl limits link locale malloc math memory mm_malloc
mmintrin monetary mqueue nano ndbm netdb newlib nl_types obstack paths poll process pwd reent regdef
regex regexp resolv sched search semaphore setjmp shadow signal spawn stdalign stdarg stdatomic
stdbit stdbool stdc stdckdint stddef stdfix stdint stdio stdio_ext stdlib stdnoreturn string strings
stropts syscall syscalls sysexits syslimits syslog tar termios tgmath threads time uchar
ucontext ulimit unctrl unistd unwind utime utmp utmpx values varargs wait wchar
wctype windows wordexp
"""
"""Of ISO C, POSIX, newlib, glibc, musl, GCC and Clang for Arm, without ``.h``."""

_DEVICES = "aux con nul prn " + " ".join(f"{port}{n}" for port in ("com", "lpt") for n in range(10))
"""Source: Microsoft, "Naming Files, Paths, and Namespaces"."""

_BUILD_TARGETS = """
all all_build clean depend edit_cache help install list_install_components package package_source
preinstall rebuild_cache run_tests test zero_check
"""
"""Of build systems. Source: CMake, policy CMP0037."""

_LIBRARIES = "c c_nano dl g g_nano gcc gcc_eh gcc_s gloss m nosys pthread rdimon rt stdc supc util"
_FUNCTIONS = """
aio atomic cnd fanotify inotify memcmp memcpy memmove memset mtx posix_spawn_file_actions
posix_spawnattr sem svc
"""
"""Of the C library: a model's own are called ``NAME_init``, ``NAME_run``, ``NAME_input`` …"""

_PROJECT_FOLDERS = "firmware kernels"
_RESERVED = frozenset(
    " ".join(
        (_KEYWORDS, _HEADERS, _DEVICES, _BUILD_TARGETS, _LIBRARIES, _FUNCTIONS, _PROJECT_FOLDERS)
    ).split()
)
_RESERVED_FAMILIES = ("ps", "penstock", "pthread", "posix")
"""With everything that continues them with ``_``: ``ps_next`` would have a ``ps_next_run``."""
_HARMLESS_STEM = "model"
"""The C library has a ``penstock/model.h``; what most people call their file shall stay."""


def is_reserved(name: str) -> bool:
    """Return whether something else that a program consists of has this name already."""
    in_family = any(name == root or name.startswith(f"{root}_") for root in _RESERVED_FAMILIES)
    return in_family or name in _RESERVED or name in _runtime_stems()


@cache
def _runtime_stems() -> frozenset[str]:
    """Return the C library's file names: some tools put all objects into one folder."""
    return frozenset(_stems(resources.files("penstock") / "runtime")) - {_HARMLESS_STEM}


def _stems(folder: Traversable) -> list[str]:
    stems: list[str] = []
    for entry in folder.iterdir():
        stem, _, suffix = entry.name.rpartition(".")
        if entry.is_dir():
            stems += _stems(entry)
        elif suffix in ("c", "h"):
            stems.append(stem)
    return stems
