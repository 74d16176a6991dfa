/* The tiny reference models of tests/data/models against what transformers computed with them, module by
 * module, on every instruction set of this machine. Weights are float32, so both precisions must be exact. */
#include "test.h"

#include <stdlib.h>

#include "models/model.h"
#include "vectors.h"

typedef struct comparison {
    const json_value *outputs; /* of the case in cases.json */
    const vectors *file;
    const int32_t *mask; /* [columns of the batch], or NULL */
    int64_t batch_row, batch_columns;
    int64_t first; /* column of the first token that was run */
    int compared;
} comparison;

static double tolerance_of(const comparison *c, const char *output)
{
    return json_number(json_get(json_get(c->outputs, output), "tol"), -1);
}

static void look(void *context, const char *label, const float *value, int64_t rows, int64_t columns)
{
    comparison *c = context;
    char name[96];
    snprintf(name, sizeof name, "out.%s", label);
    vector_tensor expected = vectors_get(c->file, name);
    if (expected.data == NULL) {
        return;
    }
    double tolerance = tolerance_of(c, label), worst = 0;
    const float *reference =
        (const float *)expected.data + (c->batch_row * c->batch_columns + c->first) * columns;
    for (int64_t i = 0; i < rows * columns; i++) {
        double difference = fabs((double)value[i] - (double)reference[i]);
        worst = difference > worst || isnan(difference) ? difference : worst;
    }
    if (!(worst <= tolerance)) {
        test_fail(__FILE__, __LINE__, "%s differs by %g, allowed %g", label, worst, tolerance);
    }
    c->compared++;
}

typedef struct run {
    smidgen_model *model;
    cpu_runner *runner;
    kv_cache *cache;
} run;

enum { MAX_TOKENS = 64 };

static bool run_open(run *r, smidgen_model *model)
{
    kv_shape shape = {.layers = model->config.layer_count,
                      .heads_kv = model->config.head_count_kv,
                      .head_size = model->config.head_size,
                      .capacity_tokens = MAX_TOKENS,
                      .key_type = SMIDGEN_KV_F32,
                      .value_type = SMIDGEN_KV_F32};
    cpu_model backend = model_backend(model, DECODER_LOGITS);
    *r = (run){.model = model};
    r->cache = kv_create(&shape, &memory_system, NULL);
    r->runner = cpu_runner_create(&backend, MAX_TOKENS, MAX_TOKENS, &memory_system, NULL);
    return r->cache != NULL && r->runner != NULL;
}

static void run_close(run *r)
{
    cpu_runner_close(r->runner);
    kv_close(r->cache);
}

/* Logits of all tokens ids[0..count) at positions from `position` on. */
static void run_tokens(run *r, const int32_t *ids, int32_t count, int32_t position, comparison *c)
{
    int32_t positions[MAX_TOKENS], rows[MAX_TOKENS];
    kv_cache *caches[MAX_TOKENS];
    for (int32_t i = 0; i < count; i++) {
        positions[i] = position + i;
        rows[i] = i;
        caches[i] = r->cache;
    }
    cpu_step step = {.tokens = ids,
                     .positions = positions,
                     .caches = caches,
                     .token_count = count,
                     .output_rows = rows,
                     .output_count = count,
                     .look = c == NULL ? NULL : look,
                     .look_context = c};
    cpu_runner_run(r->runner, &step);
}

/* Tokens of one batch row that are no padding; they are always contiguous. */
static int64_t unpadded(const comparison *c, int64_t *first)
{
    int64_t count = 0;
    *first = 0;
    for (int64_t i = c->batch_columns - 1; i >= 0; i--) {
        if (c->mask == NULL || c->mask[c->batch_row * c->batch_columns + i] != 0) {
            count++;
            *first = i;
        }
    }
    return count;
}

