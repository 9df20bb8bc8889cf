"""What each of several processes does that `test_processes.py` starts."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from penstock.design.learning.engine import train
from penstock.design.learning.processes import ALONE, Processes, join_processes
from tests.design.test_training import network, training


def interrupt(_step: int, done: int, _total: int) -> None:
    if done == 8:  # of 3 steps an epoch, so that two epochs are kept
        raise KeyboardInterrupt


def train_all(folder: Path, processes: Processes) -> None:
    """Save what several trainings give: without normalization, with it, and interrupted."""
    wanted = replace(training(), processes=processes)
    plain, normalized, resumed = network(normalized=False), network(), network()
    train(plain, wanted)
    train(normalized, wanted)
    kept = replace(wanted, folder=folder / f"work{processes.rank}")
    try:
        train(network(), kept, interrupt)
    except KeyboardInterrupt:
        epochs: list[int] = []
        train(resumed, kept, lambda _step, done, _total: epochs.append(done))
        assert epochs[0] == 7
    names = ("plain", "normalized", "resumed")
    states = dict(zip(names, (plain, normalized, resumed), strict=True))
    torch.save({n: m.state_dict() for n, m in states.items()}, folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_processes() as joined:
        assert joined != ALONE
        train_all(Path(sys.argv[1]), joined)
