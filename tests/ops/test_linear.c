/* Packed matrices: packing loses nothing, every instruction set repeats the scalar kernels bit for bit, and
 * those are right against double precision. */
#include "test.h"

#include "cpu/linear.h"
#include "cpu/linear_layout.h"
#include "tensor/half.h"

#include <stdlib.h>

typedef struct weight_type {
    element_type type;
    int scale_at, minimum_at; /* offset of the f16 fields in a block; -1: none */
} weight_type;

static const weight_type types[] = {
    {ELEMENT_F32, -1, -1},   {ELEMENT_F16, -1, -1},    {ELEMENT_BF16, -1, -1},   {ELEMENT_F64, -1, -1},
    {ELEMENT_Q4_0, 0, -1},   {ELEMENT_Q4_1, 0, 2},     {ELEMENT_Q5_0, 0, -1},    {ELEMENT_Q5_1, 0, 2},
    {ELEMENT_Q8_0, 0, -1},   {ELEMENT_Q2_K, 80, 82},   {ELEMENT_Q3_K, 108, -1},  {ELEMENT_Q4_K, 0, 2},
    {ELEMENT_Q5_K, 0, 2},    {ELEMENT_Q6_K, 208, -1},  {ELEMENT_IQ2_XXS, 0, -1}, {ELEMENT_IQ2_XS, 0, -1},
    {ELEMENT_IQ2_S, 0, -1},  {ELEMENT_IQ3_XXS, 0, -1}, {ELEMENT_IQ3_S, 0, -1},   {ELEMENT_IQ4_NL, 0, -1},
    {ELEMENT_IQ4_XS, 0, -1}, {ELEMENT_TQ1_0, 52, -1},  {ELEMENT_TQ2_0, 64, -1},  {ELEMENT_MXFP4, -1, -1},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

typedef struct shape {
    int64_t rows, columns;
} shape;

static const shape shapes[] = {{1, 32}, {15, 64}, {16, 256}, {17, 288}, {100, 1536}, {33, 768}, {5, 37}};
enum { SHAPE_COUNT = sizeof shapes / sizeof shapes[0] };

typedef enum filling { FILL_RANDOM, FILL_LOW, FILL_HIGH, FILL_WILD_SCALES } filling;

static uint64_t state;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static float next_normal(void) /* about: the sum of four uniform numbers */
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (float)(next_random() & 0xFFFF) / 65536.0f - 0.5f;
    }
    return sum * 1.7f;
}

static void put_half(uint8_t *at, filling fill)
{
    uint16_t bits = half_from_float(next_normal() * 0.01f);
    if (fill == FILL_WILD_SCALES) { /* every finite number, subnormals too */
        bits = (uint16_t)next_random();
        bits = (bits & 0x7C00) == 0x7C00 ? bits & 0x83FF : bits;
    }
    memcpy(at, &bits, sizeof bits);
}

static void put_float(element_type type, uint8_t *at, float value)
{
    double wide = value;
    uint16_t half = type == ELEMENT_BF16 ? (uint16_t)(half_to_bits32(value) >> 16) : half_from_float(value);
    if (type == ELEMENT_F64) {
        memcpy(at, &wide, sizeof wide);
    } else if (type == ELEMENT_F32) {
        memcpy(at, &value, sizeof value);
    } else {
        memcpy(at, &half, sizeof half);
    }
}

/* Stored rows of a type with scales of usual size (or wild ones); the caller frees. NULL: the columns do not
 * fit. */
static uint8_t *stored_weights(const weight_type *t, int64_t rows, int64_t columns, filling fill)
{
    const element_info *info = element_find((uint32_t)t->type);
    if (columns % info->block_weights != 0) {
        return NULL;
    }
    size_t blocks = (size_t)(rows * columns / info->block_weights), bytes = (size_t)info->block_bytes;
    uint8_t *stored = malloc(blocks * bytes);
    for (size_t i = 0; i < blocks; i++) {
        uint8_t *block = stored + i * bytes;
        if (element_is_float(t->type)) {
            put_float(t->type, block, next_normal() * 0.1f);
            continue;
        }
        for (size_t j = 0; j < bytes; j++) {
            block[j] = fill == FILL_LOW ? 0 : fill == FILL_HIGH ? 255 : (uint8_t)next_random();
        }
        if (t->scale_at >= 0) {
            put_half(block + t->scale_at, fill);
        }
        if (t->minimum_at >= 0) {
            put_half(block + t->minimum_at, fill);
        }
        if (t->type == ELEMENT_MXFP4) {
            block[0] = fill == FILL_WILD_SCALES ? (uint8_t)(next_random() & 127)
                                                : (uint8_t)(118 + (next_random() & 7));
        }
    }
    return stored;
}

