"""Networks that learn where to look, and data sets of PyTorch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'design'")

from torch import nn  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

from penstock.design.compression.teachers import Teacher, expect_same_use  # noqa: E402
from penstock.design.data import from_datasets  # noqa: E402
from penstock.design.learning.distillation import (  # noqa: E402
    Distillation,
    attention_distance,
)
from penstock.design.trainable import TrainableGraph  # noqa: E402
from penstock.errors import InputError  # noqa: E402
from tests.design.test_trainable import folded, samples  # noqa: E402

torch.set_num_threads(1)


def test_attention_is_where_squares_are_large() -> None:
    """Zagoruyko and Komodakis 2017, written out."""
    generator = np.random.default_rng(0)
    values = [generator.normal(size=(3, channels, 4, 5)) for channels in (6, 2)]
    maps = [np.square(value).sum(axis=1).reshape(3, -1) for value in values]
    first, second = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in maps)
    found = attention_distance(*map(torch.from_numpy, values))
    assert found.item() == pytest.approx(np.square(first - second).mean())


def triangles(count: int, wanted: int) -> np.ndarray:
    """What each of fewer positions has of each of many: linear filters as wide as the steps."""
    step = count / wanted
    centres = (np.arange(wanted)[:, np.newaxis] + 0.5) * step
    parts = np.maximum(1 - np.abs(np.arange(count) + 0.5 - centres) / step, 0)
    return np.asarray(parts / parts.sum(axis=1, keepdims=True))


def test_attention_of_another_size_is_resized() -> None:
    """The second one's map, after its channels are summed."""
    generator = np.random.default_rng(1)
    small, large = generator.normal(size=(2, 5, 3, 4)), generator.normal(size=(2, 3, 6, 12))
    maps = [
        np.square(small).sum(axis=1),
        triangles(6, 3) @ np.square(large).sum(axis=1) @ triangles(12, 4).T,
    ]
    first, second = (m.reshape(2, -1) / np.linalg.norm(m, axis=(1, 2))[:, None] for m in maps)
    found = attention_distance(torch.from_numpy(small), torch.from_numpy(large))
    assert found.item() == pytest.approx(np.square(first - second).mean())


def test_features_of_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="2 and 4 dimensions"):
        attention_distance(torch.zeros(2, 3), torch.zeros(2, 3, 4, 4))


def test_features_pull_a_network_towards_its_teacher() -> None:
    graph = folded("mobilenet")
    student, teacher = TrainableGraph(graph), Teacher(graph).eval()
    name = next(o.output for o in student.weighted)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.mul_(1 + 0.5 * torch.rand_like(parameter))
    inputs = samples("mobilenet", 8)
    taught = Distillation(teacher, 0.0, 1.0, ((name, name),), 10.0)

    def distance() -> torch.Tensor:
        outputs, seen = taught.forward(student, inputs)
        return taught.add_to(outputs.sum() * 0, outputs, seen, inputs)

    before = distance()
    before.backward()
    with torch.no_grad():
        for parameter in student.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.05 * parameter.grad)
    assert distance().item() < before.item()
    assert all(p.grad is None for p in teacher.parameters())


def test_tensors_that_are_not_there_are_refused() -> None:
    network = TrainableGraph(folded("mobilenet"))
    with pytest.raises(InputError, match="computes no tensor 'nothing'"):
        network.watch(samples("mobilenet", 1), ["nothing"])


def test_features_need_a_network_that_can_be_watched() -> None:
    taught = Distillation(nn.Identity(), features=(("a", "b"),))
    with pytest.raises(InputError, match="features of Linear cannot be seen"):
        taught.forward(nn.Linear(2, 2), torch.zeros(1, 2))


def test_a_teacher_takes_images_of_its_own_size() -> None:
    graph = folded("mobilenet")
    small = torch.rand(2, 3, 8, 8)
    large = nn.functional.interpolate(small, (16, 16), mode="bilinear", antialias=True)
    teacher = Teacher(graph).eval()
    assert torch.equal(teacher(small), teacher(large))
    assert torch.equal(teacher(large), TrainableGraph(graph).eval()(large))


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(InputError, match="the teacher a has inputs"):
        expect_same_use("a", folded("mobilenet"), "b", folded("mixture"))
    expect_same_use("a", folded("mobilenet"), "b", folded("mobilenet"))


def test_data_sets_of_torch_become_arrays() -> None:
    images, labels = torch.rand(6, 3, 4, 5), torch.tensor([0, 1, 2, 0, 1, 2])
    whole = TensorDataset(images, labels)
    data = from_datasets(whole, TensorDataset(images[:2], labels[:2]), ["a", "b", "c"])
    assert data.shape == (4, 5, 3)
    assert not data.has_pixels
    np.testing.assert_array_equal(data.training.values, images.permute(0, 2, 3, 1).numpy())
    assert data.training.labels.tolist() == labels.tolist()
    assert len(data.test) == 2


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [([0, 3], "abc", "labels from 0 to 3, there are 3 classes"), ([], "abc", "without samples")],
)
def test_wrong_data_sets_are_refused(labels: list[int], classes: str, message: str) -> None:
    given = TensorDataset(torch.rand(len(labels), 2), torch.tensor(labels, dtype=torch.int64))
    with pytest.raises(InputError, match=message):
        from_datasets(given, given, list(classes))
