/* Fused attention against a naive softmax in double precision, over what the cache says that it holds: so the
 * type of the cache adds no error here (test_kv_cache.c measures that), and the tolerance is that of float32
 * sums. */
#include "cpu/kv_cache.h"
#include "cpu/ops.h"

#include "ops_testing.h"

typedef struct attention_case {
    const char *name;
    int32_t heads, heads_kv, head_size;
    int32_t window;
    float soft_cap;
    smidgen_kv_type key_type, value_type;
    /* Sequences: number of tokens in the call and position of the first. */
    struct {
        int32_t tokens, first;
    } sequences[4];
    float query_size; /* how peaked the softmax is */
} attention_case;

static const attention_case cases[] = {
    {"one head, one token", 1, 1, 8, 0, 0, SMIDGEN_KV_F32, SMIDGEN_KV_F32, {{1, 0}}, 1},
    {"tiny heads", 4, 2, 8, 0, 0, SMIDGEN_KV_F32, SMIDGEN_KV_F32, {{23, 0}}, 1},
    {"16 wide", 4, 1, 16, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{5, 30}}, 1},
    {"odd head size 20", 3, 3, 20, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F32, {{7, 65}}, 1},
    {"smollm2 decode", 9, 3, 64, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 777}}, 1},
    {"smollm2 prefill", 9, 3, 64, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{150, 0}}, 1},
    {"qwen 0.5b decode", 14, 2, 64, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 1000}}, 1},
    {"qwen 0.5b chunk", 14, 2, 64, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{70, 201}}, 1},
    {"qwen 1.5b decode", 12, 2, 128, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 515}}, 1},
    {"qwen 1.5b prefill", 12, 2, 128, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{90, 3}}, 1},
    {"gemma3 decode, window", 4, 1, 256, 512, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 1400}}, 1},
    {"gemma3 prefill, window", 4, 1, 256, 50, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{130, 17}}, 1},
    {"gemma3 full", 4, 1, 256, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 900}}, 1},
    {"q8_0 decode", 9, 3, 64, 0, 0, SMIDGEN_KV_Q8_0, SMIDGEN_KV_Q8_0, {{1, 600}}, 1},
    {"q8_0 prefill", 14, 2, 64, 0, 0, SMIDGEN_KV_Q8_0, SMIDGEN_KV_Q8_0, {{40, 11}}, 1},
    {"q8_0 keys, f16 values", 12, 2, 128, 0, 0, SMIDGEN_KV_Q8_0, SMIDGEN_KV_F16, {{3, 100}}, 1},
    {"f16 keys, q8_0 values", 8, 8, 32, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_Q8_0, {{9, 40}}, 1},
    {"q8_0 head of 96", 2, 1, 96, 0, 0, SMIDGEN_KV_Q8_0, SMIDGEN_KV_Q8_0, {{30, 40}}, 1},
    {"head of 80, window 1", 2, 2, 80, 1, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{20, 5}}, 1},
    {"window 7", 6, 2, 48, 7, 0, SMIDGEN_KV_F32, SMIDGEN_KV_F32, {{40, 0}}, 1},
    {"soft cap", 4, 2, 64, 0, 30, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{33, 20}}, 20},
    {"soft cap, small", 4, 2, 64, 20, 2, SMIDGEN_KV_F32, SMIDGEN_KV_F32, {{1, 300}}, 5},
    {"peaked", 4, 2, 64, 0, 0, SMIDGEN_KV_F32, SMIDGEN_KV_F32, {{20, 300}}, 40},
    {"many query heads", 40, 1, 32, 0, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{3, 290}}, 1},
    {"batch of depths",
     9,
     3,
     64,
     0,
     0,
     SMIDGEN_KV_F16,
     SMIDGEN_KV_F16,
     {{1, 0}, {1, 700}, {1, 15}, {1, 16}},
     1},
    {"batch of chunks",
     4,
     1,
     32,
     100,
     0,
     SMIDGEN_KV_F16,
     SMIDGEN_KV_F16,
     {{30, 300}, {1, 5}, {17, 0}, {2, 511}},
     1},
};
enum { CASE_COUNT = (int)(sizeof cases / sizeof cases[0]) };

typedef struct attention_setup {
    attention_call call;
    kv_cache *caches[4];
    const kv_cache **token_caches;
    int32_t *positions;
    float *q, *out;
} attention_setup;

static kv_cache *filled_cache(const attention_case *c, int32_t tokens, uint64_t seed)
{
    kv_shape shape = {2, c->heads_kv, c->head_size, tokens, c->key_type, c->value_type};
    kv_cache *cache = kv_create(&shape, &memory_system, NULL);
    size_t row = (size_t)c->heads_kv * (size_t)c->head_size;
    for (int32_t p = 0; cache != NULL && p < tokens; p++) {
        float *key = random_floats(row, seed + 2 * (uint64_t)p),
              *value = random_floats(row, seed + 2 * (uint64_t)p + 1);
        kv_store(cache, 1, p, key, value, 0, c->heads_kv, CPU_ISA_SCALAR);
        free(key);
        free(value);
    }
    return cache;
}

