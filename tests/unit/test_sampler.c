/* Sampler against a naive oracle: sort everything, follow the documented steps, walk the survivors by id. */
#include "test.h"

#include <stdlib.h>

#include "base/error.h"
#include "generate/sampler.h"
#include "generate/sampler_math.h"
#include "generate/sampler_select.h"

static smidgen_sampling defaults(void)
{
    return (smidgen_sampling){.top_p = 1.0f, .typical_p = 1.0f, .repetition_penalty = 1.0f};
}

static uint64_t test_random_state = 1;

static uint64_t next_random(void)
{
    test_random_state ^= test_random_state << 13;
    test_random_state ^= test_random_state >> 7;
    test_random_state ^= test_random_state << 17;
    return test_random_state;
}

static double uniform(void)
{
    return (double)(next_random() >> 11) / 9007199254740992.0;
}

/* Roughly what a language model gives: most far below a few. `step` > 0 makes ties. */
static void fill_logits(float *logits, size_t count, double width, double step)
{
    for (size_t i = 0; i < count; i++) {
        double x = 0;
        for (int k = 0; k < 4; k++) {
            x += uniform() - 0.5;
        }
        x = x * width + (next_random() % 97 == 0 ? uniform() * width : 0.0);
        logits[i] = (float)(step > 0 ? floor(x / step) * step : x);
    }
}

TEST(sampler_exp_is_accurate)
{
    for (int i = 0; i <= 86999; i++) {
        float x = -(float)i / 1000.0f;
        double exact = exp((double)x);
        CHECK(fabs(sampler_exp(x) - exact) <= 2e-7 * exact);
    }
    CHECK(sampler_exp(0.0f) == 1.0f);
    CHECK(sampler_exp(-INFINITY) == 0.0f);
    CHECK(sampler_exp(NAN) == 0.0f);
}

TEST(sampler_log_is_accurate)
{
    for (double x = 1e-30; x < 1e30; x *= 1.0137) {
        CHECK_NEAR(sampler_log(x), log(x), 2e-14);
    }
    CHECK(sampler_log(1.0) == 0.0);
}

/* ------------------------------------------------------------------------------------------------- oracle */

typedef struct oracle_item {
    double logit, weight, key;
    int id;
} oracle_item;

static int by_key(const void *a, const void *b)
{
    const oracle_item *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->id - y->id;
}

static int by_id(const void *a, const void *b)
{
    return ((const oracle_item *)a)->id - ((const oracle_item *)b)->id;
}

static double total(const oracle_item *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += x[i].weight;
    }
    return sum;
}

static size_t cut(oracle_item *x, size_t count, double p)
{
    qsort(x, count, sizeof *x, by_key);
    double target = p * total(x, count), sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += x[i].weight;
        if (sum >= target) {
            return i + 1;
        }
    }
    return count;
}

/* Survivors of the options, by id; their number is returned. */
static size_t oracle_survivors(const smidgen_sampling *o, const float *logits, size_t vocab, oracle_item *x)
{
    size_t count = 0;
    for (size_t i = 0; i < vocab; i++) {
        if (logits[i] > -INFINITY) {
            x[count++] = (oracle_item){logits[i], 0, -(double)logits[i], (int)i};
        }
    }
    qsort(x, count, sizeof *x, by_key);
    if (o->top_k > 0 && (size_t)o->top_k < count) {
        count = (size_t)o->top_k;
    }
    double max = x[0].logit;
    for (size_t i = 0; i < count; i++) {
        x[i].weight = exp((x[i].logit - max) / (double)o->temperature);
    }
    if (o->typical_p < 1.0f) {
        double sum = total(x, count), entropy = 0;
        for (size_t i = 0; i < count; i++) {
            double p = x[i].weight / sum;
            entropy -= p > 0 ? p * log(p) : 0;
        }
        for (size_t i = 0; i < count; i++) {
            x[i].key = fabs(-(x[i].logit - max) / (double)o->temperature + log(sum) - entropy);
        }
        count = cut(x, count, (double)o->typical_p);
        for (size_t i = 0; i < count; i++) {
            x[i].key = -x[i].logit;
        }
    }
    if (o->top_p < 1.0f) {
        count = cut(x, count, (double)o->top_p);
    }
    double best = 0;
    for (size_t i = 0; i < count; i++) {
        best = x[i].weight > best ? x[i].weight : best;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (x[i].weight >= (double)o->min_p * best) {
            x[kept++] = x[i];
        }
    }
    qsort(x, kept, sizeof *x, by_id);
    return kept;
}

