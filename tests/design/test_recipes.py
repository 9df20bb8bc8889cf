"""What to do to a network, in a file or by options: what is understood, and what is refused."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest

from penstock import api
from penstock.cli import compress as command
from penstock.cli.entry import run_command_line
from penstock.design.compression.choices import Criterion, Pattern, WeightFormat
from penstock.design.compression.documents import recipe_document
from penstock.design.compression.recipe import (
    FINE_TUNING,
    ROUNDING,
    DistillStep,
    PruneStep,
    QuantizeStep,
    Recipe,
    SparsifyStep,
    TrainStep,
)
from penstock.design.compression.recipe_files import load_recipe, parse_recipe
from penstock.design.learning.options import Augmentation, Optimizer, TrainingOptions
from penstock.errors import InputError
from penstock.frontends.samples import PixelScaling
from penstock.quantize.histograms import RangeRule

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "compress.md"
RECIPES = list((ROOT / "benchmarks" / "compression").glob("*.toml"))


def parse(text: str) -> Recipe:
    return parse_recipe(tomllib.loads(text), "r.toml")


def test_the_shortest_recipe_rounds_alone() -> None:
    assert parse('data = "set"') == Recipe(data="set")
    assert Recipe(data="set").trainings == {"quantize": ROUNDING}


def test_the_documented_recipe_says_every_key() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    training = TrainingOptions(
        epochs=10,
        batch_size=128,
        learning_rate=0.05,
        warm_up=0.1,
        weight_decay=2e-4,
        label_smoothing=0.1,
        optimizer=Optimizer.SGD,
        augmentation=Augmentation.MIRROR,
        seed=1,
    )
    assert parse(text) == Recipe(
        data="cifar10",
        scaling=PixelScaling((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        board="stm32f746g-disco",
        latency=0.1,
        threads=2,
        seed=1,
        normal=0,
        distill=DistillStep(
            teacher="large.pt2",
            share=0.7,
            temperature=4.0,
            features=(("blocks.3.project", "blocks.7.project"),),
            feature_weight=100.0,
        ),
        train=TrainStep(training=training),
        prune=PruneStep(macs=0.5, criterion=Criterion.L2, training=training),
        sparsify=SparsifyStep(zeros=0.75, pattern=Pattern.SINGLE, training=training),
        quantize=QuantizeStep(
            weights=WeightFormat.INT8,
            samples=500,
            ranges=RangeRule.BEST,
            training=replace(training, epochs=3, learning_rate=0.005),
        ),
    )
    known = {
        *("data", "mean", "deviation", "board", "latency", "threads", "seed", "normal"),
        *("training", "train", "distill", "prune", "sparsify", "quantize"),
    }
    assert tomllib.loads(text).keys() == known
    in_steps = {
        key for table in tomllib.loads(text).values() if isinstance(table, dict) for key in table
    }
    assert in_steps | {"size"} == {
        *("augmentation", "batch_size", "optimizer", "label_smoothing", "weight_decay", "warm_up"),
        *("seed", "epochs", "learning_rate", "teacher", "share", "temperature", "features"),
        *("feature_weight", "macs", "criterion", "zeros", "pattern", "weights", "size", "samples"),
        "ranges",
    }
    assert "\n# size = " in text


def test_steps_say_for_themselves_what_they_do_not_share() -> None:
    recipe = parse(
        """
        data = "set"
        deviation = 0.5
        [training]
        epochs = 4
        optimizer = "adam"
        [prune]
        epochs = 7
        macs = 0.25
        criterion = "taylor"
        [sparsify]
        learning_rate = 1
        pattern = "2x2"
        [quantize]
        weights = "mixed"
        size = 1000
        epochs = 0
        """
    )
    common = replace(FINE_TUNING, epochs=4, optimizer=Optimizer.ADAM)
    assert recipe.scaling == PixelScaling((0.0,), (0.5,))
    assert recipe.prune == PruneStep(
        macs=0.25, criterion=Criterion.TAYLOR, training=replace(common, epochs=7)
    )
    assert recipe.sparsify == SparsifyStep(
        pattern=Pattern.BLOCKS, training=replace(common, learning_rate=1)
    )
    assert recipe.quantize == QuantizeStep(weights=WeightFormat.MIXED, size=1000, training=None)
    assert list(recipe.trainings) == ["prune", "sparsify"]


def test_times_and_sizes_may_have_units() -> None:
    recipe = parse('data = "s"\nboard = "b"\nlatency = "100ms"\n[quantize]\nweights = "mixed"')
    assert recipe.latency == pytest.approx(0.1)
    recipe = parse('data = "s"\n[quantize]\nweights = "mixed"\nsize = "64K"')
    assert recipe.quantize.size == 65536


def test_a_latency_alone_decides_what_is_pruned_unless_a_share_was_given() -> None:
    start = 'data = "set"\nboard = "weir"\nlatency = 0.01\n'
    shared = replace(FINE_TUNING, epochs=2)
    assert parse(start + "[training]\nepochs = 2").prune == PruneStep(macs=None, training=shared)
    chosen = parse(start + '[prune]\ncriterion = "l1"').prune
    assert chosen == PruneStep(macs=None, criterion=Criterion.L1)
    assert parse(start + "[prune]\nmacs = 0.5").prune == PruneStep(macs=0.5)
    mixed = '[quantize]\nweights = "mixed"\n'
    assert parse(start + mixed).prune is None  # filters of four bits are to serve it
    assert parse(start + mixed + "[prune]").prune == PruneStep(macs=None)
    assert parse('data = "set"\n[prune]').prune == PruneStep(macs=0.5)


KEYS = (
    "augmentation, batch_size, epochs, label_smoothing, learning_rate, optimizer, seed, warm_up, "
    "weight_decay"
)
BAD: Mapping[str, str] = {
    "": "r.toml names no data\n  help: such as data =",
    "data = 3": "r.toml: data is 3\n  help: give a text",
    "date = 'x'": "r.toml: date is unknown\n  help: known are board, data, deviation, distill, "
    "latency, mean, normal, prune, quantize, seed, sparsify, threads, train, training",
    "scaling = 1": "r.toml: scaling is unknown",
    "threads = 1.5": "r.toml: threads is 1.5\n  help: give a whole number",
    "threads = true": "r.toml: threads is True",
    "threads = 0": "the number of threads is 0; allowed is 1 or more",
    "seed = -1": "the seed is -1; allowed is 0 or more",
    "normal = -1": "the normal class is -1; allowed is 0 or more",
    "latency = 0.1": "a latency was asked for, but no board\n  help: name one by --board",
    "board = 'b'\nlatency = 0": "the latency is 0; allowed is above 0, in seconds",
    "board = 'b'\nlatency = 'soon'": "r.toml: latency is 'soon'\n  help: for example latency = ",
    "[quantize]\nweights = 'mixed'\nsize = '1G'": "r.toml: [quantize] size is '1G'",
    "board = 'b'\nlatency = nan": "r.toml: latency is nan\n  help: give a number",
    "mean = 'grey'": "r.toml: mean is 'grey'\n  help: give a number, or [n, n, n]",
    "mean = []": "r.toml: mean is []",
    "mean = [0.5, true]": "r.toml: mean is [0.5, True]",
    "deviation = inf": "r.toml: deviation is inf",
    "prune = 0.5": "r.toml: prune is no table\n  help: write [prune]",
    "training = 1": "r.toml: training is no table\n  help: write [training]",
    "[[prune]]": "r.toml: prune is no table",
    "[training]\nepoch = 3": f"[training] epoch is unknown\n  help: known are {KEYS}",
    "[training]\nepochs = 'ten'": "r.toml: [training] epochs is 'ten'\n  help: give a whole number",
    "[training]\nbatch_size = 1": "r.toml: [training] batch_size is 1; allowed is 2 or more",
    "[training]\noptimizer = 'lamb'": "[training] optimizer is 'lamb'\n  help: allowed are sgd",
    "[train]\nepochs = 0": "r.toml: [train] epochs is 0; allowed is 1 or more",
    "[prune]\nepochs = 0": "r.toml: [prune] epochs is 0; allowed is 1 or more",
    "[prune]\nmac = 0.5": "r.toml: [prune] mac is unknown\n  help: known are augmentation",
    "[prune]\nmacs = '1/2'": "r.toml: [prune] macs is '1/2'\n  help: give a number",
    "[prune]\nmacs = 1": "the share of MACs that stays is 1; allowed is above 0 and below 1",
    "[prune]\ncriterion = 'l3'": "[prune] criterion is 'l3'\n  help: allowed are l1, l2, batch-n",
    "[prune]\ncriterion = ['l1']": "r.toml: [prune] criterion is ['l1']",
    "[prune]\nlearning_rate = inf": "r.toml: [prune] learning_rate is inf",
    "[prune]\ntraining = 1": "r.toml: [prune] training is unknown",
    "[sparsify]\nzeros = 0": "the share of zeros is 0; allowed is above 0 and below 1",
    "[sparsify]\npattern = 22": "r.toml: [sparsify] pattern is 22\n  help: allowed are single, 2x2",
    "[distill]\nepochs = 3": "r.toml: [distill] epochs is unknown\n  help: known are feature",
    "[distill]\nshare = 1": "the teacher's share is 1; allowed is above 0 and below 1",
    "[distill]\ntemperature = 0": "the temperature is 0; allowed is above 0",
    "[distill]\nfeature_weight = -1": "the weight of features is -1; allowed is 0 or more",
    "[distill]\nfeatures = ['a', 'b']": "[distill] features is ['a', 'b']\n  help: give pairs",
    "[quantize]\nepochs = false": "r.toml: [quantize] epochs is False",
    "[quantize]\nweights = 'int3'": "[quantize] weights is 'int3'\n  help: allowed are int8, int4",
    "[quantize]\nranges = 'all'": "r.toml: [quantize] ranges is 'all'\n  help: allowed are minmax,",
    "[quantize]\nsamples = 0": "the number of samples for ranges is 0; allowed is 1 or more",
    "[quantize]\nweights = 'mixed'": "mixed weights have no aim\n  help: give a size in bytes",
    "[quantize]\nweights = 'mixed'\nsize = 0": "the size is 0; allowed is 1 byte or more",
    "[quantize]\nweights = 'int4'\nsize = 9": "a size was asked for of int4 weights",
}


@pytest.mark.parametrize("text", BAD)
def test_what_no_recipe_says_is_refused(text: str) -> None:
    named = text if text in ("", "data = 3") else f"data = 'set'\n{text}"
    with pytest.raises(InputError) as refused:
        parse(named)
    assert BAD[text] in str(refused.value) and refused.value.help


def test_recipes_made_by_hand_need_an_aim() -> None:
    with pytest.raises(InputError, match="pruning has no aim"):
        Recipe(data="set", prune=PruneStep(macs=None))
    with pytest.raises(InputError, match="the share of zeros is nan"):
        Recipe(data="set", sparsify=SparsifyStep(zeros=float("nan")))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    with pytest.raises(InputError, match=r"cannot read '.*r.toml': there is no such file"):
        load_recipe(path)
    for content in (b"data = ", b"data = '\xff'"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"r.toml' is no TOML file: .*\n.*docs/compress.md"):
            load_recipe(path)
    path.write_text('data = "set"')
    assert load_recipe(path) == Recipe(data="set")


Asked = tuple[Recipe, Path]
"""What a command line says, and the folder of its checkpoints."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Return what the command would do."""
    found: list[Asked] = []

    def stop(_model: Path, recipe: Recipe, *, work: Path, notices: api.Notices) -> None:
        found.append((recipe, work))
        raise click.exceptions.Exit

    monkeypatch.setattr(command.api, "compress", stop)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pt2").touch()

    def ask(*arguments: str) -> Asked:
        assert run_command_line(["compress", "net.pt2", "-o", "out.tflite", *arguments]) == 0
        return found.pop()

    return ask