static attention_setup set_up(const attention_case *c)
{
    attention_setup s = {0};
    int32_t tokens = 0;
    for (int i = 0; i < 4; i++) {
        tokens += c->sequences[i].tokens;
    }
    size_t row = (size_t)c->heads * (size_t)c->head_size, stride = row + 5;
    s.token_caches = malloc((size_t)tokens * sizeof *s.token_caches);
    s.positions = malloc((size_t)tokens * sizeof *s.positions);
    s.q = random_floats((size_t)tokens * stride, 99);
    s.out = malloc((size_t)tokens * stride * sizeof(float));
    for (size_t i = 0; i < (size_t)tokens * stride; i++) {
        s.q[i] *= c->query_size;
    }
    int32_t token = 0;
    for (int i = 0; i < 4; i++) {
        if (c->sequences[i].tokens == 0) {
            continue;
        }
        int32_t end = c->sequences[i].first + c->sequences[i].tokens;
        s.caches[i] = filled_cache(c, end, 1000000u * (uint64_t)(i + 1));
        for (int32_t p = c->sequences[i].first; p < end; p++, token++) {
            s.token_caches[token] = s.caches[i];
            s.positions[token] = p;
        }
    }
    s.call = (attention_call){.q = s.q,
                              .out = s.out,
                              .q_stride = (int64_t)stride,
                              .out_stride = (int64_t)stride,
                              .positions = s.positions,
                              .tokens = tokens,
                              .layer = 1,
                              .heads = c->heads,
                              .heads_kv = c->heads_kv,
                              .head_size = c->head_size,
                              .window = c->window,
                              .scale = 1.0f / sqrtf((float)c->head_size),
                              .soft_cap = c->soft_cap};
    s.call.caches = s.token_caches;
    return s;
}

static void tear_down(attention_setup *s)
{
    for (int i = 0; i < 4; i++) {
        kv_close(s->caches[i]);
    }
    free(s->token_caches);
    free(s->positions);
    free(s->q);
    free(s->out);
}

/* out[head_size] of one query row; score and row are buffers of [positions] and [2 head_size]. */
static void reference_row(const attention_call *call, int32_t token, int32_t head, double *score, float *row,
                          double *out)
{
    int32_t position = call->positions[token], size = call->head_size,
            head_kv = head / (call->heads / call->heads_kv);
    int32_t begin = call->window > 0 && position + 1 > call->window ? position + 1 - call->window : 0;
    const float *q = call->q + token * call->q_stride + (int64_t)head * size;
    double top = -INFINITY, sum = 0;
    for (int32_t p = begin; p <= position; p++) {
        kv_load(call->caches[token], call->layer, p, head_kv, row, row + size);
        double s = 0;
        for (int32_t i = 0; i < size; i++) {
            s += (double)q[i] * (double)row[i];
        }
        s *= (double)call->scale;
        score[p] = call->soft_cap > 0 ? (double)call->soft_cap * tanh(s / (double)call->soft_cap) : s;
        top = fmax(top, score[p]);
    }
    memset(out, 0, (size_t)size * sizeof *out);
    for (int32_t p = begin; p <= position; p++) {
        double weight = exp(score[p] - top);
        kv_load(call->caches[token], call->layer, p, head_kv, row, row + size);
        sum += weight;
        for (int32_t i = 0; i < size; i++) {
            out[i] += weight * (double)row[size + i];
        }
    }
    for (int32_t i = 0; i < size; i++) {
        out[i] /= sum;
    }
}

/* Runs all items in pieces of `grain`, last piece first, as threads might. */
static void run_in_pieces(const attention_call *call, int threads, int64_t grain)
{
    size_t row = (size_t)call->heads * (size_t)call->head_size;
    for (int32_t t = 0; t < call->tokens; t++) {
        memset(call->out + t * call->out_stride, 0xFF, row * sizeof(float));
    }
    size_t partial_bytes = attention_partials_bytes(call->tokens, call->heads, call->head_size, threads);
    void *partials = memory_allocate(&memory_system, partial_bytes);
    size_t scratch_bytes = attention_scratch_bytes(call->heads, call->heads_kv, call->head_size);
    void *scratch = memory_allocate(&memory_system, scratch_bytes);
    int64_t items = attention_items(call, threads), merges = attention_merge_items(call, threads);
    for (int64_t begin = (items - 1) / grain * grain; begin >= 0; begin -= grain) {
        int64_t end = begin + grain < items ? begin + grain : items;
        attention_run(call, threads, partials, begin, end, scratch);
    }
    for (int64_t begin = 0; begin < merges; begin += grain) {
        attention_merge(call, threads, partials, begin, begin + grain < merges ? begin + grain : merges);
    }
    memory_release(&memory_system, partials, partial_bytes);
    memory_release(&memory_system, scratch, scratch_bytes);
}

