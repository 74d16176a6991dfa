/* The KV cache: what goes in comes out (to the precision of its type), sizes are exact, removal keeps keys
 * right. */
#include "cpu/kv_cache.h"

#include "failing_allocator.h"
#include "ops_testing.h"

/* Largest error that a stored type may make on numbers of this size. */
static double allowed_error(smidgen_kv_type type, double largest)
{
    switch (type) {
    case SMIDGEN_KV_F32:
        return 0;
    case SMIDGEN_KV_F16:
        return largest / 2048;
    case SMIDGEN_KV_Q8_0:
        return largest / 127 * 0.502; /* half a step; the step is rounded to f16 */
    }
    return 0;
}

static void check_stored(const float *stored, const float *given, int32_t head_size, smidgen_kv_type type)
{
    for (int32_t block = 0; block < head_size; block += 32) {
        double largest = 0;
        int32_t end = block + 32 < head_size ? block + 32 : head_size;
        for (int32_t i = block; i < end; i++) {
            largest = fmax(largest, fabs((double)given[i]));
        }
        for (int32_t i = block; i < end; i++) {
            CHECK_NEAR(stored[i], given[i], allowed_error(type, largest));
        }
    }
}

static void check_round_trip(const kv_shape *shape, cpu_isa isa)
{
    kv_cache *c = kv_create(shape, &memory_system, NULL);
    REQUIRE(c != NULL);
    int32_t size = shape->head_size, row = shape->heads_kv * size;
    float *buffer = malloc(2 * (size_t)size * sizeof(float));
    for (int32_t layer = 0; layer < shape->layers; layer++) {
        for (int32_t p = 0; p < shape->capacity_tokens; p++) {
            float *x = random_floats(2 * (size_t)row, (uint64_t)(layer * 1000 + p));
            for (int32_t h = shape->heads_kv - 1; h >= 0; h--) { /* heads one by one: disjoint */
                kv_store(c, layer, p, x, x + row, h, h + 1, isa);
            }
            free(x);
        }
    }
    for (int32_t layer = 0; layer < shape->layers; layer++) {
        for (int32_t p = 0; p < shape->capacity_tokens; p++) {
            float *x = random_floats(2 * (size_t)row, (uint64_t)(layer * 1000 + p));
            for (int32_t h = 0; h < shape->heads_kv; h++) {
                kv_load(c, layer, p, h, buffer, buffer + size);
                check_stored(buffer, x + h * size, size, shape->key_type);
                check_stored(buffer + size, x + row + h * size, size, shape->value_type);
            }
            free(x);
        }
    }
    free(buffer);
    kv_close(c);
}

TEST(kv_cache_gives_back_what_it_got)
{
    FOR_EACH_ISA(isa)
    {
        for (int key = 0; key < 3; key++) {
            for (int value = 0; value < 3; value++) {
                kv_shape shape = {2, 3, 64, 37, (smidgen_kv_type)key, (smidgen_kv_type)value};
                check_round_trip(&shape, isa);
            }
        }
        kv_shape odd = {2, 2, 20, 5, SMIDGEN_KV_F16, SMIDGEN_KV_F32};
        check_round_trip(&odd, isa);
        kv_shape tiny = {1, 1, 3, 1, SMIDGEN_KV_F32, SMIDGEN_KV_F16};
        check_round_trip(&tiny, isa);
    }
}

