"""Errors that a user meets: each says what, where, found against allowed, and what to do."""

import errno


class PenstockError(Exception):
    """A failure explained to the user; the command line prints it and exits with status 2.

    Attributes:
        what: one sentence saying what is wrong and where, found against allowed.
        help: what the user can do about it; may be empty.
    """

    def __init__(self, what: str, *, help: str = "") -> None:  # noqa: A002 - the user-facing word
        super().__init__(what)
        self.what = what
        self.help = help

    def __str__(self) -> str:
        return f"{self.what}\n  help: {self.help}" if self.help else self.what


class InputError(PenstockError):
    """A file or argument of the user cannot be read or does not fit."""


class ModelFormatError(InputError):
    """A model file is truncated, corrupt, or breaks its own format's rules."""


class UnsupportedError(PenstockError):
    """A valid model uses something that Penstock does not implement."""


class CapacityError(PenstockError):
    """Something does not fit the memory of the chosen board."""


class ToolError(PenstockError):
    """A compiler or an optional package is missing or failed on correct input."""


class SimulationError(PenstockError):
    """The firmware did something illegal on the virtual board."""


class VerificationError(PenstockError):
    """Two implementations that must agree byte for byte do not: a bug of ours (exit status 1)."""


class GraphError(Exception):
    """A graph, plan or kernel graph breaks our own invariants: a bug of ours (exit status 1)."""


_REASONS = {
    errno.EACCES: "permission denied",
    errno.EBUSY: "it is in use, or a mount point",
    errno.EDQUOT: "the disk quota is used up",
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "there is no such file or folder",
    errno.ENOSPC: "the disk is full",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}


def os_reason(error: OSError) -> str:
    """Return why the system refused, as words that finish a sentence of ours."""
    known = _REASONS.get(error.errno or 0)
    return known or (error.strerror or str(error)).lower()
