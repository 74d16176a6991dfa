/* Numbers stored one by one: F32, F16, BF16, F64, I8 to I64. Part of quant/; others call quant_decode. */
#ifndef QUANT_FLOATS_H
#define QUANT_FLOATS_H

#include "tensor/element.h"

/* Any byte alignment. Types that are not in this list write nothing. */
void floats_decode(element_type type, const void *data, float *out, uint64_t n);
/* F32, F16 and BF16, round to nearest even; false for other types. */
bool floats_encode(element_type type, const float *x, void *data, uint64_t n);

#endif
