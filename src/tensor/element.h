/* The types that stored weights can have: one table for sizes and names. How each is laid out is quant/'s
 * business. */
#ifndef TENSOR_ELEMENT_H
#define TENSOR_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ELEMENT_ROW(NAME, GGUF number, weights a block, bytes a block). */
#define ELEMENT_TABLE(ELEMENT_ROW)                                                                           \
    ELEMENT_ROW(F32, 0, 1, 4)                                                                                \
    ELEMENT_ROW(F16, 1, 1, 2)                                                                                \
    ELEMENT_ROW(Q4_0, 2, 32, 18)                                                                             \
    ELEMENT_ROW(Q4_1, 3, 32, 20)                                                                             \
    ELEMENT_ROW(Q5_0, 6, 32, 22)                                                                             \
    ELEMENT_ROW(Q5_1, 7, 32, 24)                                                                             \
    ELEMENT_ROW(Q8_0, 8, 32, 34)                                                                             \
    ELEMENT_ROW(Q2_K, 10, 256, 84)                                                                           \
    ELEMENT_ROW(Q3_K, 11, 256, 110)                                                                          \
    ELEMENT_ROW(Q4_K, 12, 256, 144)                                                                          \
    ELEMENT_ROW(Q5_K, 13, 256, 176)                                                                          \
    ELEMENT_ROW(Q6_K, 14, 256, 210)                                                                          \
    ELEMENT_ROW(IQ2_XXS, 16, 256, 66)                                                                        \
    ELEMENT_ROW(IQ2_XS, 17, 256, 74)                                                                         \
    ELEMENT_ROW(IQ3_XXS, 18, 256, 98)                                                                        \
    ELEMENT_ROW(IQ4_NL, 20, 32, 18)                                                                          \
    ELEMENT_ROW(IQ3_S, 21, 256, 110)                                                                         \
    ELEMENT_ROW(IQ2_S, 22, 256, 82)                                                                          \
    ELEMENT_ROW(IQ4_XS, 23, 256, 136)                                                                        \
    ELEMENT_ROW(I8, 24, 1, 1)                                                                                \
    ELEMENT_ROW(I16, 25, 1, 2)                                                                               \
    ELEMENT_ROW(I32, 26, 1, 4)                                                                               \
    ELEMENT_ROW(I64, 27, 1, 8)                                                                               \
    ELEMENT_ROW(F64, 28, 1, 8)                                                                               \
    ELEMENT_ROW(BF16, 30, 1, 2)                                                                              \
    ELEMENT_ROW(TQ1_0, 34, 256, 54)                                                                          \
    ELEMENT_ROW(TQ2_0, 35, 256, 66)                                                                          \
    ELEMENT_ROW(MXFP4, 39, 32, 17)

typedef enum element_type {
#define ELEMENT_ENUM(name, number, weights, bytes) ELEMENT_##name = number,
    ELEMENT_TABLE(ELEMENT_ENUM)
#undef ELEMENT_ENUM
} element_type;

typedef struct element_info {
    element_type type;
    const char *name; /* "Q4_K" */
    int32_t block_weights, block_bytes;
} element_info;

/* NULL for a number that is not in the table. */
const element_info *element_find(uint32_t number);
/* "Q4_K", or "?" for an unknown number. */
const char *element_name(uint32_t number);
/* Bytes of `weights` consecutive weights of one row; false when they do not fill whole blocks or the product
 * wraps. */
bool element_bytes(element_type type, uint64_t weights, uint64_t *bytes);
bool element_is_float(element_type type); /* F32, F16, BF16, F64 */

#endif