static linear_weights *packed(element_type type, int64_t rows, int64_t columns, const void *stored,
                              smidgen_precision precision, cpu_isa isa)
{
    smidgen_error error = {0};
    linear_weights *w = linear_create(type, rows, columns, precision, isa, &memory_system, &error);
    if (w == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", element_name((uint32_t)type), error.message);
        return NULL;
    }
    uint64_t row_bytes = 0;
    element_bytes(type, (uint64_t)columns, &row_bytes);
    int64_t half = rows / 2 / LINEAR_PANEL_ROWS * LINEAR_PANEL_ROWS; /* two ranges, as two threads would */
    linear_pack(w, (const uint8_t *)stored + (uint64_t)half * row_bytes, half, rows - half);
    linear_pack(w, stored, 0, half);
    return w;
}

typedef struct batch {
    linear_input in;
    float *x;
} batch;

/* Row 1 of the batch has an outlier, row 2 is constant (every code 127), row 3 is zero. */
static batch make_batch(int64_t rows, int64_t columns)
{
    batch b = {{NULL, rows, columns, columns + 3, NULL},
               malloc((size_t)(rows * (columns + 3)) * sizeof(float))};
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < columns + 3; k++) {
            float value = r == 2 ? 1.5f : r == 3 ? 0.0f : next_normal();
            b.x[r * (columns + 3) + k] = r == 1 && k == columns / 2 ? 3000 : value;
        }
    }
    b.in.x = b.x;
    b.in.prepared = memory_allocate(&memory_system, linear_input_bytes(rows, columns));
    return b;
}

static void free_batch(batch *b)
{
    memory_release(&memory_system, b->in.prepared, 0);
    free(b->x);
}

/* y[rows, w->rows] in two item ranges. */
static float *multiply(const linear_weights *w, const linear_input *in, cpu_isa isa, const float *bias)
{
    float *y = malloc((size_t)(in->rows * linear_rows(w)) * sizeof *y);
    void *scratch = memory_allocate(&memory_system, linear_scratch_bytes(w));
    int64_t items = linear_items(w);
    linear_prepare(in, isa, in->rows / 2, in->rows);
    linear_prepare(in, isa, 0, in->rows / 2);
    linear_run(w, in, bias, y, linear_rows(w), items / 2, items, scratch);
    linear_run(w, in, bias, y, linear_rows(w), 0, items / 2, scratch);
    memory_release(&memory_system, scratch, 0);
    return y;
}

static int64_t count_different(const float *a, const float *b, int64_t n)
{
    int64_t different = 0;
    for (int64_t i = 0; i < n; i++) {
        different += memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]));
    }
    return different;
}

TEST(linear_decodes_every_type_as_quant_decode_does)
{
    state = 1;
    for (int t = 0; t < TYPE_COUNT; t++) {
        for (int s = 0; s < SHAPE_COUNT; s++) {
            int64_t rows = shapes[s].rows, columns = shapes[s].columns;
            uint8_t *stored =
                stored_weights(&types[t], rows, columns, s & 1 ? FILL_WILD_SCALES : FILL_RANDOM);
            linear_weights *w = stored == NULL ? NULL
                                               : packed(types[t].type, rows, columns, stored,
                                                        SMIDGEN_PRECISION_FAST, CPU_ISA_SCALAR);
            float *expected = malloc((size_t)(rows * columns) * sizeof(float));
            float *row = malloc((size_t)columns * sizeof(float));
            if (w != NULL) {
                quant_decode(types[t].type, stored, expected, (uint64_t)(rows * columns));
                for (int64_t r = 0; r < rows; r++) {
                    linear_decode_row(w, r, row);
                    int64_t different = count_different(row, expected + r * columns, columns);
                    if (different != 0) {
                        test_fail(__FILE__, __LINE__, "%s row %lld of %lld x %lld: %lld weights differ",
                                  element_name((uint32_t)types[t].type), (long long)r, (long long)rows,
                                  (long long)columns, (long long)different);
                        break;
                    }
                }
            }
            linear_close(w);
            free(stored);
            free(expected);
            free(row);
        }
    }
}

