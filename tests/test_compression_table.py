"""benchmarks/compression: the table and zoo.toml say what the results say."""

import hashlib
import importlib.util
import json
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "compression.py"
RECIPE: dict[str, dict[str, Any]] = {
    "train": {"epochs": 3, "learning_rate": 0.15, "optimizer": "sgd", "seed": 1},
    "quantize": {"weights": "int8", "epochs": 0},
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at work in another place."""
    spec = importlib.util.spec_from_file_location("compression", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    places = {"HERE": "results", "WORK": "build/compression", "FILES": "files"}
    for name, folder in places.items():
        (tmp_path / folder).mkdir(parents=True)
        monkeypatch.setattr(module, name, tmp_path / folder)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "TABLE", tmp_path / "results" / "README.md")
    return module


def trained(number: int, seconds: float = 90.0, content: bytes = b"") -> dict[str, Any]:
    """A result of ``penstock zoo train``: of each number another one."""
    return {
        "about": f'network {number}, "quoted" — £',
        "data": "set",
        "measure": "accuracy",
        "float_score": 0.8 + number / 100,
        "score": 0.7 + number / 100,
        "sha256": hashlib.sha256(content).hexdigest(),
        "seconds": seconds,
        "recipe": RECIPE,
    }


def compressed(score: float, macs: int = 1_000_000, size: int = 4000) -> dict[str, Any]:
    """A result of ``penstock compress``: three stages, of which the first has a score of 0.8."""
    stages = [(0.8, 2_000_000, 1.0), (0.1, 3_000_000, 29.0), (score, macs, 60.0)]
    return {
        "stages": [
            {"score": found, "macs": count, "zeros": 0.1, "seconds": seconds}
            for found, count, seconds in stages
        ],
        "smallest_bytes": size,
    }


def write_results(bench: ModuleType, **results: dict[str, Any]) -> None:
    for name, found in results.items():
        (bench.HERE / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")


def write_everything(bench: ModuleType) -> None:
    for number, network in enumerate(bench.NETWORKS):
        scores = {"ptq": 0.7925, "int8": 0.81, "int4": 0.75}
        write_results(
            bench,
            **{network: trained(number)},
            **{f"{network}-{way}": compressed(score) for way, score in scores.items()},
        )
    large = {
        "cifar10-large-ptq": compressed(0.79, 2_000_000, 8000),
        "cifar10-large-int4": compressed(0.7, 2_000_000, 4200),
        "cifar10-large-prune-half": compressed(0.78, 900_000, 3200),
        "cifar10-large-sparse-75": compressed(0.77, 2_000_000, 2000),
        "cifar10-large-all-together": compressed(0.805, 500_000, 800),
    }
    times = {"ptq": 120.0, "int4": 150.0, "prune-half": 60.0, "sparse-75": 100.0}
    times["all-together"] = 40.0
    students = {
        f"student-{way}-{seed}": {"float_score": first + seed / 100, "seconds": 60.0 * seed}
        for way, first in (("alone", 0.6), ("taught", 0.65))
        for seed in bench.SEEDS
    }
    students["student-taught-3"]["float_score"] = 0.74
    write_results(bench, **large, **students)
    found: dict[str, Any] = {
        name: {"latency_ms": time, "filters": {}} for name, time in times.items()
    }
    found["int4"]["filters"] = {
        "int4": {"steps": 3, "stored_bytes": 500, "int8_bytes": 1000},
        "sparse": {"steps": 1, "stored_bytes": 700, "int8_bytes": 2000},
    }
    write_results(bench, **{f"latency-{name}": each for name, each in found.items()})


def rows(bench: ModuleType, section: str) -> dict[str, list[str]]:
    """The rows of a table, by what is in their first column."""
    _, _, after = "\n".join(bench.table()).partition(f"\n## {section}\n")
    lines = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    return {row[0]: row[1:] for row in cells[2:]}


def test_quantized_networks_are_compared_with_their_real_numbers(bench: ModuleType) -> None:
    """Points are against the network as it was given; minutes are of all that the row took."""
    write_everything(bench)
    found = rows(bench, "int8 and int4")
    assert list(found) == list(bench.NETWORKS)
    ways = ["79.25 % (-0.75)", "81.00 % (+1.00)", "75.00 % (-5.00)"]
    assert found["cifar10-small"] == ["accuracy", "81.00 %", *ways, "6"]
    assert found["cifar10-large"][1:4] == ["80.00 %", "79.00 % (-1.00)", "81.00 % (+1.00)"]


def test_large_networks_are_compared_with_the_quantized_one(bench: ModuleType) -> None:
    write_everything(bench)
    expected = {
        "ptq": "79.00 %|-1.00|2.0 M|10 %|8,000 B (1.00)|none|120.0 ms (1.00x faster)|2",
        "int4": (
            "70.00 %|-10.00|2.0 M|10 %|4,200 B (0.53)|1,200 of 3,000 B (0.40)|"
            "150.0 ms (0.80x faster)|2"
        ),
        "prune-half": "78.00 %|-2.00|0.9 M|10 %|3,200 B (0.40)|none|60.0 ms (2.00x faster)|2",
        "sparse-75": "77.00 %|-3.00|2.0 M|10 %|2,000 B (0.25)|none|100.0 ms (1.20x faster)|2",
        "all-together": "80.50 %|+0.50|0.5 M|10 %|800 B (0.10)|none|40.0 ms (3.00x faster)|2",
    }
    found = rows(bench, f"cifar10-large on the virtual {bench.BOARD}")
    assert {name: "|".join(cells) for name, cells in found.items()} == expected


def test_students_are_compared_on_the_mean_of_their_seeds(bench: ModuleType) -> None:
    write_everything(bench)
    assert rows(bench, "A teacher") == {
        "1": ["61.00 %", "66.00 %", "2"],
        "2": ["62.00 %", "67.00 %", "4"],
        "3": ["63.00 %", "74.00 %", "6"],
        "mean": ["62.00 %", "69.00 % (+7.00)", ""],
    }


def test_networks_are_carried_with_their_figures(bench: ModuleType) -> None:
    """Those that have a result: just made, or carried before and made on another computer."""
    made, before, absent, _ = bench.NETWORKS
    contents = {made: b"new", before: b"kept"}
    results = {
        name: trained(number, content=content)
        for number, (name, content) in enumerate(contents.items(), start=1)
    }
    write_results(bench, **results)
    (bench.WORK / f"{made}.tflite").write_bytes(b"new")
    (bench.FILES / f"{made}.tflite").write_bytes(b"old")
    (bench.FILES / f"{before}.tflite").write_bytes(b"kept")
    (bench.WORK / f"{before}.tflite").write_bytes(b"of another run")
    (bench.WORK / f"{absent}.tflite").write_bytes(b"not yet measured")
    bench.carry()
    found = tomllib.loads((bench.FILES / "zoo.toml").read_text(encoding="utf-8"))
    assert found.keys() == contents.keys()
    for name, content in contents.items():
        assert (bench.FILES / f"{name}.tflite").read_bytes() == content
        assert found[name] == {k: v for k, v in results[name].items() if k != "seconds"}
    assert not (bench.FILES / f"{absent}.tflite").exists()


def test_results_without_their_network_are_refused(bench: ModuleType) -> None:
    """Before anything is carried that zoo.toml would not describe."""
    first, second, *_ = bench.NETWORKS
    write_results(bench, **{first: trained(1, content=b"new"), second: trained(2)})
    (bench.WORK / f"{first}.tflite").write_bytes(b"new")
    (bench.WORK / f"{second}.tflite").write_bytes(b"of another run")
    with pytest.raises(SystemExit, match=f"the network of {second}.json is neither in ") as refused:
        bench.carry()
    assert "delete the result to train it again" in str(refused.value)
    assert not list(bench.FILES.iterdir())


def test_what_has_a_result_is_not_run_again(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And results are kept without what no row needs, with the command that made them."""
    ran: list[list[str]] = []

    def run(arguments: list[str]) -> None:
        ran.append(arguments)
        whole = {"latency_ms": 5.0, "operators": ["many"], "file": "x.tflite"}
        Path(arguments[-1]).write_text(json.dumps(whole), encoding="utf-8")

    monkeypatch.setattr(bench, "run", run)
    for model in (*bench.LARGE, "int4"):
        (bench.WORK / f"cifar10-large-{model}.tflite").touch()
    monkeypatch.setattr("sys.argv", ["compression.py", "latency"])
    write_results(bench, **{"latency-ptq": {"latency_ms": 1.0}})
    with pytest.raises(SystemExit, match=r"no table yet: .* the first is cifar10-large$"):
        bench.main()
    names = [f"latency-{recipe}" for recipe in (*bench.LARGE, "int4")]
    assert [arguments[-1] for arguments in ran] == [str(bench.WORK / f"{n}.json") for n in names]
    assert bench.result("latency-ptq") == {"latency_ms": 1.0}
    kept = bench.result("latency-int4")
    assert kept["command"].startswith("run build/compression/cifar10-large-int4.tflite --board ")
    assert kept == {"command": kept["command"], "latency_ms": 5.0}


def test_what_an_experiment_takes_is_there(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are in the repository, the networks that experiments make are not."""
    monkeypatch.setattr("sys.argv", ["compression.py", "spoken-digits-ptq"])
    write_results(bench, **{"spoken-digits": trained(1)})
    with pytest.raises(SystemExit, match=r"takes .*digits\.pt2, .* delete .*digits\.json, "):
        bench.main()


def test_the_page_says_which_computers_trained(bench: ModuleType) -> None:
    write_everything(bench)
    count = len([name for name, _ in bench.experiments() if not name.startswith("latency-")])
    assert bench.computers() == f"not said by {count} results"
    computer = {"torch": "2.13.0+cpu", "instructions": "AVX512", "threads": 1, "processes": 1}
    for name in ("cifar10-small", "student-alone-1"):
        write_results(bench, **{name: {**bench.result(name), "computer": computer}})
    said = "torch 2.13.0+cpu, AVX512, threads: 1"
    assert bench.computers() == f"{said}; not said by {count - 2} results"


def test_recipes_of_a_network_come_before_those_of_all(bench: ModuleType) -> None:
    for path in (SCRIPT.parent / "compression").glob("*.toml"):
        shutil.copyfile(path, bench.HERE / path.name)
    commands = dict(bench.experiments())
    for name, recipe in (
        ("cifar10-small-ptq", "ptq"),
        ("spoken-digits-ptq", "spoken-digits-ptq"),
        ("cifar10-large-prune-half", "prune-half"),
    ):
        position = commands[name].index("--recipe")
        assert commands[name][position + 1] == f"results/{recipe}.toml"
