"""How near a quantized network is to the float one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near the int8 network is to the float one, on calibration samples.

    Attributes:
        samples: that were compared.
        same_class: of these, how often the largest output is the same.
        signal_to_noise_db: power of the float outputs over that of their differences.
    """

    samples: int
    same_class: int
    signal_to_noise_db: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What became of a float network.

    Attributes:
        samples: whose ranges were observed.
        agreement: with the network as it was trained.
    """

    samples: int
    agreement: Agreement