TEST(kv_cache_takes_exactly_the_bytes_it_names)
{
    for (int type = 0; type < 3; type++) {
        failing_allocator f;
        kv_shape shape = {3, 2, 96, 50, (smidgen_kv_type)type, SMIDGEN_KV_F16};
        smidgen_error error = {0};
        failing_allocator_bind(&f, UINT64_MAX);
        kv_cache *c = kv_create(&shape, &f.base, &error);
        REQUIRE(c != NULL);
        CHECK_EQUAL(f.live_bytes, kv_bytes(&shape));
        CHECK(memcmp(kv_get_shape(c), &shape, sizeof shape) == 0);
        kv_close(c);
        CHECK(f.live_blocks == 0 && !f.was_mismatched);
        failing_allocator_bind(&f, 0);
        CHECK(kv_create(&shape, &f.base, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_OUT_OF_MEMORY);
        CHECK_EQUAL(error.needed, kv_bytes(&shape));
    }
    /* SmolLM2 at 2048 tokens: 30 layers, 3 heads of 64, two bytes a number; the rest is the header. */
    kv_shape smollm2 = {30, 3, 64, 2048, SMIDGEN_KV_F16, SMIDGEN_KV_F16};
    CHECK(kv_bytes(&smollm2) - 2u * 30 * 3 * 64 * 2048 * 2 < 4096);
    kv_close(NULL);
}

TEST(kv_cache_refuses_shapes_that_cannot_be)
{
    const kv_shape bad[] = {
        {0, 1, 8, 8, 0, 0},
        {1, -1, 8, 8, 0, 0},
        {1, 1, 0, 8, 0, 0},
        {1, 1, 8, 0, 0, 0},
        {1, 1, 48, 8, SMIDGEN_KV_Q8_0, SMIDGEN_KV_F16},
        {1, 1, 48, 8, SMIDGEN_KV_F16, SMIDGEN_KV_Q8_0},
        {1, 1, 8, 8, (smidgen_kv_type)3, SMIDGEN_KV_F16},
        {1, 1, 8, 8, SMIDGEN_KV_F16, (smidgen_kv_type)-1},
        {1, 1, INT32_MAX, 8, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        smidgen_error error = {0};
        CHECK(kv_create(&bad[i], &memory_system, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
        CHECK_EQUAL(kv_bytes(&bad[i]), 0);
    }
    kv_shape huge = {1 << 20, 1 << 20, 1 << 20, 1 << 20, SMIDGEN_KV_F32, SMIDGEN_KV_F32};
    smidgen_error error = {0};
    CHECK(kv_create(&huge, &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_OUT_OF_MEMORY);
}

/* q8_0 keeps NaN and infinities from becoming undefined behaviour; what they become is not promised. */
TEST(kv_cache_stores_numbers_that_are_none)
{
    FOR_EACH_ISA(isa)
    {
        for (int type = 0; type < 3; type++) {
            kv_shape shape = {1, 1, 32, 1, (smidgen_kv_type)type, (smidgen_kv_type)type};
            kv_cache *c = kv_create(&shape, &memory_system, NULL);
            float x[32] = {NAN, INFINITY, -INFINITY, 3e38f, 1e-40f}, key[32], value[32];
            kv_store(c, 0, 0, x, x, 0, 1, isa);
            kv_load(c, 0, 0, 0, key, value);
            memset(x, 0, sizeof x);
            kv_store(c, 0, 0, x, x, 0, 1, isa);
            kv_load(c, 0, 0, 0, key, value);
            CHECK(key[0] == 0 && value[31] == 0);
            kv_close(c);
        }
    }
}

/* Keys rotated for their position, sinks kept, a hole cut: as if the later tokens had stood there from the
 * beginning. */
static void check_removal(smidgen_kv_type type, rope_style style, double allowed)
{
    enum { LAYERS = 2, HEADS = 2, SIZE = 32, TOKENS = 70, SINKS = 4, HOLE = 21 };
    rope_options plain = {.style = style, .head_size = SIZE, .rotary_size = SIZE, .theta = 10000};
    rope_options yarn = {.style = style,
                         .head_size = SIZE,
                         .rotary_size = 16,
                         .theta = 10000,
                         .factor = 4,
                         .scaling = ROPE_SCALING_YARN,
                         .original_context = 64};
    rope_table tables[LAYERS];
    REQUIRE(rope_create(&tables[0], &plain, &memory_system, NULL) &&
            rope_create(&tables[1], &yarn, &memory_system, NULL));
    const rope_table *const ropes[LAYERS] = {&tables[0], &tables[1]};
    kv_shape shape = {LAYERS, HEADS, SIZE, TOKENS, type, type};
    kv_cache *c = kv_create(&shape, &memory_system, NULL),
             *expected = kv_create(&shape, &memory_system, NULL);
    const cpu_ops *ops = cpu_ops_for(CPU_ISA_SCALAR);
    for (int32_t layer = 0; layer < LAYERS; layer++) {
        for (int32_t p = 0; p < TOKENS; p++) {
            float angles[SIZE], *x = random_floats(3 * HEADS * SIZE, (uint64_t)(p + 1000 * layer));
            int32_t to = p < SINKS ? p : p - HOLE;
            memcpy(x + 2 * HEADS * SIZE, x, HEADS * SIZE * sizeof(float));
            ops->rope_angles(ropes[layer], &p, angles, 0, 1);
            ops->rope_apply(ropes[layer], angles, x, HEADS * SIZE, HEADS, 0, 1);
            kv_store(c, layer, p, x, x + HEADS * SIZE, 0, HEADS, CPU_ISA_SCALAR);
            if (p < SINKS || p >= SINKS + HOLE) {
                ops->rope_angles(ropes[layer], &to, angles, 0, 1);
                ops->rope_apply(ropes[layer], angles, x + 2 * HEADS * SIZE, HEADS * SIZE, HEADS, 0, 1);
                kv_store(expected, layer, to, x + 2 * HEADS * SIZE, x + HEADS * SIZE, 0, HEADS,
                         CPU_ISA_SCALAR);
            }
            free(x);
        }
    }
    kv_remove(c, SINKS, HOLE, TOKENS, ropes);
    for (int32_t layer = 0; layer < LAYERS; layer++) {
        for (int32_t p = 0; p < TOKENS - HOLE; p++) {
            for (int32_t h = 0; h < HEADS; h++) {
                float a[2 * SIZE], e[2 * SIZE];
                kv_load(c, layer, p, h, a, a + SIZE);
                kv_load(expected, layer, p, h, e, e + SIZE);
                for (int i = 0; i < SIZE; i++) {
                    CHECK_NEAR(a[i], e[i], allowed);
                    CHECK_NEAR(a[SIZE + i], e[SIZE + i], 0); /* values are not rotated: bit for bit */
                }
            }
        }
    }
    kv_close(c);
    kv_close(expected);
    rope_close(&tables[0], &memory_system);
    rope_close(&tables[1], &memory_system);
}

TEST(kv_remove_turns_the_moved_keys_back)
{
    check_removal(SMIDGEN_KV_F32, ROPE_HALVES, 2e-6);
    check_removal(SMIDGEN_KV_F32, ROPE_PAIRS, 2e-6);
    check_removal(SMIDGEN_KV_F16, ROPE_PAIRS, 5e-3); /* keys are up to 4 and are rounded twice */
    check_removal(SMIDGEN_KV_Q8_0, ROPE_HALVES, 6e-2);
}

TEST(kv_remove_of_nothing_and_of_the_end)
{
    kv_shape shape = {1, 1, 8, 4, SMIDGEN_KV_F32, SMIDGEN_KV_F32};
    kv_cache *c = kv_create(&shape, &memory_system, NULL);
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, key[8], value[8];
    for (int32_t p = 0; p < 4; p++) {
        x[0] = (float)p;
        kv_store(c, 0, p, x, x, 0, 1, CPU_ISA_SCALAR);
    }
    kv_remove(c, 2, 0, 4, NULL);
    kv_remove(c, 2, 2, 4, NULL);
    for (int32_t p = 0; p < 4; p++) {
        kv_load(c, 0, p, 0, key, value);
        CHECK(key[0] == (float)p);
    }
    kv_remove(c, 0, 1, 4, NULL); /* without rotation */
    kv_load(c, 0, 0, 0, key, value);
    CHECK(key[0] == 1 && key[7] == 8 && value[0] == 1);
    kv_close(c);
}
