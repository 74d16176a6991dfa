#!/usr/bin/env python3
"""Writes tests/data/quant/: random stored blocks and what the PyPI package `gguf` (numpy readers, written
independently of this library) makes of them.

    pip install gguf==0.19.0 numpy && tests/oracles/quant_vectors.py tests/data/quant

NAME.bin    u32 type, u32 weights, stored bytes, f32 expected[weights]
encode.bin  u32 weights, f32 x[weights], then for each type: u32 type, u32 bytes, stored bytes
All little-endian. The expected values must be met bit for bit (any NaN for a NaN)."""
import os
import struct
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf import quants

# Where f16 scales lie in a block, and how many blocks are wanted (enough to name every point of a grid).
TYPES = {
    T.Q8_0: ([0], 24), T.Q4_0: ([0], 24), T.Q4_1: ([0, 2], 24), T.Q5_0: ([0], 24), T.Q5_1: ([0, 2], 24),
    T.IQ4_NL: ([0], 24), T.MXFP4: ([], 24),
    T.Q2_K: ([80, 82], 12), T.Q3_K: ([108], 12), T.Q4_K: ([0, 2], 12), T.Q5_K: ([0, 2], 12),
    T.Q6_K: ([208], 12),
    T.IQ4_XS: ([0], 12), T.TQ1_0: ([52], 12), T.TQ2_0: ([64], 12),
    T.IQ2_XXS: ([0], 12), T.IQ2_XS: ([0], 20), T.IQ2_S: ([0], 36), T.IQ3_XXS: ([0], 10), T.IQ3_S: ([0], 14),
}
EXTREME_HALVES = [0x0000, 0x8000, 0x0001, 0x7BFF, 0x7C00, 0x7E01]  # 0, -0, subnormal, largest, infinity, NaN


def put_halves(blocks, column, halves):
    blocks[: len(halves), column] = halves & 0xFF
    blocks[: len(halves), column + 1] = halves >> 8


def every_grid_point(kind, blocks):
    """Counts the index fields up so that each point of the grid occurs."""
    count = len(blocks)
    if kind == T.IQ2_XXS:
        index = np.arange(count * 32).reshape(count, 8, 4)
        for group in range(8):
            blocks[:, 2 + 8 * group : 6 + 8 * group] = index[:, group] & 255
    elif kind == T.IQ2_XS:
        index = np.arange(count * 32).reshape(count, 32)
        blocks[:, 2:66:2] = index & 255
        blocks[:, 3:67:2] = (blocks[:, 3:67:2] & 0xFE) | (index >> 8 & 1)
    elif kind == T.IQ2_S:
        index = np.arange(count * 32).reshape(count, 32)
        blocks[:, 2:34] = index & 255
        high = (index >> 8 & 3).reshape(count, 8, 4)
        blocks[:, 66:74] = (high << np.array([0, 2, 4, 6])).sum(axis=-1)
    elif kind in (T.IQ3_XXS, T.IQ3_S):
        index = np.arange(count * 64).reshape(count, 64)
        blocks[:, 2:66] = index & 255
        if kind == T.IQ3_S:
            high = (index >> 8 & 1).reshape(count, 8, 8)
            blocks[:, 66:74] = (high << np.arange(8)).sum(axis=-1)


def write_decode(folder, rng):
    for kind, (scale_columns, count) in TYPES.items():
        weights, size = GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        every_grid_point(kind, blocks)
        for turn, column in enumerate(scale_columns):
            scales = (rng.standard_normal(count) * 0.02).astype(np.float16).view(np.uint16)
            for i, half in enumerate(EXTREME_HALVES):
                scales[(i + turn) % count] = half
            put_halves(blocks, column, scales)
        if kind == T.MXFP4:
            blocks[:, 0] = rng.integers(100, 140, count)
            blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
        with np.errstate(all="ignore"):
            expected = quants.dequantize(blocks, kind).astype("<f4")
        with open(os.path.join(folder, f"{kind.name.lower()}.bin"), "wb") as f:
            f.write(struct.pack("<II", int(kind), count * weights) + blocks.tobytes() + expected.tobytes())


def write_encode(folder, rng):
    x = rng.standard_normal((10, 32)).astype("<f4")
    x[1] = 0
    x[2] = 0
    x[2, 7] = -3.25
    x[3] *= 1e4
    x[4] *= 1e-6
    x[5] = 1.5
    x[6] = np.abs(x[6])
    x[7] = -np.abs(x[7])
    x[8] = np.arange(32) - 15.5
    x = x.reshape(1, -1)
    with open(os.path.join(folder, "encode.bin"), "wb") as f:
        f.write(struct.pack("<I", x.size) + x.tobytes())
        for kind in (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.BF16, T.F16):
            data = quants.quantize(x, kind).tobytes()
            f.write(struct.pack("<II", int(kind), len(data)) + data)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    write_decode(folder, np.random.default_rng(20261124))
    write_encode(folder, np.random.default_rng(7))


main()
