"""The verbs as functions: each chains the stages and does nothing else."""

from penstock.api.benchmarking import bench_models, bench_ops
from penstock.api.compiling import compile  # noqa: A004 - the verb that the field uses
from penstock.api.designing import build, quantize
from penstock.api.evaluating import accuracy
from penstock.api.inspecting import board, boards, inspect, load_model
from penstock.api.running import compare, run, simulate
from penstock.bench.kernel_costs import KernelCost
from penstock.bench.models import ModelBenchmark, ModelTiming
from penstock.bench.operators import OperatorBenchmark
from penstock.bench.throughput import Throughput
from penstock.design.calibration import Calibration, CalibrationOptions
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
from penstock.report.estimation import EstimateResult
from penstock.report.inspection import Inspection, describe_tensor
from penstock.report.program import ProgramResult
from penstock.report.quantizing import Quantized, QuantizeResult
from penstock.simulate.program_options import DEFAULT_PROGRAM_OPTIONS, ProgramOptions

__all__ = [
    "DEFAULT_PROGRAM_OPTIONS",
    "AccuracyResult",
    "Array",
    "BuildResult",
    "BuiltNetwork",
    "Calibration",
    "CalibrationOptions",
    "Comparison",
    "CompileOptions",
    "CoreCoefficients",
    "EstimateResult",
    "Inspection",
    "KernelCost",
    "ModelBenchmark",
    "ModelTiming",
    "NetworkOptions",
    "OperatorBenchmark",
    "PixelScaling",
    "PlanOptions",
    "ProgramOptions",
    "ProgramResult",
    "QuantizeResult",
    "Quantized",
    "RangeRule",
    "RunOutcome",
    "Tensor",
    "Throughput",
    "Variant",
    "VariantResult",
    "accuracy",
    "bench_models",
    "bench_ops",
    "board",
    "boards",
    "build",
    "compare",
    "compile",
    "describe_tensor",
    "format_coefficients",
    "format_graph",
    "inspect",
    "load_model",
    "quantize",
    "run",
    "simulate",
]