SAME = {
    "--data set": 'data = "set"',
    "--data set --seed 3 --threads 2 --mean 0.5 --deviation 0.1,0.2,0.3": """
        data = "set"
        seed = 3
        threads = 2
        mean = 0.5
        deviation = [0.1, 0.2, 0.3]
        [training]
        seed = 3
        """,
    "--data set --prune 0.75 --criterion taylor --epochs 7 --augment mirror": """
        data = "set"
        [training]
        augmentation = "mirror"
        [prune]
        macs = 0.25
        criterion = "taylor"
        epochs = 7
        [quantize]
        epochs = 3
        """,
    "--data set --sparsify 0.5 --pattern 2x2 --quantize int4": """
        data = "set"
        [sparsify]
        zeros = 0.5
        pattern = "2x2"
        [quantize]
        weights = "int4"
        """,
    "--data set --distill self --epochs 1": """
        data = "set"
        [distill]
        [train]
        epochs = 1
        [quantize]
        epochs = 1
        """,
    "--data set --distill big.pt2 --prune 0.5": """
        data = "set"
        [distill]
        teacher = "big.pt2"
        [prune]
        """,
    "--data set --board weir --latency 10ms --criterion l1 --epochs 2 --augment shift": """
        data = "set"
        board = "weir"
        latency = 0.01
        [training]
        augmentation = "shift"
        [prune]
        criterion = "l1"
        epochs = 2
        [quantize]
        epochs = 1
        """,
    "--data set --quantize mixed --size 64K --epochs 0": """
        data = "set"
        [quantize]
        weights = "mixed"
        size = 65536
        epochs = 0
        """,
    "--data set --quantize mixed --board weir --latency 1s": """
        data = "set"
        board = "weir"
        latency = 1
        [quantize]
        weights = "mixed"
        """,
}