/* xoshiro256** written again, from the paper. */
static uint64_t oracle_state[4];

static void oracle_seed(uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        oracle_state[i] = z ^ (z >> 31);
    }
}

static double oracle_uniform(void)
{
    uint64_t *s = oracle_state, r = s[1] * 5;
    r = ((r << 7) | (r >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return (double)((r >> 11) + 1) / 9007199254740992.0;
}

static int oracle_draw(const oracle_item *x, size_t count)
{
    double target = oracle_uniform() * total(x, count), sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += x[i].weight;
        if (sum >= target) {
            return x[i].id;
        }
    }
    return x[count - 1].id;
}

static void compare_with_oracle(smidgen_sampling o, size_t vocab, double width, double step, int rounds)
{
    float *logits = malloc(vocab * sizeof *logits);
    oracle_item *items = malloc(vocab * sizeof *items);
    sampler *s = sampler_create(&o, (int32_t)vocab, NULL, &memory_system, NULL);
    REQUIRE(s != NULL && logits != NULL && items != NULL);
    oracle_seed(o.seed);
    int differences = 0;
    for (int i = 0; i < rounds; i++) {
        fill_logits(logits, vocab, width, step);
        logits[next_random() % vocab] = NAN;
        logits[next_random() % vocab] = -INFINITY;
        size_t count = oracle_survivors(&o, logits, vocab, items);
        differences += oracle_draw(items, count) != sampler_choose(s, logits, NULL, 0, NULL);
    }
    CHECK_EQUAL(differences, 0);
    sampler_close(s);
    free(items);
    free(logits);
}

TEST(sampler_agrees_with_a_naive_oracle)
{
    for (int i = 0; i < 120; i++) {
        smidgen_sampling o = defaults();
        o.temperature = (float)(0.3 + 0.1 * (double)(next_random() % 12));
        o.seed = next_random();
        o.top_k = i % 3 == 0 ? 0 : (int32_t)(next_random() % 90 + 1);
        o.top_p = i % 4 < 2 ? 1.0f : (float)(0.5 + 0.45 * uniform());
        o.min_p = i % 5 == 0 ? 0.03f : 0.0f;
        o.typical_p = i % 7 == 0 ? 0.8f : 1.0f;
        size_t vocab = i % 11 == 0 ? 3 + next_random() % 20 : 200 + next_random() % 3000;
        compare_with_oracle(o, vocab, i % 2 == 0 ? 12.0 : 2.0, i % 6 == 5 ? 0.5 : 0.0, 12);
    }
}

TEST(sampler_greedy_takes_the_smallest_id_of_equal_logits)
{
    smidgen_sampling o = defaults();
    sampler *s = sampler_create(&o, 1000, NULL, &memory_system, NULL);
    REQUIRE(s != NULL);
    float logits[1000];
    for (int at = 0; at < 990; at += 7) {
        for (int i = 0; i < 1000; i++) {
            logits[i] = i % 2 == 0 ? -INFINITY : NAN;
        }
        logits[at] = logits[at + 1] = logits[999] = -3.5f;
        CHECK_EQUAL(sampler_choose(s, logits, NULL, 0, NULL), at);
    }
    for (int i = 0; i < 1000; i++) {
        logits[i] = i % 2 == 0 ? -INFINITY : NAN;
    }
    CHECK_EQUAL(sampler_choose(s, logits, NULL, 0, NULL), -1);
    logits[17] = INFINITY;
    CHECK_EQUAL(sampler_choose(s, logits, NULL, 0, NULL), 17);
    sampler_close(s);
}

TEST(sampler_choice_is_the_same_for_the_same_seed)
{
    smidgen_sampling o = defaults();
    o.temperature = 1.0f;
    o.seed = 42;
    static const int32_t expected[8] = {7, 38, 70, 92, 97, 75, 73, 85};
    sampler *s = sampler_create(&o, 100, NULL, &memory_system, NULL);
    REQUIRE(s != NULL);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++) {
            float logits[100];
            for (int j = 0; j < 100; j++) {
                logits[j] = (float)((j * 37 + i * 11) % 13) * 0.25f;
            }
            CHECK_EQUAL(sampler_choose(s, logits, NULL, 0, NULL), expected[i]);
        }
        sampler_reset(s);
    }
    sampler_close(s);
}

