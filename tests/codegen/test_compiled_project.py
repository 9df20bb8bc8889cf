"""Projects compile without a warning wherever they should, and do what their header says."""

import ctypes
import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from penstock.boards import Core
from penstock.codegen import emit_project
from penstock.codegen.project_files import write_project
from penstock.errors import GraphError, InputError
from penstock.ir.dtype import DType
from penstock.ir.graph import Graph
from penstock.ir.interpreter import initial_state, run
from penstock.ir.operators import Maximum
from penstock.ir.quantization import QuantizationParameters
from penstock.ir.tensor import Tensor
from penstock.pipeline import lower
from penstock.planning import ExecutionPlan
from penstock.toolchain import (
    WARNING_FLAGS,
    Compiler,
    HostModel,
    compile_objects,
    compile_shared_library,
    find_host_compiler,
    find_target_compiler,
    process,
)
from tests.codegen.tiny_models import classifier, plan_of, recurrent
from tests.planning.replay import run_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "cifar10.tflite"
STRICT = (*WARNING_FLAGS, "-Wpedantic", "-Wshadow", "-Wmissing-prototypes")


def _write(plan: ExecutionPlan, folder: Path) -> list[Path]:
    """Write a project; return its C files without the harness."""
    files = emit_project(plan)
    for relative, content in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    names = [name for name in files if name.endswith(".c") and not name.endswith("_harness.c")]
    return [folder / name for name in names]


def _load(graph: Graph, folder: Path) -> HostModel:
    sources = _write(plan_of(graph), folder)
    return HostModel(compile_shared_library(sources, folder / "model.so", [folder]), graph.name)


def _compiler(name: str) -> Compiler:
    kind, family = name.split("-")
    if family == "gcc" and not shutil.which("gcc" if kind == "host" else "arm-none-eabi-gcc"):
        pytest.skip(f"no gcc for the {kind}")
    if family == "zig":
        pytest.importorskip("ziglang")
    if kind == "host":
        return find_host_compiler(family)
    return find_target_compiler(Core("cortex-m7", "fpv5-sp-d16"), family)


@pytest.mark.parametrize("make", [classifier, recurrent])
@pytest.mark.parametrize("name", ["host-gcc", "host-zig", "target-gcc", "target-zig"])
def test_every_file_compiles_without_a_warning(tmp_path: Path, name: str, make: type) -> None:
    graph = make()
    sources = [*_write(plan_of(graph), tmp_path), tmp_path / f"{graph.name}_harness.c"]
    compile_objects(_compiler(name), sources, tmp_path / "objects", [tmp_path], flags=STRICT)


