/* Owns numbers stored one by one, little-endian.
 *
 *   F32   [0..3]  IEEE binary32                 F64   [0..7]  IEEE binary64, rounded to binary32
 *   F16   [0..1]  IEEE binary16                 I8 I16 I32 I64  two's complement, rounded to binary32
 *   BF16  [0..1]  the upper half of a binary32
 */
#include "quant/floats.h"

#include <string.h>

#include "base/bytes.h"
#include "tensor/half.h"

static void decode_integers(element_type type, const uint8_t *p, float *out, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        switch (type) {
        case ELEMENT_I8:
            out[i] = (float)(int8_t)p[i];
            break;
        case ELEMENT_I16:
            out[i] = (float)(int16_t)bytes_load_u16(p + 2 * i);
            break;
        case ELEMENT_I32:
            out[i] = (float)(int32_t)bytes_load_u32(p + 4 * i);
            break;
        case ELEMENT_I64:
            out[i] = (float)(int64_t)bytes_load_u64(p + 8 * i);
            break;
        default:
            return;
        }
    }
}

void floats_decode(element_type type, const void *data, float *out, uint64_t n)
{
    const uint8_t *p = data;
    switch (type) {
    case ELEMENT_F32:
        for (uint64_t i = 0; i < n; i++) {
            out[i] = half_from_bits32(bytes_load_u32(p + 4 * i));
        }
        break;
    case ELEMENT_F16:
        for (uint64_t i = 0; i < n; i++) {
            out[i] = half_to_float(bytes_load_u16(p + 2 * i));
        }
        break;
    case ELEMENT_BF16:
        for (uint64_t i = 0; i < n; i++) {
            out[i] = half_from_bf16(bytes_load_u16(p + 2 * i));
        }
        break;
    case ELEMENT_F64:
        for (uint64_t i = 0; i < n; i++) {
            uint64_t bits = bytes_load_u64(p + 8 * i);
            double value;
            memcpy(&value, &bits, sizeof value);
            out[i] = (float)value;
        }
        break;
    default:
        decode_integers(type, p, out, n);
        break;
    }
}

/* Round to nearest even; a NaN keeps its sign and stays a NaN when its low bits go. */
static uint16_t bf16_from_float(float value)
{
    uint32_t bits = half_to_bits32(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

bool floats_encode(element_type type, const float *x, void *data, uint64_t n)
{
    uint8_t *p = data;
    if (type == ELEMENT_F32) {
        for (uint64_t i = 0; i < n; i++) {
            uint32_t bits = half_to_bits32(x[i]);
            for (int b = 0; b < 4; b++) {
                p[4 * i + (uint64_t)b] = (uint8_t)(bits >> (8 * b));
            }
        }
        return true;
    }
    if (type != ELEMENT_F16 && type != ELEMENT_BF16) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint16_t bits = type == ELEMENT_F16 ? half_from_float(x[i]) : bf16_from_float(x[i]);
        p[2 * i] = (uint8_t)bits;
        p[2 * i + 1] = (uint8_t)(bits >> 8);
    }
    return true;
}