@pytest.mark.parametrize("options", SAME)
def test_options_say_the_same_as_a_file(
    options: str, asked: Callable[..., Asked], tmp_path: Path
) -> None:
    (tmp_path / "r.toml").write_text(SAME[options])
    recipe, work = asked(*options.split())
    assert asked("--recipe", "r.toml") == (recipe, work)
    assert work == Path("out.tflite.work")
    assert asked("--data", "set", "--work", "here")[1] == Path("here")


WRONG = {
    "": "there is nothing to learn from\nhelp: give --data, such as --data cifar10, or a --recipe",
    "--recipe r.toml --data set": "--recipe says everything, and --data was given besides",
    "--recipe r.toml --epochs 3": "--recipe says everything, and --epochs was given besides",
    "--recipe r.toml --mean 0.5": "--recipe says everything, and --mean was given besides",
    "--recipe no.toml": "--recipe: there is no file 'no.toml'",
    "--data set --prune 0": "--prune",
    "--data set --prune 1.5": "--prune",
    "--data set --prune 0.5 --epochs 0": "--epochs 0 trains nothing, and the step prune is nothing",
    "--data set --sparsify 0.5 --epochs 0": "--epochs 0 trains nothing, and the step sparsify",
    "--data set --distill self --epochs 0": "--epochs 0 trains nothing, and the step train",
    "--data set --latency 1ms": "a latency was asked for, but no board",
    "--data set --latency soon": "--latency 'soon' is no time",
    "--data set --quantize int3": "--quantize",
    "--data set --quantize mixed": "mixed weights have no aim",
    "--data set --size 1K": "a size was asked for of int8 weights",
    "--data set --criterion l3": "--criterion",
    "--data set --threads 0": "--threads",
    "--data set --work net.pt2": "--work 'net.pt2'",
    "--data set --work net.pt2/in": "net.pt2' is not a folder",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_options_are_explained(
    options: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pt2").touch()
    (tmp_path / "r.toml").write_text('data = "set"')
    assert run_command_line(["compress", "net.pt2", "-o", "o.tflite", *options.split()]) == 2
    printed = capsys.readouterr().err
    assert WRONG[options] in printed and "help: " in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pt2", "r.toml"]


@pytest.mark.parametrize("name", sorted(RECIPES), ids=lambda path: path.name)
def test_a_recipe_in_a_result_is_the_one_asked_for(name: Path) -> None:
    recipe = load_recipe(name)
    document = recipe_document(recipe)
    assert parse_recipe(json.loads(json.dumps(document)), "result") == recipe


def test_everything_that_a_recipe_says_is_in_its_result() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    document = recipe_document(parse(text))
    assert parse_recipe(document, "result") == parse(text)
    assert document["distill"]["features"] == [["blocks.3.project", "blocks.7.project"]]
    assert document["sparsify"]["pattern"] == "single"