def _inputs(graph: Graph, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    return [random.integers(-128, 128, shape, np.int8) for shape in shapes]


def test_the_classifier_agrees_with_the_interpreter(tmp_path: Path) -> None:
    graph = classifier()
    with _load(graph, tmp_path) as model:
        for seed in range(3):
            inputs = _inputs(graph, seed)
            for found, expected in zip(model.run(inputs), run(graph, inputs), strict=True):
                assert np.array_equal(found, expected)


def test_running_step_by_step_is_running(tmp_path: Path) -> None:
    graph = classifier()
    inputs = _inputs(graph, 0)
    with _load(graph, tmp_path) as model:
        whole = model.run(inputs)
        model.write_inputs(inputs)
        for step in range(model.operator_count):
            model.run_range(step, step + 1)
        assert all(map(np.array_equal, model.read_outputs(), whole))


def test_every_step_leaves_its_tensor_in_the_arena(tmp_path: Path) -> None:
    graph = classifier()
    plan = plan_of(graph)
    inputs = _inputs(graph, 0)
    with _load(graph, tmp_path) as model:
        model.write_inputs(inputs)
        model.run_range(0, 1)
        content = model.read_block(
            "arena", plan.arena.offset_bytes["features"], graph.tensors["features"].size_bytes
        )
    features = dataclasses.replace(graph, outputs=("features",), operators=graph.operators[:1])
    assert content == run(features, inputs)[0].tobytes()


def test_state_survives_runs_and_init_clears_it(tmp_path: Path) -> None:
    graph = recurrent()
    state = initial_state(graph)
    sounds = [_inputs(graph, seed) for seed in range(4)]
    expected = [run(graph, sound, state=state)[0] for sound in sounds]
    with _load(graph, tmp_path) as model:
        for _ in range(2):
            model.init()
            found = [model.run(sound)[0] for sound in sounds]
            assert all(map(np.array_equal, found, expected))
        assert model.read_block("state", 0, 16) == state["memory"].tobytes()
    assert not np.array_equal(expected[0], run(graph, sounds[1])[0])


@pytest.mark.parametrize(("dtype", "zero_point"), [(DType.INT8, -3), (DType.INT16, 300)])
def test_state_starts_at_its_zero_point_in_every_element(
    tmp_path: Path, dtype: DType, zero_point: int
) -> None:
    """A variable that nothing writes is legal, and bytes alone cannot fill wider elements."""
    quantization = QuantizationParameters.per_tensor(0.5, zero_point)
    tensors = [
        Tensor("x", (1, 5), dtype, quantization),
        Tensor("memory", (1, 5), dtype, quantization, is_variable=True),
        Tensor("y", (1, 5), dtype, quantization),
    ]
    graph = Graph.build(
        "keeper", tensors, [Maximum(left="x", right="memory", output="y")], ["x"], ["y"]
    )
    inputs = [np.array([[-100, -1, 0, 1, 100]], dtype.numpy)]
    with _load(graph, tmp_path) as model:
        model.init()
        (found,) = model.run(inputs)
    assert found.tolist() == np.maximum(inputs[0], zero_point).tolist()
    assert np.array_equal(found, run(graph, inputs)[0])


@pytest.mark.parametrize("make", [classifier, recurrent])
def test_the_plan_interpreter_agrees(make: type) -> None:
    graph = make()
    plan = plan_of(graph)
    ours, theirs = initial_state(graph), initial_state(graph)
    for seed in range(3):
        inputs = _inputs(graph, seed)
        found = run_plan(plan, inputs, state=ours)
        assert all(map(np.array_equal, found, run(graph, inputs, state=theirs)))


def test_status_codes(tmp_path: Path) -> None:
    sources = _write(plan_of(classifier()), tmp_path)
    library = ctypes.CDLL(str(compile_shared_library(sources, tmp_path / "m.so", [tmp_path])))
    not_initialized, bad_index = 1, 2
    assert library.tiny_run() == not_initialized
    assert library.tiny_run_range(0, 1) == not_initialized
    assert library.tiny_init() == 0
    assert library.tiny_init() == 0
    assert library.tiny_run() == 0
    assert library.tiny_run_range(0, 4) == 0
    assert library.tiny_run_range(2, 2) == 0
    assert library.tiny_run_range(0, 5) == bad_index
    assert library.tiny_run_range(3, 2) == bad_index
    assert library.tiny_run_range(0, 2**32 - 1) == bad_index
    library.tiny_input.restype = ctypes.c_void_p
    library.tiny_output.restype = ctypes.c_void_p
    assert library.tiny_input(0)
    assert library.tiny_output(1)
    assert library.tiny_input(1) is None
    assert library.tiny_output(2) is None


def test_the_descriptor_says_what_the_graph_says(tmp_path: Path) -> None:
    graph = classifier()
    with _load(graph, tmp_path) as model:
        assert model.operator_names == [
            "op_000_conv_2d",
            "op_001_add",
            "op_002_fully_connected",
            "op_003_softmax",
        ]
        for described, name in zip(
            (*model.inputs, *model.outputs), (*graph.inputs, *graph.outputs), strict=True
        ):
            tensor = graph.tensors[name]
            assert (described.name, described.shape) == (name, tensor.shape)
            assert (described.dtype, described.size_bytes) == (tensor.dtype, tensor.size_bytes)
            assert described.zero_point == tensor.zero_point
            assert described.scale == pytest.approx(tensor.scale, rel=1e-7)
            assert described.address % 16 == 0


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    graph = classifier()
    good = _inputs(graph, 0)
    with _load(graph, tmp_path) as model:
        with pytest.raises(InputError, match="takes 1 inputs, found 2"):
            model.run(good * 2)
        with pytest.raises(InputError, match=r"input 'image' is i8\[1, 6, 6, 1\], found uint8"):
            model.run([good[0].view(np.uint8)])
        with pytest.raises(GraphError, match=r"run_range\(0, 9\) returned status 2"):
            model.run_range(0, 9)
        with pytest.raises(InputError, match="holds no model 'other'"):
            HostModel(tmp_path / "model.so", "other")


def test_sections_can_be_renamed_when_compiling(tmp_path: Path) -> None:
    sources = _write(plan_of(recurrent()), tmp_path)
    names = {"WEIGHTS": ".rodata.mine", "ARENA": ".bss.mine", "STATE": ".bss.too"}
    flags = [f'-DRECURRENT_{what}_SECTION="{name}"' for what, name in names.items()]
    out = compile_shared_library(sources, tmp_path / "m.so", [tmp_path], flags=flags)
    assert b".penstock" not in out.read_bytes()
    plain = compile_shared_library(sources, tmp_path / "p.so", [tmp_path])
    assert b".penstock_arena" in plain.read_bytes()


def test_two_models_share_a_program(tmp_path: Path) -> None:
    one = _write(plan_of(classifier("one")), tmp_path)
    two = _write(plan_of(classifier("two")), tmp_path)
    sources = list(dict.fromkeys([*one, *two]))
    library = compile_shared_library(sources, tmp_path / "both.so", [tmp_path])
    for name in ("one", "two"):
        assert HostModel(library, name).operator_count == 4


MAIN = """
#include "tiny.h"
#include "tiny.h"
int main() {
  if (tiny_init() != PS_OK || tiny_run() != PS_OK) return 1;
  const ps_tensor *output = tiny_output(0);
  return static_cast<int8_t *>(output->data)[0] == 1 && tiny_model.input_count == 1 ? 2 : 0;
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on PATH")
def test_the_header_can_be_used_from_cpp(tmp_path: Path) -> None:
    sources = _write(plan_of(classifier()), tmp_path)
    objects = compile_objects(find_host_compiler(), sources, tmp_path / "objects", [tmp_path])
    (tmp_path / "main.cpp").write_text(MAIN)
    compiler = shutil.which("g++")
    assert compiler is not None
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wpedantic"]
    command = [compiler, *flags, f"-I{tmp_path}", str(tmp_path / "main.cpp"), *map(str, objects)]
    process.run_tool([*command, "-o", str(tmp_path / "program")], {}, purpose="a C++ program")
    process.run_tool([str(tmp_path / "program")], {}, purpose="running it")


def test_the_readme_example_compiles(tmp_path: Path) -> None:
    for graph in (classifier(), recurrent()):
        folder = tmp_path / graph.name
        _write(plan_of(graph), folder)
        readme = (folder / "README.md").read_text()
        example = re.search(r"```c\n(.*?)```", readme, re.DOTALL)
        assert example is not None
        (folder / "example.c").write_text(example[1])
        compile_objects(
            find_host_compiler(), [folder / "example.c"], folder / "o", [folder], flags=STRICT
        )


def test_the_readme_lists_every_source(tmp_path: Path) -> None:
    sources = _write(plan_of(classifier()), tmp_path)
    readme = (tmp_path / "README.md").read_text()
    for source in sources:
        assert f"\n{source.relative_to(tmp_path)}\n" in readme


@pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake on PATH")
def test_cmake_builds_a_program_with_it(tmp_path: Path) -> None:
    _write(plan_of(classifier()), tmp_path / "tiny")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(application LANGUAGES C)\n"
        "add_subdirectory(tiny)\nadd_executable(application main.c)\n"
        "target_link_libraries(application PRIVATE tiny)\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "tiny.h"\n'
        "int main(void) { return tiny_init() == PS_OK && tiny_run() == PS_OK ? 0 : 1; }\n"
    )
    cmake = shutil.which("cmake")
    assert cmake is not None
    build = tmp_path / "build"
    process.run_tool([cmake, "-S", str(tmp_path), "-B", str(build)], {}, purpose="configuring")
    process.run_tool([cmake, "--build", str(build)], {}, purpose="building")
    process.run_tool([str(build / "application")], {}, purpose="running")


SANITIZED_MAIN = """
#include <string.h>
#include "{name}.h"
int main(void) {{
  for (int fill = -128; fill < 128; fill += 51) {{
    if ({name}_init() != PS_OK) return 1;
    const ps_tensor *input = {name}_input(0);
    memset(input->data, fill, input->size_bytes);
    if ({name}_run() != PS_OK) return 1;
  }}
  return 0;
}}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on PATH")
@pytest.mark.parametrize("make", [classifier, recurrent])
def test_sanitizers_find_nothing(tmp_path: Path, make: type) -> None:
    graph = make()
    sources = _write(plan_of(graph), tmp_path)
    (tmp_path / "main.c").write_text(SANITIZED_MAIN.format(name=graph.name))
    gcc = shutil.which("gcc")
    assert gcc is not None
    flags = ["-std=c99", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [gcc, *flags, f"-I{tmp_path}", *map(str, [*sources, tmp_path / "main.c"])]
    process.run_tool([*command, "-o", str(tmp_path / "program")], {}, purpose="sanitizing")
    process.run_tool([str(tmp_path / "program")], {}, purpose="running with sanitizers")


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc on PATH")
def test_tiles_of_kernels_with_scratch_memory_compile_without_a_warning(tmp_path: Path) -> None:
    lowered = lower(EXAMPLE, "stm32f746g-disco")
    assert lowered.plan.overlays is not None
    parted = {t.step for t in lowered.plan.overlays.tiles}
    assert len(lowered.plan.overlays.tiles) > len(parted)
    write_project(lowered.files, tmp_path / "project")
    command = ["gcc", "-std=c99", "-fsyntax-only", *STRICT, f"-I{tmp_path / 'project'}"]
    command += [f"-I{tmp_path / 'project' / 'dma'}", str(tmp_path / "project" / "cifar10.c")]
    process.run_tool(command, {}, purpose="compiling tiles")
