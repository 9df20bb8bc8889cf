"""Damaged files: seeded mutations of valid ones, as a disk, a network or an attacker makes them."""

import struct
from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]

HOSTILE_WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def truncate(content: bytes, generator: np.random.Generator) -> bytes:
    """Cut the end off."""
    return content[: int(generator.integers(0, len(content)))]


def flip_bits(content: bytes, generator: np.random.Generator) -> bytes:
    """Flip one to eight bits."""
    damaged = bytearray(content)
    for _ in range(int(generator.integers(1, 9))):
        damaged[int(generator.integers(len(damaged)))] ^= 1 << int(generator.integers(8))
    return bytes(damaged)


def overwrite_word(content: bytes, generator: np.random.Generator) -> bytes:
    """Put an extreme number where an offset, a length or a dimension may be."""
    damaged = bytearray(content)
    position = int(generator.integers(0, max(1, len(damaged) // 4))) * 4
    word = int(generator.choice(HOSTILE_WORDS))
    damaged[position : position + 4] = struct.pack("<I", word)
    return bytes(damaged)


def nudge_word(content: bytes, generator: np.random.Generator) -> bytes:
    """Change a 32-bit number a little: an offset that points beside its target."""
    damaged = bytearray(content)
    position = int(generator.integers(0, max(1, (len(damaged) - 4) // 4))) * 4
    (word,) = struct.unpack_from("<I", damaged, position)
    struct.pack_into("<I", damaged, position, (word + int(generator.integers(-8, 9))) & 0xFFFFFFFF)
    return bytes(damaged)


def splice(content: bytes, generator: np.random.Generator) -> bytes:
    """Copy one stretch of the file over another."""
    damaged = bytearray(content)
    length = int(generator.integers(1, 65))
    source, target = generator.integers(0, max(1, len(damaged) - length), 2)
    damaged[target : target + length] = content[source : source + length]
    return bytes(damaged)


def insert(content: bytes, generator: np.random.Generator) -> bytes:
    """Insert random bytes, so that everything behind them moves."""
    position = int(generator.integers(0, len(content)))
    return content[:position] + generator.bytes(int(generator.integers(1, 9))) + content[position:]


MUTATIONS: tuple[Mutation, ...] = (
    truncate,
    flip_bits,
    flip_bits,
    overwrite_word,
    overwrite_word,
    nudge_word,
    nudge_word,
    splice,
    insert,
)


def mutate(content: bytes, seed: int) -> bytes:
    """Return a mutation of a file, the same for the same seed."""
    generator = np.random.default_rng(seed)
    mutation = MUTATIONS[int(generator.integers(len(MUTATIONS)))]
    return mutation(content, generator)
