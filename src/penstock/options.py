"""Settings from the environment: the only module that reads ``os.environ``."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where compiled helpers are cached: ``PENSTOCK_CACHE`` or the user's cache folder."""
    if explicit := environ.get("PENSTOCK_CACHE"):
        return Path(explicit)
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "penstock"
    home = environ.get("HOME")
    return Path(home) / ".cache" / "penstock" if home else Path(sys.prefix) / "penstock-cache"


def is_cache_chosen(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the user chose the cache folder by ``PENSTOCK_CACHE``."""
    return bool(environ.get("PENSTOCK_CACHE"))


def preferred_compiler(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return ``PENSTOCK_COMPILER`` (``gcc`` or ``zig``), or None to choose what is installed."""
    return environ.get("PENSTOCK_COMPILER") or None


def search_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return ``PATH``, where compilers are looked for."""
    return environ.get("PATH", os.defpath)


def child_environment(
    overrides: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment of a compiler process: ours, in English, with ``overrides``."""
    return {**environ, "LC_ALL": "C", **overrides}


def shared_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where data sets with a name lie: ``PENSTOCK_SHARED``, or ``shared`` beside us."""
    explicit = environ.get("PENSTOCK_SHARED")
    return Path(explicit) if explicit else Path("..") / "shared"


def process_place(environ: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Return which of the processes that `torchrun` started this is, and how many there are."""
    return int(environ.get("RANK", "0")), int(environ.get("WORLD_SIZE", "1"))
