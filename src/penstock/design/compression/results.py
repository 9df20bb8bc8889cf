"""What a stage of compression leaves; without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What an int8 network takes when it is deployed.

    Attributes:
        weight_bytes: of constants, as they are stored on the board; where none was named or it has
            no room for them, in as few bytes as filters can be stored in.
        latency: estimated seconds of an inference; None where there is no estimate.
        why_no_latency: for people; empty where there is one, and where no board was named.
    """

    weight_bytes: int
    latency: float | None
    why_no_latency: str = ""


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """What rounding one layer's filters to 4 bits does.

    Attributes:
        name: of its output.
        kind: of the operator.
        weights: of its filters.
        saved_bytes: that 4 bits save; none where no kernel takes them.
        divergence: of the network's class probabilities, mean over samples, in nats.
    """

    name: str
    kind: str
    weights: int
    saved_bytes: int
    divergence: float


@dataclass(frozen=True, slots=True)
class StageResult:
    """A network as a stage leaves it.

    Attributes:
        stage: ``as given``, or what was done.
        score: how good it is on the test samples, from 0 to 1.
        is_deployed: whether the score is that of the generated C; otherwise of real numbers.
        macs: multiply-accumulates of an inference.
        parameters: weights and biases.
        zeros: share of the weights that are 0.
        cost: of its int8 form.
        seconds: that the stage took, runs before an interruption included.
    """

    stage: str
    score: float
    is_deployed: bool
    macs: int
    parameters: int
    zeros: float
    cost: Cost
    seconds: float
