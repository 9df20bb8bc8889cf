"""What compression costs and gives on the networks of the zoo, each row by one command.

``make bench-compression`` runs what has no result yet in ``benchmarks/compression`` (hours on two
processors; interrupted, it goes on where it was) and writes the table there, README.md. Arguments
are starts of the names of results, to make only those. A result holds its command, its recipe and
how long it took. Nothing here is a test.
"""

import hashlib
import itertools
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HERE = ROOT / "benchmarks" / "compression"
WORK = ROOT / "build" / "compression"
BOARD = "stm32f746g-disco"
FILES = ROOT / "src" / "penstock" / "design" / "zoo" / "files"
NETWORKS = ("cifar10-large", "cifar10-small", "spoken-digits", "mnist-anomaly")
WAYS = ("ptq", "int8", "int4")
LARGE = ("prune-half", "sparse-75", "all-together")
SEEDS = (1, 2, 3)
LEFT_OUT = ("operators", "outputs", "memory_bytes", "overlays", "traffic_bytes", "file")
"""Of results: what no row needs."""
TABLE = HERE / "README.md"
Row = dict[str, Any]


def main() -> None:
    """Run what is missing, and write the table."""
    WORK.mkdir(parents=True, exist_ok=True)
    asked = tuple(sys.argv[1:])
    for name, arguments in experiments():
        if not name.startswith(asked or ("",)) or (HERE / f"{name}.json").is_file():
            continue
        expect_inputs(name, arguments)
        whole = WORK / f"{name}.json"
        run([*arguments, "--json", str(whole)])
        found = json.loads(whole.read_text(encoding="utf-8"))
        kept_part = {key: value for key, value in found.items() if key not in LEFT_OUT}
        text = json.dumps({"command": shlex.join(arguments), **kept_part}, indent=2)
        write(HERE / f"{name}.json", text + "\n")
    carry()
    missing = [name for name, _ in experiments() if not (HERE / f"{name}.json").is_file()]
    if missing:
        sys.exit(f"no table yet: {len(missing)} results are missing, the first is {missing[0]}")
    write(TABLE, "".join(f"{line}\n" for line in table()))
    print(f"wrote {TABLE}")


def expect_inputs(name: str, arguments: list[str]) -> None:
    """Exit where a network that an experiment takes is not made: results come without them."""
    for before, argument in itertools.pairwise(["", *arguments]):
        is_input = argument.endswith((".pt2", ".tflite")) and before not in ("-o", "--float")
        if is_input and not (ROOT / argument).is_file():
            sys.exit(
                f"{name} takes {argument}, which is not in the repository: delete the result "
                f"{Path(argument).stem}.json, and this makes it anew"
            )


