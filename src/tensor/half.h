/* float16 and bfloat16 in bits. */
#ifndef TENSOR_HALF_H
#define TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float half_from_bits32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t half_to_bits32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* IEEE 754 binary16 to binary32, exact; subnormals, infinities and NaN included. Without branches, so that
 * loops over it become vector code. */
static inline float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31, mantissa = h & 0x3FF;
    uint32_t subnormal = half_to_bits32((float)(int32_t)mantissa * 0x1p-24f);
    uint32_t rebias = exponent + 112 + (exponent == 31) * 112u; /* 255 for infinities and NaN */
    uint32_t is_normal = 0u - (exponent != 0);
    return half_from_bits32(sign | (is_normal & (rebias << 23 | mantissa << 13)) | (~is_normal & subnormal));
}

/* binary32 to binary16, round to nearest even, as F16C does. */
static inline uint16_t half_from_float(float value)
{
    uint32_t bits = half_to_bits32(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x7F800000) {
        return (uint16_t)(sign | 0x7C00 | (magnitude > 0x7F800000 ? 0x200 | (magnitude >> 13 & 0x3FF) : 0));
    }
    if (magnitude >= 0x477FF000) {
        return (uint16_t)(sign | 0x7C00);
    }
    if (magnitude < 0x38800000) { /* subnormal: let the addition round */
        float scaled = half_from_bits32(magnitude) + 0.5f;
        return (uint16_t)(sign | (half_to_bits32(scaled) - 0x3F000000));
    }
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
}

static inline float half_from_bf16(uint16_t b)
{
    return half_from_bits32((uint32_t)b << 16);
}

#endif
