"""The verbs as functions: each chains the stages and does nothing else."""

from penstock.api.benchmarking import bench_models, bench_ops
from penstock.api.compiling import compile  # noqa: A004 - the verb that the field uses
from penstock.api.compressing import Notices, compress, is_first_process, sensitivity
from penstock.api.designing import build, quantize
from penstock.api.evaluating import accuracy
from penstock.api.inspecting import board, boards, inspect, load_model
from penstock.api.running import compare, run, simulate
from penstock.api.zoo import ZooTraining, train_zoo, zoo, zoo_network
from penstock.bench.kernel_costs import KernelCost
from penstock.bench.models import ModelBenchmark, ModelTiming
from penstock.bench.operators import OperatorBenchmark
from penstock.bench.throughput import Throughput
from penstock.design.calibration import Calibration, CalibrationOptions
from penstock.design.compression.choices import Criterion, Pattern, WeightFormat
from penstock.design.compression.recipe import (
    DistillStep,
    PruneStep,
    QuantizeStep,
    Recipe,
    SparsifyStep,
    TrainStep,
)
from penstock.design.compression.recipe_files import load_recipe
from penstock.design.compression.results import StageResult
from penstock.design.data import DATA_SETS
from penstock.design.learning.options import Augmentation, Optimizer, TrainingOptions
from penstock.design.published import NetworkOptions
from penstock.frontends.samples import PixelScaling
from penstock.ir.tensor import Array, Tensor
from penstock.ir.text import format_graph
from penstock.machines import RunOutcome
from penstock.pipeline import CompileOptions
from penstock.planning.estimate.coefficients import CoreCoefficients, format_coefficients
from penstock.planning.options import PlanOptions
from penstock.planning.variants import Variant
from penstock.quantize.histograms import RangeRule
from penstock.report.accuracy import AccuracyResult
from penstock.report.building import BuildResult, BuiltNetwork
from penstock.report.comparison import Comparison, VariantResult
from penstock.report.compressing import Compressed, CompressResult, SensitivityResult
from penstock.report.estimation import EstimateResult
from penstock.report.inspection import Inspection, describe_tensor
from penstock.report.program import ProgramResult
from penstock.report.quantizing import Quantized, QuantizeResult
from penstock.report.zoo import ZooResult
from penstock.simulate.program_options import DEFAULT_PROGRAM_OPTIONS, ProgramOptions

__all__ = [
    "DATA_SETS",
    "DEFAULT_PROGRAM_OPTIONS",
    "AccuracyResult",
    "Array",
    "Augmentation",
    "BuildResult",
    "BuiltNetwork",
    "Calibration",
    "CalibrationOptions",
    "Comparison",
    "CompileOptions",
    "CompressResult",
    "Compressed",
    "CoreCoefficients",
    "Criterion",
    "DistillStep",
    "EstimateResult",
    "Inspection",
    "KernelCost",
    "ModelBenchmark",
    "ModelTiming",
    "NetworkOptions",
    "Notices",
    "OperatorBenchmark",
    "Optimizer",
    "Pattern",
    "PixelScaling",
    "PlanOptions",
    "ProgramOptions",
    "ProgramResult",
    "PruneStep",
    "QuantizeResult",
    "QuantizeStep",
    "Quantized",
    "RangeRule",
    "Recipe",
    "RunOutcome",
    "SensitivityResult",
    "SparsifyStep",
    "StageResult",
    "Tensor",
    "Throughput",
    "TrainStep",
    "TrainingOptions",
    "Variant",
    "VariantResult",
    "WeightFormat",
    "ZooResult",
    "ZooTraining",
    "accuracy",
    "bench_models",
    "bench_ops",
    "board",
    "boards",
    "build",
    "compare",
    "compile",
    "compress",
    "describe_tensor",
    "format_coefficients",
    "format_graph",
    "inspect",
    "is_first_process",
    "load_model",
    "load_recipe",
    "quantize",
    "run",
    "sensitivity",
    "simulate",
    "train_zoo",
    "zoo",
    "zoo_network",
]