def write(path: Path, text: str) -> None:
    """Write a file by renaming a finished one into place."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def carry() -> None:
    """Put the networks that were trained where `penstock zoo` finds them, with their figures."""
    trained = [network for network in NETWORKS if (HERE / f"{network}.json").is_file()]
    for network in trained:
        expect_model(network)
    lines = ["# Written by `make bench-compression`: the files beside this one, and what they are."]
    for network in trained:
        found = result(network)
        model, carried = ROOT / file(f"{network}.tflite"), FILES / f"{network}.tflite"
        if model.is_file() and digest(model) == found["sha256"]:
            shutil.copyfile(model, carried)
        keys = ("about", "data", "measure", "float_score", "score", "sha256")
        lines += ["", f"[{network}]", *assignments({key: found[key] for key in keys})]
        for step, values in found["recipe"].items():
            lines += ["", f"[{network}.recipe.{step}]", *assignments(values)]
    write(FILES / "zoo.toml", "\n".join(lines) + "\n")


def expect_model(network: str) -> None:
    """Exit where the file of a result is neither made nor carried: nothing would have its score."""
    name, wanted = f"{network}.tflite", result(network)["sha256"]
    if wanted not in map(digest, (ROOT / file(name), FILES / name)):
        sys.exit(
            f"the network of {network}.json is neither in {WORK} nor in {FILES}: no {name} there "
            f"has the SHA-256 {wanted}; delete the result to train it again"
        )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; nothing where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def assignments(values: Row) -> list[str]:
    """Return texts and numbers as lines of TOML, whose texts and numbers are those of JSON."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def experiments() -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each result and the command that makes it, in an order that works."""
    for network in NETWORKS:
        made = ["-o", file(f"{network}.tflite"), "--float", file(f"{network}.pt2")]
        yield network, ["zoo", "train", network, *made, *kept(network), "--threads", "1"]
        for way in WAYS:
            yield f"{network}-{way}", compress(network, f"{network}-{way}", way)
    for recipe in LARGE:
        yield (
            f"cifar10-large-{recipe}",
            compress("cifar10-large", f"cifar10-large-{recipe}", recipe),
        )
    for model in ("ptq", *LARGE, "int4"):
        timed = file(f"cifar10-large-{model}.tflite")
        small = ["--weights", "small"]
        yield f"latency-{model}", ["run", timed, "--board", BOARD, *small, "--verify"]
    for seed in SEEDS:
        for way, more in (("alone", []), ("taught", ["--distill", file("cifar10-large.pt2")])):
            name = f"student-{way}-{seed}"
            made = ["-o", file(f"{name}.tflite"), "--epochs", "4", "--seed", str(seed)]
            student = ["zoo", "train", "cifar10-small", *made, *more, *kept(name)]
            yield name, [*student, "--threads", "1"]


def compress(network: str, name: str, recipe: str) -> list[str]:
    """Return the command that compresses a network of the zoo."""
    own = HERE / f"{network}-{recipe}.toml"
    chosen = own if own.is_file() else HERE / f"{recipe}.toml"
    made = ["-o", file(f"{name}.tflite"), *kept(name)]
    return ["compress", file(f"{network}.pt2"), "--recipe", str(chosen.relative_to(ROOT)), *made]


def file(name: str) -> str:
    """Return the path of something that is made on the way."""
    return str((WORK / name).relative_to(ROOT))


def kept(name: str) -> list[str]:
    """Return the option for checkpoints."""
    return ["--work", file(f"checkpoints/{name}")]


def run(arguments: list[str]) -> None:
    """Run one ``penstock`` command."""
    print("penstock", shlex.join(arguments), flush=True)
    subprocess.run([sys.executable, "-m", "penstock", *arguments], cwd=ROOT, check=True)


def result(name: str) -> Row:
    """Return a result."""
    found: Row = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return found


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "# What compression costs and gives"
    yield ""
    yield "Written by `make bench-compression`: every row from the result of one command, which"
    yield "lies beside this page with its recipe and seed. Scores are of the whole test set; those"
    yield "of int8 networks are of the generated C, run on a computer, which gives a board's bytes."
    yield "No epoch was chosen by a score: the last one counts. Recipes were written with an eye on"
    yield "the test sets, as there is no third part of these data. Another kind of processor rounds"
    yield f"the sums of training otherwise, and comes to other last digits; here: {computers()}."
    yield from quantized_rows()
    yield from large_rows()
    yield from student_rows()


def computers() -> str:
    """Return what trained, for people."""
    found = [result(name) for name, _ in experiments() if not name.startswith("latency-")]
    said = [each["computer"] for each in found if "computer" in each]
    kinds = {f"torch {c['torch']}, {c['instructions']}, threads: {c['threads']}" for c in said}
    left = [f"not said by {len(found) - len(said)} results"] if len(said) < len(found) else []
    return "; ".join([*sorted(kinds), *left])


def quantized_rows() -> Iterator[str]:
    """Yield how much int8 and int4 cost each network."""
    yield ""
    yield "## int8 and int4"
    yield ""
    yield "| network | of | float | PTQ int8 | QAT int8 | QAT int4 | minutes |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for network in NETWORKS:
        trained = result(network)
        found = [result(f"{network}-{way}") for way in WAYS]
        scores = " | ".join(map(score_against_float, found))
        minutes = (trained["seconds"] + sum(map(seconds, found))) / 60
        measure, score = trained["measure"], percent(trained["float_score"])
        yield f"| {network} | {measure} | {score} | {scores} | {minutes:.0f} |"


