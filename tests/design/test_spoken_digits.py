"""Spoken digits become spectrograms: against sums written out, and whatever files there are."""

import math
import wave
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.design.data import load_data_set
from penstock.design.data.spoken_digits import SHAPE, log_mel
from penstock.errors import InputError

RATE, WINDOW, STEP, BANDS, LENGTH = 8000, 256, 160, 32, 7776


def slow_band(frame: np.ndarray, band: int) -> float:
    """One value of a spectrogram: a discrete Fourier transform and a triangle, term by term."""
    lowest, highest = (2595 * math.log10(1 + f / 700) for f in (60, 3900))
    mels = [lowest + (highest - lowest) * n / (BANDS + 1) for n in range(BANDS + 2)]
    left, top, right = (700 * (10 ** (m / 2595) - 1) for m in mels[band : band + 3])
    times = np.arange(WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * math.pi * times / (WINDOW - 1))
    total = 0.0
    for number in range(WINDOW // 2 + 1):
        frequency = number * RATE / WINDOW
        if left < frequency < right:
            angle = 2 * math.pi * number * times / WINDOW
            real = float(np.sum(frame * window * np.cos(angle)))
            imaginary = float(np.sum(frame * window * np.sin(angle)))
            rising, falling = (frequency - left) / (top - left), (right - frequency) / (right - top)
            total += min(rising, falling) * (real**2 + imaginary**2) / WINDOW
    return (math.log10(max(total, 1e-6)) + 6) / 6


def sound(length: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    tone = np.sin(2 * math.pi * generator.uniform(100, 3500) / RATE * np.arange(length))
    return (0.3 * tone + 0.05 * generator.normal(size=length)).astype(np.float32)


@given(
    length=st.integers(0, 3 * LENGTH),
    seed=st.integers(0, 1000),
    step=st.integers(0, SHAPE[0] - 1),
    band=st.integers(0, BANDS - 1),
)
@settings(max_examples=60, deadline=None)
def test_values_are_those_of_the_formula(length: int, seed: int, step: int, band: int) -> None:
    """Of the middle of the sound, with silence on both sides of a short one."""
    given_sound = sound(length, seed)
    found = log_mel(given_sound)
    assert found.shape == SHAPE == (48, 32, 1) and found.dtype == np.float32
    start = (length - LENGTH) // 2 if length > LENGTH else -((LENGTH - length) // 2)
    frame = np.zeros(WINDOW)
    for n in range(WINDOW):
        position = start + step * STEP + n
        if 0 <= position < length:
            frame[n] = given_sound[position]
    assert found[step, band, 0] == pytest.approx(slow_band(frame, band), abs=1e-4)


def test_silence_is_0_and_loud_sounds_are_about_1() -> None:
    for silence in (np.zeros(0, np.float32), np.zeros(LENGTH, np.float32), np.zeros(1, np.float32)):
        np.testing.assert_array_equal(log_mel(silence), 0)
    tone = np.sin(2 * math.pi * 1000 / RATE * np.arange(LENGTH)).astype(np.float32)
    found = log_mel(tone)
    assert 0.9 < found.max() < 1.4 and found.min() >= 0


def test_the_loudest_band_is_that_of_the_tone() -> None:
    peaks = []
    for frequency in (200, 400, 800, 1600, 3200):
        tone = np.sin(2 * math.pi * frequency / RATE * np.arange(LENGTH)).astype(np.float32)
        bands = np.unique(log_mel(tone)[:, :, 0].argmax(axis=1))
        assert len(bands) == 1
        peaks.append(int(bands[0]))
    assert peaks == sorted(set(peaks))


def recording(
    samples: np.ndarray, rate: int = RATE, channels: int = 1, sample_bytes: int = 2
) -> bytes:
    content = BytesIO()
    with wave.open(content, "wb") as writer:
        writer.setframerate(rate)
        writer.setnchannels(channels)
        writer.setsampwidth(sample_bytes)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return content.getvalue()


def save(shared: Path, files: Mapping[str, bytes]) -> None:
    (shared / "data").mkdir(exist_ok=True)
    with zipfile.ZipFile(shared / "data" / "free_spoken_digit_dataset.zip", "w") as writer:
        for name, content in files.items():
            writer.writestr(name, content)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where data sets with a name are looked for."""
    monkeypatch.setenv("PENSTOCK_SHARED", str(tmp_path))
    return tmp_path


def test_recordings_0_to_4_are_for_testing(shared: Path) -> None:
    files = {
        f"recordings/{digit}_jo_{number}.wav": recording(sound(3000, 10 * digit + number))
        for digit in (7, 3)
        for number in (0, 4, 5, 49)
    }
    save(shared, {**files, "README.md": b"words"})
    data = load_data_set("spoken-digits", SHAPE)
    assert data.classes == tuple("0123456789") and not data.has_pixels
    assert data.training.labels.tolist() == [3, 3, 7, 7]
    assert data.test.labels.tolist() == [3, 3, 7, 7]
    heard = np.trunc(sound(3000, 34) * 32767) / 32768
    np.testing.assert_allclose(data.test.values[1], log_mel(heard.astype(np.float32)), atol=1e-6)


GOOD = {"1_jo_0.wav": recording(sound(900)), "1_jo_5.wav": recording(sound(900))}
CUT = GOOD["1_jo_0.wav"][:1001]
BAD: Mapping[str, tuple[Mapping[str, bytes], str]] = {
    "another rate": (
        {"2_jo_0.wav": recording(sound(900), rate=16000)},
        "2_jo_0.wav has 16000 Hz, 1 channels of 16 bits; 8000 Hz, 1 channel of 16 bits are wanted",
    ),
    "stereo": ({"2_jo_0.wav": recording(sound(900), channels=2)}, "8000 Hz, 2 channels of 16"),
    "8 bits": ({"2_jo_0.wav": recording(sound(900), sample_bytes=1)}, "1 channels of 8 bits"),
    "no sound": ({"2_jo_0.wav": b"RIFX"}, "2_jo_0.wav is no readable recording: "),
    "nothing": ({"2_jo_0.wav": b""}, "2_jo_0.wav is no readable recording: "),
    "another name": (
        {"readme.wav": b""},
        "'readme.wav' is not named as spoken digits are: DIGIT_SPEAKER_NUMBER.wav",
    ),
    "letters": ({"a/two_jo_0.wav": b""}, "'a/two_jo_0.wav' is not named as spoken digits are"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_recordings_are_refused(shared: Path, name: str) -> None:
    files, message = BAD[name]
    save(shared, {**GOOD, **files})
    with pytest.raises(InputError) as refused:
        load_data_set("spoken-digits", SHAPE)
    assert message in str(refused.value) and refused.value.help


@pytest.mark.parametrize(("kept", "counts"), [((), (0, 0)), ((0,), (0, 1)), ((1,), (1, 0))])
def test_both_parts_are_needed(
    shared: Path, kept: tuple[int, ...], counts: tuple[int, int]
) -> None:
    save(shared, {list(GOOD)[n]: GOOD[list(GOOD)[n]] for n in kept})
    with pytest.raises(InputError) as refused:
        load_data_set("spoken-digits", SHAPE)
    wanted = f"holds {counts[0]} recordings to learn from and {counts[1]} to test with"
    assert wanted in str(refused.value)


def test_a_recording_cut_short_is_as_long_as_it_is(shared: Path) -> None:
    save(shared, {**GOOD, "2_jo_0.wav": CUT})
    data = load_data_set("spoken-digits", SHAPE)
    assert data.test.labels.tolist() == [1, 2]
    whole = len(CUT) - 44 - (len(CUT) - 44) % 2
    heard = np.frombuffer(CUT[44 : 44 + whole], "<i2") / np.float32(32768)
    np.testing.assert_allclose(data.test.values[1], log_mel(heard.astype(np.float32)), atol=1e-6)


def test_another_shape_is_refused_before_anything_is_read(shared: Path) -> None:
    save(shared, {"readme.wav": b""})
    with pytest.raises(InputError) as refused:
        load_data_set("spoken-digits", (49, 40, 1))
    assert "spectrograms of spoken digits are [48, 32, 1], the network takes [49, 40, 1]" in str(
        refused.value
    )
