"""Networks of our own: the files that come with Penstock, and their training."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.api.compressing import Notices, find_teacher, make_setting
from penstock.design.compression.documents import recipe_document
from penstock.design.compression.fitting import expect_data_fit
from penstock.design.compression.recipe import ITSELF, DistillStep, Recipe, TrainStep
from penstock.design.data import Samples, load_data_set
from penstock.design.zoo.carried import (
    CarriedNetwork,
    carried_networks,
    expect_known,
    find_carried,
)
from penstock.errors import InputError
from penstock.extras import needs_extra
from penstock.frontends.samples import PIXELS_AS_THEY_ARE
from penstock.frontends.tflite import identifier, read_model
from penstock.report.inspection import graph_totals
from penstock.report.summary import HOST
from penstock.report.zoo import TrainedZooNetwork, ZooResult

if TYPE_CHECKING:
    from penstock.api.deploying import BoardDeployment
    from penstock.design.zoo.catalogue import ZooNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooTraining:
    """How a network of the zoo is trained other than its recipe says.

    Attributes:
        epochs: None takes the recipe's.
        seed: None takes the recipe's.
        teacher: a float network to learn from besides, as `quantize` takes it, but never the one
            to be trained, nor any for an autoencoder; None is nobody.
        threads: to compute with; None takes all.
        work: folder of checkpoints; None keeps none.
    """

    epochs: int | None = None
    seed: int | None = None
    teacher: str | None = None
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
        PenstockError: unknown name, no data or data for something else, or a missing package.
    """
    with needs_extra("training a network", "design"):
        from penstock.design.learning.evaluation import score
        from penstock.design.learning.processes import (
            describe_computer,
            join_processes,
            set_threads,
        )
        from penstock.design.trainable import TrainableGraph
        from penstock.design.zoo.building import as_graph, quantize_trained, train_float
    told, asked = notices or Notices(), options or ZooTraining()
    started = time.monotonic()
    network = _asked_for(name, asked)
    recipe = _recipe(network, asked)
    data = load_data_set(network.data, network.shape, progress=told.progress)
    untrained = as_graph(network, identifier(name))
    expect_data_fit(untrained, data, recipe)
    teacher = find_teacher(name, recipe.distill, untrained)
    set_threads(asked.threads)
    earlier: list[float] = []
    with join_processes() as processes:
        setting = replace(
            make_setting(recipe, data, teacher, asked.work, processes, told),
            resumed=earlier.append,
        )
        trained = train_float(network, identifier(name), setting)
        float_score = score(TrainableGraph(trained.graph), data.test, network.task)
        graph = quantize_trained(network, trained, setting)
        computer = describe_computer(processes)
    deployment = _deployment(network, data.test, told)
    content = deployment.content(graph, f"penstock zoo: {name}, MIT licence")
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
        recipe=_steps_of(recipe),
        file_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        computer=computer,
    )
    return TrainedZooNetwork(result, content, trained.saved())


def _deployment(network: "ZooNetwork", samples: Samples, told: Notices) -> "BoardDeployment":
    """Return what runs the generated C over samples, on this computer."""
    from penstock.api.deploying import BoardDeployment

    return BoardDeployment(
        None, HOST, samples, PIXELS_AS_THEY_ARE, network.task, progress=told.progress
    )


def _steps_of(recipe: Recipe) -> dict[str, Any]:
    """Return what a recipe says of training, for a document."""
    document = recipe_document(recipe)
    return {key: document[key] for key in _STEPS if key in document}


_STEPS = ("train", "distill", "quantize")


def _asked_for(name: str, asked: ZooTraining) -> "ZooNetwork":
    """Return a network with the training that is asked for.

    Raises:
        InputError: there is none, or it cannot have the teacher.
    """
    from penstock.design.zoo.catalogue import ZOO

    expect_known(name, ZOO)
    _expect_can_learn_from(asked.teacher, name, ZOO[name])
    changed = {"epochs": asked.epochs, "seed": asked.seed}
    given: dict[str, Any] = {key: value for key, value in changed.items() if value is not None}
    return replace(ZOO[name], training=replace(ZOO[name].training, **given))


def _expect_can_learn_from(teacher: str | None, name: str, network: "ZooNetwork") -> None:
    """Check that a network can have a teacher, if one is given.

    Raises:
        InputError: it cannot, or the teacher is itself.
    """
    if teacher is None:
        return
    if network.normal is not None:
        raise InputError(
            f"distillation compares scores of classes, and {name} is an autoencoder, which has "
            "none",
            help="train it without a teacher: leave --distill out",
        )
    if teacher == ITSELF:
        raise InputError(
            f"{name} is trained from nothing, so it cannot learn from {ITSELF!r}",
            help=f"name a model file in real numbers; `penstock compress --distill {ITSELF}` has a "
            "trained network to learn from",
        )


def _recipe(network: "ZooNetwork", asked: ZooTraining) -> Recipe:
    """Return how a network is trained, as the recipe of a compression would say it."""
    return Recipe(
        data=network.data,
        threads=asked.threads,
        normal=network.normal,
        train=TrainStep(training=network.training),
        distill=None if asked.teacher is None else DistillStep(teacher=asked.teacher),
        quantize=network.quantize,
    )
