"""Two processes train one network, as `torchrun` starts them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock.design.learning.engine import train  # noqa: E402
from penstock.design.learning.processes import ALONE, Processes, join_processes  # noqa: E402
from tests.design.test_training import network, training  # noqa: E402

ROOT = Path(__file__).parents[2]
COUNT = 2


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, torch.Tensor]]]:
    """What each process had at the end."""
    folder = tmp_path_factory.mktemp("processes")
    shared = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(COUNT),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.design.training_in_processes", str(folder)]
    started = [
        subprocess.Popen(
            command, env={**shared, "RANK": str(rank)}, cwd=ROOT, stderr=subprocess.PIPE
        )
        for rank in range(COUNT)
    ]
    try:
        for process in started:
            _, complaint = process.communicate(timeout=120)
            assert process.returncode == 0, complaint.decode()
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert not (folder / "work1").exists()  # the first process keeps checkpoints
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(COUNT)]


def test_two_give_about_the_weights_of_one(
    states: list[dict[str, dict[str, torch.Tensor]]],
) -> None:
    alone = network(normalized=False)
    train(alone, training())
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(states[0]["plain"][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["plain", "normalized", "resumed"])
def test_both_have_the_same_bits(
    states: list[dict[str, dict[str, torch.Tensor]]], name: str
) -> None:
    """Statistics of normalization, too: the next stage starts from them."""
    for first, second in zip(states[0][name].values(), states[1][name].values(), strict=True):
        assert torch.equal(first, second)


def test_both_go_on_where_the_first_one_was(
    states: list[dict[str, dict[str, torch.Tensor]]],
) -> None:
    """With the first one's checkpoint, which the other cannot see; to the last bit."""
    for name, value in states[0]["normalized"].items():
        assert torch.equal(states[0]["resumed"][name], value)


def test_parts_make_up_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.arange(11)
    parts = [Processes(rank, 3).part(batch) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == batch.tolist()
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes() as alone:
        assert alone == ALONE and alone.is_first
        assert torch.equal(alone.part(batch), batch)
        assert alone.from_first("value") == "value"
