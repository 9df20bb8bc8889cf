"""Where training stands, on disk: an interruption loses one epoch at most."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from penstock.design.data.sets import Samples
from penstock.errors import InputError, os_reason

State = dict[str, Any]
_KEPT_DIGITS = 16


def digest(network: nn.Module) -> str:
    """Return what tells a network's weights from others."""
    whole = hashlib.sha256()
    for name, value in network.state_dict().items():
        whole.update(f"{name}{tuple(value.shape)}".encode())
        whole.update(value.detach().numpy().tobytes())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that says where one training stands; its name says which training.

    Attributes:
        path: of the file.
    """

    path: Path

    @staticmethod
    def of(
        folder: Path, label: str, network: nn.Module, data: Samples, *how: object
    ) -> "Checkpoint":
        """Return the checkpoint of a training that starts with these weights and data.

        Args:
            folder: where checkpoints are kept.
            label: for people, start of the file's name.
            network: as it is before training.
            data: training samples.
            how: whatever else decides the result; its text tells trainings apart.
        """
        whole = hashlib.sha256(repr((how, digest(network))).encode())
        whole.update(np.ascontiguousarray(data.values).data)
        whole.update(np.ascontiguousarray(data.labels).data)
        return Checkpoint(folder / f"{label}-{whole.hexdigest()[:_KEPT_DIGITS]}.pt")

    def load(self) -> State | None:
        """Return what was saved; None where nothing was.

        Raises:
            InputError: the file is damaged.
        """
        if not self.path.is_file():
            return None
        try:
            state: State = torch.load(self.path, weights_only=True)
        except Exception as error:  # torch raises whatever its readers of archives do
            raise InputError(
                f"{str(self.path)!r} is no readable checkpoint", help="delete it to start over"
            ) from error
        return state

    def save(self, state: State) -> None:
        """Write a state, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        temporary: Path | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".checkpoint.")
            temporary = Path(name)
            with os.fdopen(handle, "wb") as stream:
                torch.save(state, stream)
            temporary.replace(self.path)
        except OSError as error:
            raise InputError(
                f"cannot write {str(self.path)!r}: {os_reason(error)}",
                help="what was there is as it was; name a folder with room by --work",
            ) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
