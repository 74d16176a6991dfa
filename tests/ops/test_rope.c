/* Rotary position embedding: frequencies against transformers' formulas (tests/oracles/rope_vectors.py),
 * rotation against complex multiplication in double precision. */
#include "cpu/ops.h"

#include "failing_allocator.h"
#include "ops_testing.h"

typedef struct rope_vector {
    const char *name;
    rope_options options; /* head_size is left out */
    double attention_factor;
    double frequencies[32]; /* [rotary_size / 2] */
} rope_vector;

static const rope_vector vectors[] = {
#include "data/ops/rope_vectors.h"
};
enum { VECTOR_COUNT = (int)(sizeof vectors / sizeof vectors[0]) };

TEST(rope_frequencies_are_those_of_transformers)
{
    for (int v = 0; v < VECTOR_COUNT; v++) {
        rope_options options = vectors[v].options;
        rope_table table;
        smidgen_error error;
        options.head_size = options.rotary_size;
        REQUIRE(rope_create(&table, &options, &memory_system, &error));
        CHECK_NEAR(table.attention_factor, vectors[v].attention_factor, 1e-7);
        for (int i = 0; i < options.rotary_size / 2; i++) {
            double expected = vectors[v].frequencies[i], actual = table.inverse_frequency[i];
            if (!(fabs(actual - expected) <= 1e-13 * expected)) {
                test_fail(__FILE__, __LINE__, "%s: frequency %d is %.17g, expected %.17g", vectors[v].name, i,
                          actual, expected);
            }
        }
        rope_close(&table, &memory_system);
    }
}

TEST(rope_frequency_factors_divide)
{
    const float factors[4] = {1, 2, 4, 8};
    rope_options options = {.head_size = 8, .rotary_size = 8, .theta = 10000, .frequency_factors = factors};
    rope_table table;
    REQUIRE(rope_create(&table, &options, &memory_system, NULL));
    for (int i = 0; i < 4; i++) {
        CHECK_NEAR(table.inverse_frequency[i] * pow(10, i) * (double)factors[i], 1, 1e-14);
    }
    rope_close(&table, &memory_system);
}

TEST(rope_refuses_what_has_no_frequency)
{
    const float bad_factor[2] = {1, 0};
    const rope_options bad[] = {
        {.head_size = 8, .rotary_size = 0, .theta = 1e4f},
        {.head_size = 8, .rotary_size = 3, .theta = 1e4f},
        {.head_size = 8, .rotary_size = -2, .theta = 1e4f},
        {.head_size = 8, .rotary_size = 10, .theta = 1e4f},
        {.head_size = 8, .rotary_size = 8, .theta = 0},
        {.head_size = 8, .rotary_size = 8, .theta = NAN},
        {.head_size = 8, .rotary_size = 8, .theta = INFINITY},
        {.head_size = 8, .rotary_size = 8, .theta = 1e4f, .scaling = ROPE_SCALING_LINEAR},
        {.head_size = 8, .rotary_size = 8, .theta = 1e4f, .scaling = ROPE_SCALING_LINEAR, .factor = NAN},
        {.head_size = 8,
         .rotary_size = 8,
         .theta = 1e4f,
         .scaling = ROPE_SCALING_LLAMA3,
         .factor = 8,
         .low_frequency_factor = 4,
         .high_frequency_factor = 4,
         .original_context = 8192},
        {.head_size = 8,
         .rotary_size = 8,
         .theta = 1e4f,
         .scaling = ROPE_SCALING_LLAMA3,
         .factor = 8,
         .low_frequency_factor = 1,
         .high_frequency_factor = 4},
        {.head_size = 8, .rotary_size = 8, .theta = 1e4f, .scaling = ROPE_SCALING_YARN, .factor = 8},
        {.head_size = 8,
         .rotary_size = 8,
         .theta = 1,
         .scaling = ROPE_SCALING_YARN,
         .factor = 8,
         .original_context = 64},
        {.head_size = 4, .rotary_size = 4, .theta = 1e4f, .frequency_factors = bad_factor},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rope_table table;
        smidgen_error error = {0};
        CHECK(!rope_create(&table, &bad[i], &memory_system, &error));
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
        CHECK(table.inverse_frequency == NULL);
    }
}

