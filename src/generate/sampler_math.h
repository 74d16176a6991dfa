/* exp and log made of fixed IEEE operations, so that equal logits give equal choices natively and in wasm.
 * Not a general libm: only the ranges that sampling needs. Round to nearest is assumed. */
#ifndef GENERATE_SAMPLER_MATH_H
#define GENERATE_SAMPLER_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* e^x for x <= 0. Relative error below 2e-7; 0 for x < -87 and for NaN. Branch free, so that loops over it
 * vectorise. */
static inline float sampler_exp(float x)
{
    float clamped = x > -87.0f ? x : -87.0f;
    float shifted =
        clamped * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the nearest whole number is in the low bits */
    float whole = shifted - 12582912.0f;
    float r = (clamped - whole * 0.693145752f) - whole * 1.42860677e-6f; /* ln 2 in two parts; |r| <= 0.347 */
    float p = 1.98412698e-4f;                                            /* Taylor to r^7 / 7! */
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits, scale_bits;
    memcpy(&bits, &shifted, sizeof bits);
    scale_bits = (bits << 23) + 0x3F800000u; /* 2^whole; the constant's own bits fall out on the left */
    float scale;
    memcpy(&scale, &scale_bits, sizeof scale);
    return x >= -87.0f ? p * scale : 0.0f;
}

/* Natural log of a positive normal number. Absolute error below 1e-14 for results of sampling's size (|log| <
 * 100). */
double sampler_log(double x);

/* The largest of x[0..count); NaN counts as -INFINITY, as does an empty list. */
float sampler_max(const float *x, size_t count);

/* Sum of e^((x - max) * scale) over x[0..count); every x <= max, max finite. The order of additions is fixed.
 */
double sampler_sum_exp(const float *x, size_t count, float max, float scale);

#endif