/* The activations that the product really uses, in double. */
static double activation(const batch *b, int64_t r, int64_t k, bool fast)
{
    if (!fast) {
        return b->x[r * b->in.stride + k];
    }
    const linear_block *block = linear_input_blocks(&b->in, r) + k / LINEAR_BLOCK;
    const linear_block *rest = linear_input_remainder(&b->in, r);
    double value = (double)block->scale * block->q[k % LINEAR_BLOCK];
    if (rest != NULL) {
        rest += k / LINEAR_BLOCK;
        value += (double)rest->scale * rest->q[k % LINEAR_BLOCK];
    }
    return value;
}

/* Largest |y - reference| over the sum of |w x|, in units of 2^-24. */
static double worst_error(const batch *b, const float *weights, const float *bias, const float *y,
                          int64_t rows, bool fast)
{
    double worst = 0;
    for (int64_t r = 0; r < b->in.rows; r++) {
        for (int64_t m = 0; m < rows; m++) {
            double sum = bias[m], size = fabs((double)bias[m]) + 1e-30;
            for (int64_t k = 0; k < b->in.columns; k++) {
                double term = activation(b, r, k, fast) * weights[m * b->in.columns + k];
                sum += term;
                size += fabs(term);
            }
            double error = fabs(y[r * rows + m] - sum) / size * 0x1p24;
            worst = error > worst || isnan(error) ? error : worst;
        }
    }
    return worst;
}

static void check_against_double(const weight_type *t, shape s, filling fill, smidgen_precision precision)
{
    uint8_t *stored = stored_weights(t, s.rows, s.columns, fill);
    if (stored == NULL) {
        return;
    }
    linear_weights *w = packed(t->type, s.rows, s.columns, stored, precision, CPU_ISA_SCALAR);
    if (w != NULL) {
        batch b = make_batch(4, s.columns);
        float *weights = malloc((size_t)(s.rows * s.columns) * sizeof(float));
        float *bias = malloc((size_t)s.rows * sizeof(float));
        for (int64_t m = 0; m < s.rows; m++) {
            bias[m] = next_normal();
        }
        quant_decode(t->type, stored, weights, (uint64_t)(s.rows * s.columns));
        float *y = multiply(w, &b.in, CPU_ISA_SCALAR, bias);
        bool fast = precision == SMIDGEN_PRECISION_FAST && !element_is_float(t->type);
        double error = worst_error(&b, weights, bias, y, s.rows, fast);
        /* FAST: a chain of one step a block; an integer sum off by one unit in a row of one block is 16 units
         * or more. Minima cancel against products, and EXACT has chains of 64 steps. */
        double limit = !fast || t->minimum_at >= 0 ? 48 : 8;
        if (!(error < limit)) {
            test_fail(__FILE__, __LINE__, "%s %lld x %lld, filling %d, precision %d: error of %g units",
                      element_name((uint32_t)t->type), (long long)s.rows, (long long)s.columns, (int)fill,
                      (int)precision, error);
        }
        free(y);
        free(bias);
        free(weights);
        free_batch(&b);
    }
    linear_close(w);
    free(stored);
}

TEST(linear_scalar_products_match_double_precision)
{
    state = 2;
    for (int t = 0; t < TYPE_COUNT; t++) {
        for (int s = 0; s < SHAPE_COUNT; s++) {
            for (int fill = FILL_RANDOM; fill <= FILL_HIGH; fill++) {
                check_against_double(&types[t], shapes[s], (filling)fill, SMIDGEN_PRECISION_FAST);
            }
            check_against_double(&types[t], shapes[s], FILL_RANDOM, SMIDGEN_PRECISION_EXACT);
        }
    }
}

/* Every row of y equals the row of a product of that row alone. */
static int64_t count_rows_that_depend_on_others(const linear_weights *w, const batch *b, cpu_isa isa,
                                                const float *y)
{
    int64_t different = 0;
    for (int64_t r = 0; r < b->in.rows; r += 3) {
        linear_input one = b->in;
        one.x += r * one.stride;
        one.rows = 1;
        one.prepared = memory_allocate(&memory_system, linear_input_bytes(1, one.columns));
        float *single = multiply(w, &one, isa, NULL);
        different += count_different(single, y + r * linear_rows(w), linear_rows(w));
        free(single);
        memory_release(&memory_system, one.prepared, 0);
    }
    return different;
}