static void check_greedy(run *r, const comparison *c, int64_t last, int64_t position)
{
    vector_tensor ids = vectors_get(c->file, "out.generated_ids"),
                  logits = vectors_get(c->file, "out.step_logits");
    int64_t steps = ids.shape[1], vocab = logits.shape[2];
    double tolerance = tolerance_of(c, "step_logits");
    const float *result = cpu_runner_result(r->runner, (int32_t)last);
    for (int64_t s = 0; s < steps; s++) {
        const float *expected = (const float *)logits.data + (c->batch_row * steps + s) * vocab;
        int32_t best = 0;
        for (int32_t v = 0; v < vocab; v++) {
            best = result[v] > result[best] ? v : best;
            CHECK_NEAR(result[v], expected[v], tolerance);
        }
        int32_t reference = ((const int32_t *)ids.data)[c->batch_row * steps + s];
        CHECK_EQUAL(best, reference);
        run_tokens(r, &reference, 1, (int32_t)(position + s), NULL);
        result = cpu_runner_result(r->runner, 0);
    }
}

static void check_case(smidgen_model *model, const char *folder, const json_value *row)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, json_string(json_get(row, "file"), NULL));
    vectors file;
    REQUIRE(vectors_open(&file, path));
    vector_tensor ids = vectors_get(&file, "in.input_ids");
    bool is_greedy = json_is_string(json_get(row, "mode"), "greedy");
    comparison c = {.outputs = json_get(row, "outputs"),
                    .file = &file,
                    .mask = vectors_get(&file, "in.attention_mask").data,
                    .batch_columns = ids.shape[1]};
    for (; c.batch_row < ids.shape[0]; c.batch_row++) {
        run r;
        if (!run_open(&r, model)) {
            test_fail(__FILE__, __LINE__, "no memory");
            break;
        }
        int64_t count = unpadded(&c, &c.first);
        run_tokens(&r, (const int32_t *)ids.data + c.batch_row * c.batch_columns + c.first, (int32_t)count, 0,
                   is_greedy ? NULL : &c);
        if (is_greedy) {
            check_greedy(&r, &c, count - 1, count);
        } else {
            CHECK(c.compared >= 3); /* embeddings, layers, logits at least */
        }
        run_close(&r);
    }
    vectors_close(&file);
}

static void check_folder(const char *folder, smidgen_precision precision)
{
    char path[512], *text;
    snprintf(path, sizeof path, "%s/cases.json", folder);
    json_document *cases = vectors_json(path, &text);
    REQUIRE(cases != NULL);
    smidgen_error error = {0};
    smidgen_model *model =
        smidgen_model_open(folder, &(smidgen_model_options){.threads = 2, .precision = precision}, &error);
    if (model == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", folder, error.message);
    } else {
        for (json_iterator it = json_iterate(json_get(json_root(cases), "cases")); json_next(&it);) {
            check_case(model, folder, it.value);
        }
        smidgen_model_close(model);
    }
    json_close(cases);
    free(text);
}

static void check_family(const char *folder)
{
    static const cpu_isa isas[] = {CPU_ISA_SCALAR, CPU_ISA_AVX2, CPU_ISA_AVX512, CPU_ISA_NEON};
    char path[512];
    snprintf(path, sizeof path, "%s", test_data(folder));
    const char *before = getenv("SMIDGEN_ISA");
    char *saved = before == NULL ? NULL : strdup(before);
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        if (cpu_isa_supported(isas[i])) {
            setenv("SMIDGEN_ISA", cpu_isa_name(isas[i]), 1);
            check_folder(path, SMIDGEN_PRECISION_EXACT);
            check_folder(path, SMIDGEN_PRECISION_FAST);
        }
    }
    if (saved != NULL) {
        setenv("SMIDGEN_ISA", saved, 1);
    } else {
        unsetenv("SMIDGEN_ISA");
    }
    free(saved);
}

TEST(llama_with_llama3_rope_scaling_matches_the_reference)
{
    check_family("models/llama/llama3_rope");
}

TEST(llama_with_tied_head_matches_the_reference)
{
    check_family("models/llama/tied");
}

TEST(llama_with_biases_and_linear_rope_scaling_matches_the_reference)
{
    check_family("models/llama/bias_head_dim");
}

TEST(mistral_with_sliding_window_matches_the_reference)
{
    check_family("models/mistral/sliding");
}

TEST(qwen2_matches_the_reference)
{
    check_family("models/qwen2/bias");
}

TEST(qwen3_matches_the_reference)
{
    check_family("models/qwen3/qk_norm");
}

TEST(gemma3_matches_the_reference)
{
    check_family("models/gemma3/text");
}
