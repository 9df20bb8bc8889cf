"""Make examples/cifar10.tflite: a small image classifier, trained, quantized and written.

Run as ``python -m penstock.design.recipes.cifar10 --data FOLDER --output FILE``; FOLDER holds the
data set as ``train/CLASS/*.jpg`` (or .png) and ``test/CLASS/*.jpg``.
"""

import time
from pathlib import Path

import click
import numpy as np
import torch

from penstock.design.datasets import ImageArray, LabelledImages, load_labelled_images
from penstock.design.evaluation import predict_int8
from penstock.design.export import export_float_graph, observe_ranges
from penstock.design.networks import BlockSpec, Classifier, NetworkSpec, build_classifier
from penstock.design.training import EpochResult, TrainingOptions, accuracy, predict, train
from penstock.frontends.tflite import write_model
from penstock.ir.graph import Graph
from penstock.quantize.post_training import quantize_graph

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

NETWORK = NetworkSpec(
    resolution=32,
    stem_channels=16,
    blocks=(
        BlockSpec(channels=24, expansion=2, stride=2),
        BlockSpec(channels=24, expansion=3, stride=1),
        BlockSpec(channels=24, expansion=3, stride=1),
        BlockSpec(channels=48, expansion=3, stride=2),
        BlockSpec(channels=48, expansion=3, stride=1),
        BlockSpec(channels=48, expansion=3, stride=1),
        BlockSpec(channels=72, expansion=3, stride=2),
        BlockSpec(channels=72, expansion=3, stride=1),
    ),
    head_channels=128,
    classes=len(CLASSES),
)

DEFAULTS = TrainingOptions()
CALIBRATION_IMAGES = 1000
THREADS = 2  # a fixed number, since it changes the order of sums and so the last bits


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with train/CLASS/*.jpg and test/CLASS/*.jpg.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The .tflite file to write.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=DEFAULTS.epochs, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULTS.seed, show_default=True)
def main(data: Path, output: Path, epochs: int, seed: int) -> None:
    """Train on CIFAR-10, quantize to int8, and write a .tflite file."""
    torch.set_num_threads(THREADS)
    training, test = (
        load_labelled_images(data / part, CLASSES, NETWORK.resolution) for part in ("train", "test")
    )
    click.echo(f"{len(training.labels)} training images, {len(test.labels)} test images")
    network = build_classifier(NETWORK, seed)
    _train_with_progress(network, training, TrainingOptions(epochs=epochs, seed=seed))
    float_accuracy = accuracy(predict(network, test.images), test.labels)
    click.echo(f"float test accuracy {100 * float_accuracy:.2f} %")
    graph = export_quantized(network, training.images, seed)
    output.write_bytes(write_model(graph))
    int8_accuracy = accuracy(predict_int8(graph, test.images), test.labels)
    click.echo(f"int8 test accuracy {100 * int8_accuracy:.2f} %")
    click.echo(f"wrote {output}, {output.stat().st_size} bytes")


def export_quantized(network: Classifier, images: ImageArray, seed: int) -> Graph:
    """Return the int8 graph, calibrated on `CALIBRATION_IMAGES` images drawn with the seed."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(images))[:CALIBRATION_IMAGES]
    return quantize_graph(
        export_float_graph(network, "cifar10"), observe_ranges(network, images[chosen])
    )


def _train_with_progress(
    network: Classifier, data: LabelledImages, options: TrainingOptions
) -> None:
    started = time.monotonic()

    def report(result: EpochResult) -> None:
        minutes = (time.monotonic() - started) / 60
        click.echo(
            f"epoch {result.epoch:3d}/{options.epochs}  loss {result.loss:.3f}  "
            f"training accuracy {100 * result.accuracy:.1f} %  {minutes:.1f} min"
        )

    train(network, data, options, report)


if __name__ == "__main__":
    main()