TEST(rope_without_memory_is_an_error)
{
    failing_allocator f;
    rope_options options = {.head_size = 8, .rotary_size = 8, .theta = 10000};
    rope_table table;
    smidgen_error error = {0};
    failing_allocator_bind(&f, 0);
    CHECK(!rope_create(&table, &options, &f.base, &error));
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_OUT_OF_MEMORY);
    failing_allocator_bind(&f, UINT64_MAX);
    CHECK(rope_create(&table, &options, &f.base, &error));
    rope_close(&table, &f.base);
    CHECK(f.live_blocks == 0 && !f.was_mismatched);
}

TEST(rope_angles_keep_their_digits_at_far_positions)
{
    rope_options options = {.head_size = 64, .rotary_size = 64, .theta = 10000};
    const int32_t positions[3] = {0, 131071, 2000000};
    float angles[3 * 64];
    rope_table table;
    REQUIRE(rope_create(&table, &options, &memory_system, NULL));
    cpu_ops_for(CPU_ISA_SCALAR)->rope_angles(&table, positions, angles, 0, 3);
    for (int r = 0; r < 3; r++) {
        for (int i = 0; i < 32; i++) {
            long double angle = positions[r] * powl(10000, -i / 32.0L);
            CHECK_NEAR(angles[r * 64 + i], cosl(angle), 1e-7);
            CHECK_NEAR(angles[r * 64 + 32 + i], sinl(angle), 1e-7);
        }
    }
    rope_close(&table, &memory_system);
}

static void check_rotation(cpu_isa isa, rope_style style, int32_t head_size, int32_t rotary_size)
{
    enum { ROWS = 3, HEADS = 2 };
    rope_options options = {
        .style = style, .head_size = head_size, .rotary_size = rotary_size, .theta = 10000};
    rope_table table;
    REQUIRE(rope_create(&table, &options, &memory_system, NULL));
    const int32_t positions[ROWS] = {0, 7, 1234}, half = rotary_size / 2;
    int64_t stride = HEADS * head_size + 3;
    float *x = random_floats((size_t)(ROWS * stride), 5), *before = random_floats((size_t)(ROWS * stride), 5);
    float *angles = malloc((size_t)(ROWS * rotary_size) * sizeof(float));
    cpu_ops_for(isa)->rope_angles(&table, positions, angles, 0, ROWS);
    cpu_ops_for(isa)->rope_apply(&table, angles, x, stride, HEADS, 0, 2);
    cpu_ops_for(isa)->rope_apply(&table, angles, x, stride, HEADS, 2, ROWS);
    for (int64_t i = 0; i < ROWS * stride; i++) {
        int64_t row = i / stride, column = i % stride, lane = column % head_size;
        double expected = (double)before[i];
        if (column < HEADS * head_size && lane < rotary_size) {
            int64_t pair = style == ROPE_HALVES ? lane % half : lane / 2;
            bool is_first = style == ROPE_HALVES ? lane < half : lane % 2 == 0;
            int64_t step = style == ROPE_HALVES ? half : 1;
            double angle = positions[row] * table.inverse_frequency[pair];
            expected = is_first ? expected * cos(angle) - (double)before[i + step] * sin(angle)
                                : expected * cos(angle) + (double)before[i - step] * sin(angle);
        }
        CHECK_NEAR(x[i], expected, 5e-7);
    }
    free(x);
    free(before);
    free(angles);
    rope_close(&table, &memory_system);
}

TEST(rope_rotates_as_complex_numbers_do)
{
    FOR_EACH_ISA(isa)
    {
        for (int style = ROPE_HALVES; style <= ROPE_PAIRS; style++) {
            check_rotation(isa, (rope_style)style, 64, 64);
            check_rotation(isa, (rope_style)style, 128, 128);
            check_rotation(isa, (rope_style)style, 8, 8);
            check_rotation(isa, (rope_style)style, 80, 32);
            check_rotation(isa, (rope_style)style, 20, 18);
            check_rotation(isa, (rope_style)style, 70, 66);
        }
    }
}