TEST(sampler_survives_extreme_temperatures)
{
    static const float temperatures[] = {1e-45f, 1e-38f, 1e-6f, 100.0f};
    for (int t = 0; t < 4; t++) {
        smidgen_sampling o = defaults();
        o.temperature = temperatures[t];
        sampler *s = sampler_create(&o, 4, NULL, &memory_system, NULL);
        REQUIRE(s != NULL);
        float logits[4] = {-3e38f, 3e38f, 1.0f, 3e38f};
        int32_t chosen = sampler_choose(s, logits, NULL, 0, NULL);
        CHECK(chosen == 1 || chosen == 3);
        sampler_close(s);
    }
}

TEST(sampler_logprobs_are_the_log_softmax)
{
    for (int round = 0; round < 20; round++) {
        enum { VOCAB = 5000, LISTED = 20 };
        static float logits[VOCAB], copy[VOCAB];
        smidgen_sampling o = defaults();
        o.logprobs = LISTED;
        o.temperature = round % 2 == 0 ? 0.0f : 0.7f;
        sampler *s = sampler_create(&o, VOCAB, NULL, &memory_system, NULL);
        REQUIRE(s != NULL);
        fill_logits(logits, VOCAB, 10.0, 0.0);
        memcpy(copy, logits, sizeof copy);
        double sum = 0;
        for (int i = 0; i < VOCAB; i++) {
            sum += exp((double)copy[i]);
        }
        smidgen_logprob listed[LISTED + 5];
        int32_t count;
        int32_t chosen = sampler_choose(s, logits, listed, LISTED + 5, &count);
        CHECK_EQUAL(count, LISTED + 1);
        CHECK_EQUAL(listed[0].token, chosen);
        for (int i = 0; i < count; i++) {
            CHECK_NEAR(listed[i].logprob, copy[listed[i].token] - log(sum), 3e-6);
            CHECK(i < 2 || listed[i].logprob <= listed[i - 1].logprob);
        }
        sampler_close(s);
    }
}