static void check_against_scalar(const weight_type *t, shape s, filling fill, smidgen_precision precision,
                                 cpu_isa isa)
{
    static const int64_t batches[] = {1, 2, 3, 4, 5, 7, 33, 70};
    uint8_t *stored = stored_weights(t, s.rows, s.columns, fill);
    if (stored == NULL) {
        return;
    }
    linear_weights *w = packed(t->type, s.rows, s.columns, stored, precision, isa);
    linear_weights *truth = packed(t->type, s.rows, s.columns, stored, precision, CPU_ISA_SCALAR);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        if (s.rows * s.columns > 20000 && batches[i] > 7 && batches[i] != 33) {
            continue; /* the scalar kernels are slow */
        }
        batch b = make_batch(batches[i], s.columns);
        float *expected = multiply(truth, &b.in, CPU_ISA_SCALAR, NULL);
        float *y = multiply(w, &b.in, isa, NULL);
        int64_t different = count_different(y, expected, b.in.rows * s.rows);
        int64_t dependent = count_rows_that_depend_on_others(w, &b, isa, y);
        if (different != 0 || dependent != 0) {
            test_fail(__FILE__, __LINE__,
                      "%s %s %lld x %lld, filling %d, precision %d, %lld rows: %lld differ, %lld depend",
                      cpu_isa_name(isa), element_name((uint32_t)t->type), (long long)s.rows,
                      (long long)s.columns, (int)fill, (int)precision, (long long)batches[i],
                      (long long)different, (long long)dependent);
        }
        free(y);
        free(expected);
        free_batch(&b);
    }
    linear_close(w);
    linear_close(truth);
    free(stored);
}

static void check_instruction_set(cpu_isa isa)
{
    if (!cpu_isa_supported(isa)) {
        SKIP("this machine has no %s", cpu_isa_name(isa));
    }
    state = 3;
    for (int t = 0; t < TYPE_COUNT; t++) {
        for (int s = 0; s < SHAPE_COUNT; s++) {
            check_against_scalar(&types[t], shapes[s], FILL_RANDOM, SMIDGEN_PRECISION_FAST, isa);
        }
        shape small = {17, 256};
        check_against_scalar(&types[t], small, FILL_LOW, SMIDGEN_PRECISION_FAST, isa);
        check_against_scalar(&types[t], small, FILL_HIGH, SMIDGEN_PRECISION_FAST, isa);
        check_against_scalar(&types[t], small, FILL_WILD_SCALES, SMIDGEN_PRECISION_FAST, isa);
        check_against_scalar(&types[t], small, FILL_WILD_SCALES, SMIDGEN_PRECISION_EXACT, isa);
        check_against_scalar(&types[t], (shape){33, 768}, FILL_RANDOM, SMIDGEN_PRECISION_EXACT, isa);
    }
}

TEST(linear_avx2_repeats_the_scalar_bits)
{
    check_instruction_set(CPU_ISA_AVX2);
}

TEST(linear_avx512_repeats_the_scalar_bits)
{
    check_instruction_set(CPU_ISA_AVX512);
}

TEST(linear_neon_repeats_the_scalar_bits)
{
    check_instruction_set(CPU_ISA_NEON);
}

TEST(linear_scalar_rows_do_not_depend_on_each_other)
{
    state = 4;
    for (int t = 0; t < TYPE_COUNT; t++) {
        check_against_scalar(&types[t], (shape){17, 256}, FILL_RANDOM, SMIDGEN_PRECISION_FAST,
                             CPU_ISA_SCALAR);
    }
}

TEST(linear_keeps_small_activations_beside_an_outlier)
{
    state = 5;
    shape s = {16, 768};
    uint8_t *stored = stored_weights(&types[4], s.rows, s.columns, FILL_RANDOM);
    linear_weights *w =
        packed(ELEMENT_Q4_0, s.rows, s.columns, stored, SMIDGEN_PRECISION_FAST, cpu_isa_choose());
    REQUIRE(w != NULL);
    batch b = make_batch(3, s.columns);
    linear_prepare(&b.in, cpu_isa_choose(), 0, 3);
    CHECK(linear_input_remainder(&b.in, 0) == NULL);
    CHECK(linear_input_remainder(&b.in, 1) != NULL);
    CHECK(linear_input_remainder(&b.in, 2) == NULL);
    double worst = 0;
    for (int64_t k = 0; k < s.columns; k++) {
        double error = fabs(activation(&b, 1, k, true) - b.x[b.in.stride + k]);
        worst = error > worst ? error : worst;
    }
    CHECK_NEAR(worst, 0,
               3000.0 / 127 / 127 / 2 / 2 * 1.01); /* one pass alone would leave up to 3000 / 127 / 2 */
    free_batch(&b);
    linear_close(w);
    free(stored);
}

