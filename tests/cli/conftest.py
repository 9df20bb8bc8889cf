"""A trained network and its data, in files, that several tests compress."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import nn


@pytest.fixture(scope="session")
def trained() -> "nn.Module":
    """A network that knows three kinds of images; skips the test where torch is missing."""
    from tests.cli.compressing import trained_network

    return trained_network()


@pytest.fixture(scope="session")
def trained_files(tmp_path_factory: pytest.TempPathFactory, trained: "nn.Module") -> Path:
    """A folder with that network, some others, and the images."""
    from tests.cli.compressing import write_networks_and_data

    folder = tmp_path_factory.mktemp("trained")
    write_networks_and_data(trained, folder)
    return folder


@pytest.fixture
def among_trained_files(trained_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained_files)
