"""Writes tests/data/ops/rope_vectors.h: inverse frequencies and attention factors of every kind of RoPE
scaling, from the formulas of transformers 4.57 (modeling_rope_utils.py), evaluated in float64 with numpy.

usage: python3 tests/oracles/rope_vectors.py > tests/data/ops/rope_vectors.h
"""
import math
import textwrap

import numpy as np


def plain(theta, size):
    return 1.0 / theta ** (np.arange(0, size, 2, dtype=np.float64) / size)


def linear(theta, size, factor):
    return plain(theta, size) / factor


def llama3(theta, size, factor, low, high, context):
    frequency = plain(theta, size)
    wavelength = 2 * math.pi / frequency
    scaled = np.where(wavelength > context / low, frequency / factor, frequency)
    smooth = (context / wavelength - low) / (high - low)
    smoothed = (1 - smooth) * scaled / factor + smooth * scaled
    is_medium = ~(wavelength < context / high) & ~(wavelength > context / low)
    return np.where(is_medium, smoothed, scaled)


def yarn(theta, size, factor, context, fast=32.0, slow=1.0, attention=None):
    def dimension(rotations):
        return size * math.log(context / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low, high = max(math.floor(dimension(fast)), 0), min(math.ceil(dimension(slow)), size - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(size // 2, dtype=np.float64) - low) / (high - low), 0, 1)
    extrapolated, interpolated = plain(theta, size), plain(theta, size) / factor
    keep = 1 - ramp
    if attention is None:
        attention = 0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0
    return interpolated * (1 - keep) + extrapolated * keep, attention


def emit(name, options, frequency, attention=1.0):
    numbers = ", ".join(f"{x:.17g}" for x in frequency)
    row = f"{{\"{name}\", {{{options}}}, {attention:.17g}, {{{numbers}}}}},"
    print(textwrap.fill(row, 108, initial_indent="    ", subsequent_indent="     ", break_on_hyphens=False))


def main():
    print("/* Made by tests/oracles/rope_vectors.py. */")
    emit("plain", ".rotary_size = 8, .theta = 10000", plain(10000.0, 8))
    emit("plain, large theta", ".rotary_size = 16, .theta = 1000000", plain(1e6, 16))
    emit("linear", ".rotary_size = 8, .theta = 10000, .scaling = ROPE_SCALING_LINEAR, .factor = 8",
         linear(1e4, 8, 8.0))
    kind = ".scaling = ROPE_SCALING_LLAMA3, .low_frequency_factor = 1, .high_frequency_factor = 4"
    emit("llama3 of Llama 3.2",
         f".rotary_size = 64, .theta = 500000, {kind}, .factor = 32, .original_context = 8192",
         llama3(5e5, 64, 32.0, 1.0, 4.0, 8192))
    emit("llama3, short context",
         f".rotary_size = 16, .theta = 10000, {kind}, .factor = 8, .original_context = 64",
         llama3(1e4, 16, 8.0, 1.0, 4.0, 64))
    kind = ".scaling = ROPE_SCALING_YARN"
    emit("yarn of Qwen",
         f".rotary_size = 64, .theta = 1000000, {kind}, .factor = 4, .original_context = 32768",
         *yarn(1e6, 64, 4.0, 32768))
    emit("yarn, small", f".rotary_size = 16, .theta = 10000, {kind}, .factor = 16, .original_context = 32",
         *yarn(1e4, 16, 16.0, 32))
    emit("yarn, own betas",
         f".rotary_size = 32, .theta = 10000, {kind}, .factor = 2.5, .original_context = 4096, "
         ".beta_fast = 16, .beta_slow = 2, .attention_factor = 1.25",
         *yarn(1e4, 32, 2.5, 4096, 16.0, 2.0, 1.25))
    emit("yarn, empty ramp", f".rotary_size = 4, .theta = 10000, {kind}, .factor = 2, .original_context = 4",
         *yarn(1e4, 4, 2.0, 4))


if __name__ == "__main__":
    main()
