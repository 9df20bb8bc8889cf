"""Spoken digits as log-mel spectrograms.

Source of the recordings: Free Spoken Digit Dataset, whose own split is used: recordings 0 to 4 of
each speaker and digit are for testing.
"""

import re
import wave
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from penstock.design.data.files import open_tree
from penstock.design.data.sets import DataSet, Samples
from penstock.errors import InputError
from penstock.progress import Progress

SAMPLE_RATE = 8000  # Hz
WINDOW = 256  # samples: 32 ms
STEP = 160  # samples: 20 ms
DURATION = 7776  # samples that are looked at: 48 windows, a number that halves well
BANDS = 32
SHAPE = (1 + (DURATION - WINDOW) // STEP, BANDS, 1)
_LOW, _HIGH = 60.0, 3900.0  # Hz
_FLOOR = 1e-6  # of power: what is quieter is silence
_TEST_RECORDINGS = 5
_FULL_SCALE = 32768.0
_NAME = re.compile(r"([0-9])_[^_]+_([0-9]{1,9})\.wav")

RealArray = npt.NDArray[np.float32]


def load_spoken_digits(
    path: Path, shape: tuple[int, ...], _seed: int, progress: Progress
) -> DataSet:
    """Return spectrograms `SHAPE` of all recordings ``DIGIT_SPEAKER_NUMBER.wav``.

    Raises:
        InputError: the network takes another shape, or a recording cannot be read.
    """
    if shape != SHAPE:
        raise InputError(
            f"spectrograms of spoken digits are {list(SHAPE)}, the network takes {list(shape)}",
            help="make a network for that shape, or give spectrograms of your own as .npz",
        )
    parts: tuple[list[tuple[RealArray, int]], ...] = ([], [])
    with open_tree(path) as tree:
        names = [name for name in tree.names if name.endswith(".wav")]
        for position, name in enumerate(names):
            digit, number = _digit_and_number(name)
            with tree.open(name) as file:
                spectrogram = log_mel(_read(file, name))
            parts[number < _TEST_RECORDINGS].append((spectrogram, digit))
            progress("making spectrograms", (position + 1) / len(names))
    if not all(parts):
        raise InputError(
            f"{str(path)!r} holds {len(parts[0])} recordings to learn from and {len(parts[1])} to "
            f"test with; there must be some of both",
            help=f"recordings 0 to {_TEST_RECORDINGS - 1} of each speaker are for testing; "
            "fetch the whole set again",
        )
    training, test = (
        Samples(np.stack([value for value, _ in part]), np.array([n for _, n in part], np.int64))
        for part in parts
    )
    return DataSet("spoken-digits", training, test, tuple(str(digit) for digit in range(10)))


def _digit_and_number(name: str) -> tuple[int, int]:
    found = _NAME.fullmatch(Path(name).name)
    if found is None:
        raise InputError(
            f"{name!r} is not named as spoken digits are: DIGIT_SPEAKER_NUMBER.wav",
            help="take other files out of the archive",
        )
    return int(found[1]), int(found[2])


def _read(file: IO[bytes], name: str) -> RealArray:
    try:
        with wave.open(file) as recording:
            form = recording.getframerate(), recording.getnchannels(), recording.getsampwidth()
            frames = recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(
            f"{name} is no readable recording: {error}", help="fetch the set again"
        ) from error
    if form != (SAMPLE_RATE, 1, 2):
        raise InputError(
            f"{name} has {form[0]} Hz, {form[1]} channels of {8 * form[2]} bits; "
            f"{SAMPLE_RATE} Hz, 1 channel of 16 bits are wanted",
            help="fetch the set again: its recordings are all like that",
        )
    whole = len(frames) // 2 * 2  # a file cut short may end within a sample
    return np.frombuffer(frames[:whole], "<i2").astype(np.float32) / np.float32(_FULL_SCALE)


def log_mel(sound: RealArray) -> RealArray:
    """Return the spectrogram `SHAPE` of the middle of a sound: 0 for silence, about 1 for loud.

    Args:
        sound: of -1 to 1, at `SAMPLE_RATE`; what is shorter than `DURATION` gets silence on both
            sides.
    """
    missing = max(0, DURATION - len(sound))
    padded = np.pad(sound, (missing // 2, missing - missing // 2))
    start = (len(padded) - DURATION) // 2
    middle = padded[start : start + DURATION]
    frames = np.lib.stride_tricks.sliding_window_view(middle, WINDOW)[::STEP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2 / WINDOW
    bands = power @ _mel_filters().T
    decades = np.log10(np.maximum(bands, _FLOOR)) - np.log10(_FLOOR)
    return np.asarray(decades / -np.log10(_FLOOR), np.float32)[..., np.newaxis]


def _mel_filters() -> npt.NDArray[np.float64]:
    """Return triangles ``[BANDS, frequencies]``, evenly spread over mel.

    Source: O'Shaughnessy, "Speech Communication", 1987: m = 2595 log10(1 + f / 700).
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOW, _HIGH))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    rising = (frequencies - edges[:-2, np.newaxis]) / (edges[1:-1] - edges[:-2])[:, np.newaxis]
    falling = (edges[2:, np.newaxis] - frequencies) / (edges[2:] - edges[1:-1])[:, np.newaxis]
    return np.maximum(0.0, np.minimum(rising, falling))