TEST(sampler_penalties_follow_the_window)
{
    smidgen_sampling o = defaults();
    o.repetition_penalty = 2.0f;
    o.presence_penalty = 0.5f;
    o.frequency_penalty = 0.25f;
    for (int mode = 0; mode < 3; mode++) {
        o.penalty_last_tokens = mode == 0 ? 3 : mode == 1 ? -1 : 0;
        int window = mode == 0 ? 3 : mode == 1 ? 1000 : 64;
        sampler *s = sampler_create(&o, 10, NULL, &memory_system, NULL);
        REQUIRE(s != NULL);
        int history[300];
        for (int i = 0; i < 300; i++) {
            history[i] = (int)(next_random() % 10);
            sampler_accept(s, history[i], i % 2 == 0);
            float logits[10], expected[10];
            for (int j = 0; j < 10; j++) {
                int count = 0;
                for (int k = i; k >= 0 && k > i - window; k--) {
                    count += history[k] == j;
                }
                float l = logits[j] = (float)uniform() * 4.0f - 2.0f;
                expected[j] = count == 0 ? l : (l > 0 ? l / 2 : l * 2) - 0.5f - 0.25f * (float)count;
            }
            sampler_choose(s, logits, NULL, 0, NULL);
            for (int j = 0; j < 10; j++) {
                CHECK_NEAR(logits[j], expected[j], 1e-5);
            }
        }
        sampler_reset(s);
        float logits[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        sampler_choose(s, logits, NULL, 0, NULL);
        CHECK(logits[0] == 1.0f && logits[9] == 10.0f);
        sampler_accept(s, -1, true);
        sampler_accept(s, 10, true);
        sampler_close(s);
    }
}

TEST(sampler_biases_come_first)
{
    smidgen_sampling o = defaults();
    smidgen_logit_bias biases[] = {{2, -INFINITY}, {0, 3.0f}, {0, 1.0f}};
    o.biases = biases;
    o.bias_count = 3;
    sampler *s = sampler_create(&o, 3, NULL, &memory_system, NULL);
    biases[0].bias = 0.0f; /* it keeps a copy */
    REQUIRE(s != NULL);
    float logits[3] = {0, 3.5f, 100};
    CHECK_EQUAL(sampler_choose(s, logits, NULL, 0, NULL), 0);
    sampler_close(s);
}

TEST(sampler_refuses_options_by_name)
{
    static const struct {
        size_t offset;
        bool is_integer;
        float value;
        const char *message;
    } rows[] = {
        {offsetof(smidgen_sampling, temperature), false, -0.5f, "temperature is -0.5, allowed are 0 to 100"},
        {offsetof(smidgen_sampling, temperature), false, NAN, "temperature is nan, allowed are 0 to 100"},
        {offsetof(smidgen_sampling, top_k), true, -1, "top_k is -1, allowed are 0 to 2147483647"},
        {offsetof(smidgen_sampling, top_p), false, 1.5f, "top_p is 1.5, allowed are 0 to 1"},
        {offsetof(smidgen_sampling, min_p), false, INFINITY, "min_p is inf, allowed are 0 to 1"},
        {offsetof(smidgen_sampling, typical_p), false, -1, "typical_p is -1, allowed are 0 to 1"},
        {offsetof(smidgen_sampling, repetition_penalty), false, 0,
         "repetition_penalty is 0, allowed are 0.01 to 100"},
        {offsetof(smidgen_sampling, presence_penalty), false, 1e9f,
         "presence_penalty is 1e+09, allowed are -100 to 100"},
        {offsetof(smidgen_sampling, frequency_penalty), false, NAN,
         "frequency_penalty is nan, allowed are -100 to 100"},
        {offsetof(smidgen_sampling, penalty_last_tokens), true, -2,
         "penalty_last_tokens is -2, allowed are -1 to 1048576"},
        {offsetof(smidgen_sampling, logprobs), true, 1025, "logprobs is 1025, allowed are 0 to 1024"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smidgen_sampling o = defaults();
        int32_t whole = rows[i].is_integer ? (int32_t)rows[i].value : 0;
        memcpy((char *)&o + rows[i].offset, rows[i].is_integer ? (const void *)&whole : &rows[i].value, 4);
        smidgen_error error = {0};
        CHECK(sampler_create(&o, 100, NULL, &memory_system, &error) == NULL);
        CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
        CHECK_TEXT(error.message, rows[i].message);
    }
    smidgen_sampling o = defaults();
    smidgen_logit_bias bias = {100, 0};
    smidgen_error error = {0};
    o.biases = &bias;
    o.bias_count = 1;
    CHECK(sampler_create(&o, 100, NULL, &memory_system, &error) == NULL);
    CHECK_TEXT(error.message, "biases[0].token is 100, allowed are 0 to 99");
    bias = (smidgen_logit_bias){0, INFINITY};
    CHECK(sampler_create(&o, 100, NULL, &memory_system, &error) == NULL);
    CHECK_TEXT(error.message, "biases[0].bias is inf, allowed are finite numbers and -INFINITY");
    o = defaults();
    o.grammar = o.json_schema = "x";
    CHECK(sampler_create(&o, 100, NULL, &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
}

/* ------------------------------------------------------------------------------------------------- memory */

typedef struct failing {
    int allowed, live;
} failing;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing *f = context;
    if (f->allowed-- <= 0) {
        return NULL;
    }
    f->live++;
    return memory_system.allocate(NULL, size_bytes);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    ((failing *)context)->live--;
    memory_system.release(NULL, block, size_bytes);
}

TEST(sampler_creation_survives_every_failing_allocation)
{
    smidgen_sampling o = defaults();
    smidgen_logit_bias bias = {1, 1};
    o.temperature = 1;
    o.presence_penalty = 1;
    o.logprobs = 3;
    o.biases = &bias;
    o.bias_count = 1;
    bool created = false;
    for (int allowed = 0; !created && allowed < 50; allowed++) {
        failing f = {allowed, 0};
        smidgen_allocator a = {failing_allocate, failing_release, &f};
        smidgen_error error = {0};
        sampler *s = sampler_create(&o, 100000, NULL, &a, &error);
        created = s != NULL;
        CHECK(created || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
        if (created) {
            f.allowed = 0; /* from here on nothing may be allocated */
            static float logits[100000];
            smidgen_logprob listed[4];
            int32_t count;
            fill_logits(logits, 100000, 10, 0);
            sampler_accept(s, 5, true);
            CHECK(sampler_choose(s, logits, listed, 4, &count) >= 0);
        }
        sampler_close(s);
        CHECK_EQUAL(f.live, 0);
    }
    CHECK(created);
}
