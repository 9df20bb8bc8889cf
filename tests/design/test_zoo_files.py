"""The networks that come with Penstock are what they are said to be."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

from penstock.api.deploying import BoardDeployment
from penstock.design.data import load_data_set
from penstock.design.zoo import carried
from penstock.design.zoo.carried import CarriedNetwork, carried_networks, find_carried
from penstock.errors import InputError
from penstock.frontends.inputs import random_inputs
from penstock.frontends.samples import PIXELS_AS_THEY_ARE
from penstock.frontends.tflite import read_model
from penstock.ir import interpreter
from penstock.report.inspection import graph_totals
from penstock.report.summary import HOST
from tests.litert import LiteRT

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from penstock.design.zoo.catalogue import ZOO  # noqa: E402

NETWORKS = carried_networks()
LIMIT_BYTES = 12_000_000
FOLDER = Path(carried.__file__).parent / "files"


def test_all_together_are_small_enough_to_carry() -> None:
    assert sum(len(network.content()) for network in NETWORKS.values()) < LIMIT_BYTES


def test_every_file_is_named_and_every_name_has_a_file() -> None:
    named = tomllib.loads((FOLDER / "zoo.toml").read_text("utf-8"))
    wanted = ["zoo.toml", *(f"{name}.tflite" for name in named)]
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(wanted)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_file_is_the_one_that_figures_are_of(network: CarriedNetwork) -> None:
    assert hashlib.sha256(network.content()).hexdigest() == network.sha256


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_recipe_is_the_one_in_the_catalogue(network: CarriedNetwork) -> None:
    recipe = ZOO[network.name]
    assert network.recipe == recipe.recipe
    assert (network.about, network.data, network.measure) == (
        recipe.about,
        recipe.data,
        recipe.task.measure,
    )


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_litert_and_interpreter_agree(network: CarriedNetwork) -> None:
    graph = read_model(network.content(), "net")
    oracle = LiteRT(network.content())
    for seed in range(3):
        inputs = random_inputs(graph, seed).arrays
        found = interpreter.run(graph, inputs)
        for ours, theirs in zip(found, oracle.run(inputs), strict=True):
            np.testing.assert_array_equal(ours, theirs)


PAGE = (Path(__file__).parents[2] / "docs" / "zoo.md").read_text("utf-8")


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_page_says_what_is_so(network: CarriedNetwork) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {network.name} |"))
    *_, macs, parameters, _file, real, scored, _time = map(str.strip, row.strip("|").split("|"))
    totals = graph_totals(read_model(network.content(), "net"))
    assert float(macs.removesuffix(" M")) == pytest.approx(totals.macs / 1e6, rel=0.01)
    assert float(parameters.removesuffix(" M")) == pytest.approx(totals.parameters / 1e6, rel=0.04)
    assert (real, scored) == (f"{100 * network.float_score:.2f} %", f"{100 * network.score:.2f} %")


QUICK = ("spoken-digits", "mnist-anomaly")


@pytest.mark.shared
@pytest.mark.parametrize(
    "network",
    [
        pytest.param(network, marks=() if name in QUICK else pytest.mark.models)
        for name, network in NETWORKS.items()
    ],
    ids=NETWORKS,
)
def test_the_c_scores_what_is_said(network: CarriedNetwork, shared_dir: Path) -> None:
    """Over the whole test set, bit for bit what a board computes."""
    assert shared_dir.is_dir()
    recipe = ZOO[network.name]
    data = load_data_set(network.data, recipe.shape)
    deployment = BoardDeployment(None, HOST, data.test, PIXELS_AS_THEY_ARE, recipe.task)
    assert deployment.score(read_model(network.content(), "net")) == network.score


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="the zoo has no 'nothing'") as refused:
        find_carried("nothing")
    assert "spoken-digits" in refused.value.help