def large_rows() -> Iterator[str]:
    """Yield what pruning, zeros and all together do to the large network."""
    baseline, base_time = result("cifar10-large-ptq"), latency("ptq")
    yield ""
    yield f"## cifar10-large on the virtual {BOARD}"
    yield ""
    yield "Weights are all constants as the board stores them, tables of kernels and biases among"
    yield "them; encoded filters those that are stored with 4 bits or without zeros, against int8."
    yield "Latencies are simulated. In brackets: against the network as it was, quantized (ptq)."
    yield ""
    yield (
        "| recipe | accuracy | against float | MACs | zeros | weights | encoded filters | "
        "latency | minutes |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for recipe in ("ptq", "int4", *LARGE):
        row = result(f"cifar10-large-{recipe}")
        stage, first = last(row), row["stages"][0]
        size = row["smallest_bytes"]
        ratio = size / baseline["smallest_bytes"]
        time = latency(recipe)
        yield (
            f"| {recipe} | {percent(stage['score'])} | {points(stage['score'], first['score'])} | "
            f"{stage['macs'] / 1e6:.1f} M | {100 * stage['zeros']:.0f} % | "
            f"{size:,} B ({ratio:.2f}) | {encoded_filters(recipe)} | "
            f"{1000 * time:.1f} ms ({base_time / time:.2f}x faster) | {seconds(row) / 60:.0f} |"
        )


def encoded_filters(name: str) -> str:
    """Return what filters take that are stored in fewer bytes than int8 takes."""
    kinds = result(f"latency-{name}")["filters"].values()
    stored, int8 = (sum(kind[key] for kind in kinds) for key in ("stored_bytes", "int8_bytes"))
    return f"{stored:,} of {int8:,} B ({stored / int8:.2f})" if int8 else "none"


def student_rows() -> Iterator[str]:
    """Yield what a teacher gives."""
    yield ""
    yield "## A teacher"
    yield ""
    yield "cifar10-small, 4 epochs from nothing, alone and with cifar10-large as its teacher; in"
    yield "real numbers."
    yield ""
    yield "| seed | alone | taught | minutes |"
    yield "|---|--:|--:|--:|"
    sums = [0.0, 0.0]
    for seed in SEEDS:
        rows = [result(f"student-{way}-{seed}") for way in ("alone", "taught")]
        scores = [row["float_score"] for row in rows]
        sums = [total + score for total, score in zip(sums, scores, strict=True)]
        minutes = sum(row["seconds"] for row in rows) / 60
        yield f"| {seed} | {percent(scores[0])} | {percent(scores[1])} | {minutes:.0f} |"
    means = [total / len(SEEDS) for total in sums]
    yield f"| mean | {percent(means[0])} | {percent(means[1])} ({points(means[1], means[0])}) | |"


def score_against_float(row: Row) -> str:
    """Return the score of a deployed network, and how much it is off that of real numbers."""
    score = last(row)["score"]
    return f"{percent(score)} ({points(score, row['stages'][0]['score'])})"


def last(row: Row) -> Row:
    """Return the deployed network of a result."""
    stage: Row = row["stages"][-1]
    return stage


def latency(name: str) -> float:
    """Return the simulated seconds of an inference."""
    return float(result(f"latency-{name}")["latency_ms"]) / 1000


def seconds(row: Row) -> float:
    """Return how long a compression took."""
    return float(sum(stage["seconds"] for stage in row["stages"]))


def percent(share: float) -> str:
    """Return a share for people."""
    return f"{100 * share:.2f} %"


def points(share: float, other: float) -> str:
    """Return a difference of shares for people."""
    return f"{round(100 * (share - other), 2) + 0.0:+.2f}"  # no -0.00


if __name__ == "__main__":
    main()