/* Largest error against the reference, relative to the largest value of a row. */
static double error_of(const attention_call *call, const double *expected)
{
    double worst = 0;
    int64_t row = (int64_t)call->heads * call->head_size;
    for (int32_t t = 0; t < call->tokens; t++) {
        double size = 0, error = 0;
        for (int64_t i = 0; i < row; i++) {
            double e = expected[t * row + i], a = (double)call->out[t * call->out_stride + i];
            size = fmax(size, fabs(e));
            error = isfinite(a) ? fmax(error, fabs(a - e)) : INFINITY;
        }
        worst = fmax(worst, error / size);
    }
    return worst;
}

static double *reference_of(const attention_call *call)
{
    int64_t row = (int64_t)call->heads * call->head_size;
    double *expected = malloc((size_t)(call->tokens * row) * sizeof(double));
    double *score = malloc(4096 * sizeof(double));
    float *buffer = malloc(2 * (size_t)call->head_size * sizeof(float));
    for (int32_t t = 0; t < call->tokens; t++) {
        for (int32_t h = 0; h < call->heads; h++) {
            reference_row(call, t, h, score, buffer, expected + t * row + (int64_t)h * call->head_size);
        }
    }
    free(score);
    free(buffer);
    return expected;
}

TEST(attention_equals_a_naive_softmax_on_every_instruction_set)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        attention_setup s = set_up(&cases[i]);
        double *expected = reference_of(&s.call);
        FOR_EACH_ISA(isa)
        {
            s.call.isa = isa;
            for (int threads = 1; threads <= 8; threads = threads == 1 ? 2 : threads + 3) {
                run_in_pieces(&s.call, threads, 1);
                double error = error_of(&s.call, expected);
                /* Sums of 256 products; a sharp softmax multiplies the rounding of its large scores. */
                double allowed = 2.5e-6 * fmax(1.0, (double)cases[i].query_size / 4);
                if (!(error <= allowed)) {
                    test_fail(__FILE__, __LINE__, "%s, %s, %d threads: error %.3g > %.3g", cases[i].name,
                              cpu_isa_name(isa), threads, error, allowed);
                }
            }
        }
        free(expected);
        tear_down(&s);
    }
}

TEST(attention_is_the_same_however_its_items_are_cut)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        attention_setup s = set_up(&cases[i]);
        size_t bytes = (size_t)(s.call.tokens * s.call.out_stride) * sizeof(float);
        float *first = malloc(bytes);
        memset(s.out, 0, bytes);
        s.call.isa = cpu_isa_choose();
        run_in_pieces(&s.call, 3, 1);
        memcpy(first, s.out, bytes);
        for (int64_t grain = 2; grain <= 1000; grain = grain * 2 + 1) {
            run_in_pieces(&s.call, 3, grain);
            CHECK(memcmp(first, s.out, bytes) == 0);
        }
        free(first);
        tear_down(&s);
    }
}

TEST(attention_leaves_the_gap_between_rows_alone)
{
    attention_setup s = set_up(&cases[5]);
    int64_t row = (int64_t)s.call.heads * s.call.head_size;
    s.call.isa = cpu_isa_choose();
    for (int64_t i = 0; i < s.call.tokens * s.call.out_stride; i++) {
        s.out[i] = 7;
    }
    run_in_pieces(&s.call, 2, 3);
    for (int32_t t = 0; t < s.call.tokens; t++) {
        for (int64_t i = row; i < s.call.out_stride; i++) {
            CHECK(s.out[t * s.call.out_stride + i] == 7);
        }
    }
    tear_down(&s);
}

TEST(attention_never_reads_slots_outside_its_range)
{
    /* Slots that a token must not see hold NaN: one leak would spread over the whole row. */
    attention_case c = {"hidden", 4, 2, 64, 40, 0, SMIDGEN_KV_F16, SMIDGEN_KV_F16, {{1, 100}}, 1};
    for (int type = 0; type < 3; type++) {
        c.key_type = c.value_type = (smidgen_kv_type)type;
        attention_setup s = set_up(&c);
        float nan_row[128];
        for (int i = 0; i < 128; i++) {
            nan_row[i] = type == SMIDGEN_KV_Q8_0 ? 1e30f : NAN;
        }
        kv_store(s.caches[0], 1, 60, nan_row, nan_row, 0, 2, CPU_ISA_SCALAR);
        kv_store(s.caches[0], 1, 59, nan_row, nan_row, 0, 2, CPU_ISA_SCALAR);
        double *expected = reference_of(&s.call);
        FOR_EACH_ISA(isa)
        {
            s.call.isa = isa;
            run_in_pieces(&s.call, 1, 1);
            CHECK(error_of(&s.call, expected) < 1.5e-6);
        }
        free(expected);
        tear_down(&s);
    }
}

TEST(attention_splits_a_long_decode_step_over_the_threads)
{
    attention_setup s = set_up(&cases[10]);
    CHECK_EQUAL(attention_items(&s.call, 1), 1);
    CHECK_EQUAL(attention_merge_items(&s.call, 1), 0);
    CHECK_EQUAL(attention_items(&s.call, 2), 2);
    CHECK_EQUAL(attention_merge_items(&s.call, 2), 4);
    CHECK_EQUAL(attention_items(&s.call, 64), 4); /* 512 visible positions in pieces of 128 */
    tear_down(&s);
}
