#include "test.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/file.h"
#include "quant/quant.h"
#include "tensor/half.h"

static const element_type block_types[] = {
    ELEMENT_Q8_0,    ELEMENT_Q4_0,   ELEMENT_Q4_1,  ELEMENT_Q5_0,    ELEMENT_Q5_1,
    ELEMENT_Q2_K,    ELEMENT_Q3_K,   ELEMENT_Q4_K,  ELEMENT_Q5_K,    ELEMENT_Q6_K,
    ELEMENT_IQ4_NL,  ELEMENT_IQ4_XS, ELEMENT_MXFP4, ELEMENT_TQ1_0,   ELEMENT_TQ2_0,
    ELEMENT_IQ2_XXS, ELEMENT_IQ2_XS, ELEMENT_IQ2_S, ELEMENT_IQ3_XXS, ELEMENT_IQ3_S,
};
enum { BLOCK_TYPES = sizeof block_types / sizeof block_types[0] };

static bool is_same(float a, float b)
{
    return (isnan(a) && isnan(b)) || half_to_bits32(a) == half_to_bits32(b);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

TEST(quant_every_block_type_of_the_table_has_a_format)
{
#define CHECK_ROW(name, number, weights, bytes)                                                              \
    CHECK((quant_find(ELEMENT_##name) != NULL) == ((weights) > 1));
    ELEMENT_TABLE(CHECK_ROW)
#undef CHECK_ROW
}

/* Bit for bit: gguf-py multiplies in the order that quant.h states. */
TEST(quant_decode_equals_the_gguf_package)
{
    arena a;
    arena_init(&a, &memory_system);
    for (int t = 0; t < BLOCK_TYPES; t++) {
        char name[64];
        smidgen_error error = {0};
        uint64_t size = 0;
        snprintf(name, sizeof name, "quant/%s.bin", element_name((uint32_t)block_types[t]));
        for (char *c = name; *c != 0; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        }
        const uint8_t *data = (const uint8_t *)file_read_all(&a, test_data(name), 1 << 20, &size, &error);
        CHECK_TEXT(error.message, "");
        REQUIRE(data != NULL);
        uint32_t weights = bytes_load_u32(data + 4);
        uint64_t stored_bytes;
        REQUIRE(element_bytes(block_types[t], weights, &stored_bytes));
        REQUIRE(bytes_load_u32(data) == (uint32_t)block_types[t] && size == 8 + stored_bytes + 4 * weights);
        /* exact-size blocks: AddressSanitizer sees a read or write of one byte too many */
        uint8_t *stored = malloc(stored_bytes);
        float *out = malloc(4 * weights);
        memcpy(stored, data + 8, stored_bytes);
        quant_decode(block_types[t], stored, out, weights);
        int wrong = 0;
        for (uint32_t i = 0; i < weights; i++) {
            wrong += !is_same(out[i], half_from_bits32(bytes_load_u32(data + 8 + stored_bytes + 4 * i)));
        }
        if (wrong != 0) {
            test_fail(__FILE__, __LINE__, "%s: %d of %u weights differ", name, wrong, weights);
        }
        free(stored);
        free(out);
    }
    arena_close(&a);
}

TEST(quant_encode_equals_the_gguf_package)
{
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error = {0};
    uint64_t size = 0;
    const uint8_t *data =
        (const uint8_t *)file_read_all(&a, test_data("quant/encode.bin"), 1 << 20, &size, &error);
    REQUIRE(data != NULL);
    bytes_reader r = bytes_reader_make(data, size);
    uint32_t n = bytes_read_u32(&r);
    float *x = arena_array(&a, n, sizeof *x);
    for (uint32_t i = 0; i < n; i++) {
        x[i] = bytes_read_f32(&r);
    }
    int types = 0;
    while (bytes_left(&r) != 0) {
        element_type type = (element_type)bytes_read_u32(&r);
        uint32_t bytes = bytes_read_u32(&r);
        const uint8_t *expected = bytes_take(&r, bytes);
        uint64_t stored_bytes;
        REQUIRE(expected != NULL && element_bytes(type, n, &stored_bytes) && stored_bytes == bytes);
        uint8_t *stored = malloc(bytes);
        CHECK(quant_encode(type, x, stored, n));
        if (memcmp(stored, expected, bytes) != 0) {
            test_fail(__FILE__, __LINE__, "%s differs", element_name((uint32_t)type));
        }
        free(stored);
        types++;
    }
    CHECK_EQUAL(types, 7);
    CHECK(!quant_encode(ELEMENT_IQ2_S, x, NULL, 0) && !quant_encode(ELEMENT_I8, x, NULL, 0));
    arena_close(&a);
}

/* The formula of quant.h, written out once more. */
static float weight_of(const quant_format *format, const quant_split *b, int i)
{
    int s = i / format->subblock_weights;
    int value = format->values != NULL ? format->values[b->code[i]] : b->code[i];
    float scaled = b->scale * (float)b->subscale[s];
    float w = scaled * (float)(value - format->zero);
    float minimum = b->minimum * (float)b->subminimum[s];
    return format->has_minimum ? w - minimum : w;
}

TEST(quant_split_gives_back_every_weight_of_random_blocks)
{
    uint64_t state = 1;
    for (int t = 0; t < BLOCK_TYPES; t++) {
        const quant_format *format = quant_find(block_types[t]);
        const element_info *info = element_find((uint32_t)block_types[t]);
        REQUIRE(format != NULL && info != NULL);
        CHECK(format->code_bits <= 4 || format->values == NULL);
        CHECK(info->block_weights / format->subblock_weights <= QUANT_SPLIT_SUBBLOCKS);
        uint8_t *block = malloc((size_t)info->block_bytes);
        int wrong = 0;
        for (int turn = 0; turn < 300; turn++) {
            for (int i = 0; i < info->block_bytes; i++) {
                block[i] = (uint8_t)next_random(&state);
            }
            quant_split b;
            float out[QUANT_SPLIT_WEIGHTS];
            memset(&b, 0xFF, sizeof b);
            format->split(block, &b);
            format->decode(block, out, (uint64_t)info->block_weights);
            for (int i = 0; i < info->block_weights; i++) {
                wrong += !is_same(out[i], weight_of(format, &b, i));
                wrong += b.code[i] >> format->code_bits != 0;
            }
            for (int s = 0; s < info->block_weights / format->subblock_weights; s++) {
                wrong += !format->has_subscales && b.subscale[s] != 1;
            }
        }
        if (wrong != 0) {
            test_fail(__FILE__, __LINE__, "%s: %d wrong", info->name, wrong);
        }
        free(block);
    }
}

TEST(quant_nan_and_infinite_scales_do_not_crash)
{
    for (int t = 0; t < BLOCK_TYPES; t++) {
        uint8_t block[256];
        float out[QUANT_SPLIT_WEIGHTS];
        memset(block, 0xFF, sizeof block); /* an f16 of all ones is a NaN */
        quant_decode(block_types[t], block, out,
                     (uint64_t)element_find((uint32_t)block_types[t])->block_weights);
        CHECK(block_types[t] == ELEMENT_MXFP4 ? !isnan(out[0]) : isnan(out[0]));
    }
}

TEST(quant_encode_survives_nan_and_infinity)
{
    const element_type written[] = {ELEMENT_Q8_0, ELEMENT_Q4_0, ELEMENT_Q4_1, ELEMENT_Q5_0, ELEMENT_Q5_1};
    float x[32];
    for (int i = 0; i < 32; i++) {
        x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -1e38f;
    }
    for (size_t t = 0; t < sizeof written / sizeof written[0]; t++) {
        uint8_t block[64];
        CHECK(quant_encode(written[t], x, block, 32));
    }
}

/* Half a step, and for the block formats what rounding scale and minimum to f16 adds over the range. */
TEST(quant_round_trip_errs_by_half_a_step_at_most)
{
    uint64_t state = 5;
    float x[320], back[320];
    for (int i = 0; i < 320; i++) {
        x[i] = (float)next_random(&state) * 0x1p-30f - 1;
    }
    const struct {
        element_type type;
        float error; /* of values in [-1, 1] */
    } rows[] = {{ELEMENT_Q8_0, 0.5f / 127 + 0x1p-11f},
                {ELEMENT_Q4_0, 0.5f / 8 + 1 / 16.f + 0x1p-11f},
                {ELEMENT_Q4_1, 1 / 15.f + 0x1p-10f},
                {ELEMENT_Q5_0, 0.5f / 16 + 1 / 32.f + 0x1p-11f},
                {ELEMENT_Q5_1, 1 / 31.f + 0x1p-10f},
                {ELEMENT_F16, 0x1p-12f},
                {ELEMENT_BF16, 0x1p-9f},
                {ELEMENT_F32, 0}};
    for (size_t t = 0; t < sizeof rows / sizeof rows[0]; t++) {
        uint8_t stored[4 * 320];
        CHECK(quant_encode(rows[t].type, x, stored, 320));
        quant_decode(rows[t].type, stored, back, 320);
        for (int i = 0; i < 320; i++) {
            CHECK_NEAR(back[i], x[i], rows[t].error);
        }
    }
}

TEST(quant_integers_decode_to_floats)
{
    const uint8_t bytes[8] = {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const element_type types[] = {ELEMENT_I8, ELEMENT_I16, ELEMENT_I32, ELEMENT_I64};
    for (int t = 0; t < 4; t++) {
        float out = 0;
        quant_decode(types[t], bytes, &out, 1);
        CHECK_NEAR(out, -2, 0);
    }
    const uint8_t third[8] = {0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xD5, 0x3F};
    float out = 0;
    quant_decode(ELEMENT_F64, third, &out, 1);
    CHECK_NEAR(out, 1.0f / 3, 0);
}

TEST(half_agrees_with_itself_on_every_value)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float value = half_to_float((uint16_t)h);
        uint16_t back = half_from_float(value);
        CHECK(back == h || (isnan(value) && (back & 0x7C00) == 0x7C00 && (back & 0x3FF) != 0));
    }
}
