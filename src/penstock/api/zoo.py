"""Networks of our own: the files that come with Penstock, and their training."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.api.compressing import Notices
from penstock.api.extras import needs_extra
from penstock.design.zoo.carried import CarriedNetwork, carried_networks, find_carried
from penstock.errors import InputError
from penstock.frontends.samples import PIXELS_AS_THEY_ARE
from penstock.frontends.tflite import identifier, read_model, write_model
from penstock.report.inspection import graph_totals
from penstock.report.zoo import TrainedZooNetwork, ZooResult

if TYPE_CHECKING:
    from penstock.design.compression.setting import Setting
    from penstock.design.data import DataSet
    from penstock.design.learning.machines import Machines
    from penstock.design.zoo.catalogue import ZooNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooTraining:
    """How a network of the zoo is trained other than its recipe says.

    Attributes:
        epochs: None takes the recipe's.
        seed: None takes the recipe's.
        teacher: a float network to learn from besides, as `quantize` takes it; empty is nobody.
        threads: to compute with; None takes all.
        work: folder of checkpoints; None keeps none.
    """

    epochs: int | None = None
    seed: int | None = None
    teacher: str = ""
    threads: int | None = None
    work: Path | None = None


def zoo() -> list[CarriedNetwork]:
    """Return the networks that come with Penstock."""
    return list(carried_networks().values())


def zoo_network(name: str) -> CarriedNetwork:
    """Return one of them; raises InputError where there is none."""
    return find_carried(name)


def train_zoo(
    name: str, options: ZooTraining | None = None, notices: Notices | None = None
) -> TrainedZooNetwork:
    """Train a network of the zoo from nothing, quantize it and measure it.

    Args:
        name: of the network.
        options: what is other than its recipe says.
        notices: who is told of what.

    Raises:
        PenstockError: unknown name, no data, or a missing package.
    """
    with needs_extra("training a network", "design"):
        from penstock.api.deploying import BoardDeployment
        from penstock.design.data import load_data_set
        from penstock.design.learning.evaluation import score
        from penstock.design.learning.machines import join_machines, set_threads
        from penstock.design.trainable import TrainableGraph
        from penstock.design.zoo.building import quantize_trained, train_float
    told, asked = notices or Notices(), options or ZooTraining()
    network = _recipe(name, asked)
    started = time.monotonic()
    earlier: list[float] = []
    data = load_data_set(network.data, network.shape, progress=told.progress)
    set_threads(asked.threads)
    with join_machines() as machines:
        setting = _setting(network, data, asked, machines, told)
        setting = replace(setting, resumed=earlier.append)
        trained = train_float(network, identifier(name), setting)
        float_score = score(TrainableGraph(trained.graph), data.test, network.task)
        graph = quantize_trained(network, trained, setting)
        deployment = BoardDeployment(
            None, data.test, PIXELS_AS_THEY_ARE, network.task, told.progress
        )
        content = write_model(graph, description=f"penstock zoo: {name}, MIT licence")
        result = ZooResult(
            name=name,
            about=network.about,
            data=data.name,
            test_samples=len(data.test),
            measure=network.task.measure,
            float_score=float_score,
            score=deployment.score(graph),
            totals=graph_totals(read_model(content, identifier(name))),
            seconds=time.monotonic() - started + sum(earlier),
            recipe=network.recipe,
            file_bytes=len(content),
        )
    return TrainedZooNetwork(result, content, trained.saved())


def _recipe(name: str, asked: ZooTraining) -> "ZooNetwork":
    from penstock.design.zoo.catalogue import ZOO

    if name not in ZOO:
        raise InputError(f"the zoo has no {name!r}", help=f"it has {', '.join(ZOO)}")
    training = ZOO[name].training
    if asked.epochs is not None:
        training = replace(training, epochs=asked.epochs)
    if asked.seed is not None:
        training = replace(training, seed=asked.seed)
    return replace(ZOO[name], training=training)


def _setting(
    network: "ZooNetwork",
    data: "DataSet",
    asked: ZooTraining,
    machines: "Machines",
    told: Notices,
) -> "Setting":
    from penstock.design.compression.networks import load_float
    from penstock.design.compression.setting import Setting
    from penstock.design.compression.teachers import Teacher
    from penstock.design.learning.tasks import training_data

    teacher = None if not asked.teacher else Teacher(load_float(Path(asked.teacher)))
    return Setting(
        data=training_data(data, network.task),
        task=network.task,
        teacher=teacher,
        folder=asked.work,
        machines=machines,
        progress=told.progress,
        report=lambda stage, result: told.epoch(stage, result.epoch, result.loss, result.seconds),
    )