TEST(linear_survives_infinities_and_nan)
{
    state = 6;
    for (int t = 0; t < TYPE_COUNT; t++) {
        uint8_t *stored = stored_weights(&types[t], 17, 256, FILL_RANDOM);
        const element_info *info = element_find((uint32_t)types[t].type);
        for (int i = 0; types[t].scale_at >= 0 && i < 17 * 256 / info->block_weights; i++) {
            uint16_t bits = i % 3 == 0 ? 0x7C00 : i % 3 == 1 ? 0x7E00 : 0xFC00;
            memcpy(stored + i * info->block_bytes + types[t].scale_at, &bits, sizeof bits);
        }
        linear_weights *w = packed(types[t].type, 17, 256, stored, SMIDGEN_PRECISION_FAST, cpu_isa_choose());
        batch b = make_batch(9, 256);
        b.x[4 * b.in.stride + 7] = NAN;
        b.x[5 * b.in.stride + 7] = INFINITY;
        float *y = multiply(w, &b.in, cpu_isa_choose(), NULL);
        CHECK(!isfinite(y[4 * 17 + 3]));
        CHECK(!isfinite(y[5 * 17 + 3]));
        free(y);
        free_batch(&b);
        linear_close(w);
        free(stored);
    }
}

TEST(linear_refuses_integers_and_broken_shapes)
{
    static const struct {
        element_type type;
        int64_t rows, columns;
        smidgen_error_code code;
    } cases[] = {
        {ELEMENT_I8, 16, 32, SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ELEMENT_I64, 16, 32, SMIDGEN_ERROR_UNSUPPORTED_TYPE},
        {ELEMENT_Q4_0, 16, 33, SMIDGEN_ERROR_WRONG_SHAPE},
        {ELEMENT_Q4_K, 16, 128, SMIDGEN_ERROR_WRONG_SHAPE},
        {ELEMENT_Q4_0, 0, 32, SMIDGEN_ERROR_WRONG_SHAPE},
        {ELEMENT_Q4_0, 16, -32, SMIDGEN_ERROR_WRONG_SHAPE},
        {ELEMENT_Q4_0, INT64_MAX, 32, SMIDGEN_ERROR_OUT_OF_MEMORY},
        {ELEMENT_F32, 1, INT64_MAX / 4, SMIDGEN_ERROR_OUT_OF_MEMORY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        smidgen_error error = {0};
        CHECK(linear_create(cases[i].type, cases[i].rows, cases[i].columns, SMIDGEN_PRECISION_FAST,
                            CPU_ISA_SCALAR, &memory_system, &error) == NULL);
        CHECK_EQUAL(error.code, cases[i].code);
    }
}

typedef struct failing {
    int left;
    size_t bytes;
} failing;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing *f = context;
    if (f->left-- == 0) {
        return NULL;
    }
    f->bytes += size_bytes;
    return memory_system.allocate(NULL, size_bytes);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    failing *f = context;
    f->bytes -= size_bytes;
    memory_system.release(NULL, block, size_bytes);
}

TEST(linear_gives_everything_back_when_memory_ends)
{
    for (int left = 0;; left++) {
        failing f = {left, 0};
        smidgen_allocator allocator = {failing_allocate, failing_release, &f};
        smidgen_error error = {0};
        linear_weights *w =
            linear_create(ELEMENT_Q4_K, 33, 512, SMIDGEN_PRECISION_FAST, CPU_ISA_SCALAR, &allocator, &error);
        if (w != NULL) {
            CHECK(left >= 1);
            CHECK_EQUAL(linear_bytes(w), f.bytes);
            linear_close(w);
            CHECK_EQUAL(f.bytes, 0);
            return;
        }
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_OUT_OF_MEMORY);
        CHECK_EQUAL(f.bytes, 0);
    }
}

TEST(cpu_isa_names_what_it_chooses)
{
    cpu_isa isa = cpu_isa_choose();
    CHECK(cpu_isa_supported(isa));
    CHECK(cpu_isa_supported(CPU_ISA_SCALAR));
    CHECK_TEXT(cpu_isa_name(CPU_ISA_AVX512), "avx512");
    CHECK_TEXT(cpu_isa_name((cpu_isa)99), "?");
}
