/* Four real models against the reference outputs in tests/data/real_llm (made by llama.cpp from the same
 * files turned into F32, and checked there against transformers). The exact path must agree to rounding; the
 * fast path's divergence from the exact one must not be worse than llama.cpp's own with 8-bit activations,
 * and no position may be broken. */
#include "test.h"

#include <stdlib.h>

#include "smidgen.h"
#include "vectors.h"

enum { TOP = 32, GREEDY = 64 };
static const double LOGIT_TOLERANCE = 2e-3, LSE_TOLERANCE = 1e-3, MARGIN = 4e-3;

typedef struct prompt {
    const char *name;
    int32_t *ids;
    int32_t count;
} prompt;

static prompt read_prompt(const json_value *row)
{
    prompt p = {.name = json_string(json_get(row, "name"), NULL)};
    const json_value *ids = json_get(row, "ids");
    p.ids = malloc(json_count(ids) * sizeof p.ids[0]);
    for (json_iterator it = json_iterate(ids); json_next(&it);) {
        p.ids[p.count++] = (int32_t)json_integer(it.value, -1);
    }
    return p;
}

/* log(sum(exp)) in double precision. */
static double log_sum_exp(const float *x, int32_t n)
{
    double top = x[0], sum = 0;
    for (int32_t i = 1; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    for (int32_t i = 0; i < n; i++) {
        sum += exp(x[i] - top);
    }
    return top + log(sum);
}

typedef struct logits_check {
    const char *model, *prompt;
    int32_t vocab;
    const float *lse, *top_logit; /* [n], [n, TOP] */
    const int32_t *top_id;
    const float *last; /* [vocab] or NULL */
    int32_t last_position;
    double worst_logit, worst_lse;
    float *keep; /* [n, vocab] copy of the logits, or NULL */
} logits_check;

static bool check_position(void *context, int32_t position, const float *logits)
{
    logits_check *c = context;
    double difference = fabs(log_sum_exp(logits, c->vocab) - c->lse[position]);
    c->worst_lse = difference > c->worst_lse || isnan(difference) ? difference : c->worst_lse;
    for (int32_t k = 0; k < TOP; k++) {
        difference = fabs(logits[c->top_id[position * TOP + k]] - c->top_logit[position * TOP + k]);
        c->worst_logit = difference > c->worst_logit || isnan(difference) ? difference : c->worst_logit;
    }
    if (c->last != NULL && position == c->last_position) {
        for (int32_t v = 0; v < c->vocab; v++) {
            difference = fabs(logits[v] - c->last[v]);
            c->worst_logit = difference > c->worst_logit || isnan(difference) ? difference : c->worst_logit;
        }
    }
    if (c->keep != NULL) {
        memcpy(c->keep + (size_t)position * (size_t)c->vocab, logits, (size_t)c->vocab * sizeof logits[0]);
    }
    return true;
}

static vector_tensor get(const vectors *v, const char *prompt_name, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", prompt_name, what);
    return vectors_get(v, name);
}

/* Greedy continuation: ids must be the reference's up to the first step whose margin is below the tolerance.
 */
static void check_greedy(smidgen_session *s, const prompt *p, const vectors *v, double margin_tolerance)
{
    const int32_t *expected = get(v, p->name, "greedy_id").data;
    const float *margin = get(v, p->name, "margin").data;
    smidgen_error error = {0};
    CHECK(smidgen_session_set_prompt(s, p->ids, (size_t)p->count, &error) >= 0);
    for (int step = 0; step < GREEDY && margin[step] > margin_tolerance; step++) {
        int32_t id = -1;
        int32_t produced = smidgen_session_next(s, &id, 1, &error);
        if (produced == 0) {
            break; /* the model's end token, which the reference goes past */
        }
        if (produced != 1 || id != expected[step]) {
            test_fail(__FILE__, __LINE__, "%s: step %d gives %d, expected %d (margin %g) %s", p->name, step,
                      (int)id, (int)expected[step], margin[step], error.message);
            break;
        }
    }
}

typedef struct divergence {
    int32_t vocab;
    const float *exact; /* [n, vocab] */
    double sum, worst, worst_first;
    int64_t count, same_top;
} divergence;

static bool measure_position(void *context, int32_t position, const float *logits)
{
    divergence *d = context;
    const float *exact = d->exact + (size_t)position * (size_t)d->vocab;
    double exact_lse = log_sum_exp(exact, d->vocab), lse = log_sum_exp(logits, d->vocab), kl = 0;
    int32_t best = 0, exact_best = 0;
    for (int32_t i = 0; i < d->vocab; i++) {
        double p = exact[i] - exact_lse;
        kl += exp(p) * (p - (logits[i] - lse));
        best = logits[i] > logits[best] ? i : best;
        exact_best = exact[i] > exact[exact_best] ? i : exact_best;
    }
    if (position == 0) {
        d->worst_first = kl > d->worst_first || isnan(kl) ? kl : d->worst_first;
    } else {
        d->sum += kl;
        d->count++;
        d->same_top += best == exact_best;
        d->worst = kl > d->worst || isnan(kl) ? kl : d->worst;
    }
    return true;
}

typedef struct limits {
    double kl_mean, kl_max, top1; /* llama.cpp's own with 8-bit activations, from the README of the vectors */
} limits;

static smidgen_session *open_session(const char *path, smidgen_precision precision, smidgen_kv_type kv,
                                     smidgen_model **model)
{
    smidgen_error error = {0};
    *model = smidgen_model_open(path, &(smidgen_model_options){.precision = precision}, &error);
    smidgen_session_options options = {.context_tokens = 1024, .key_type = kv, .value_type = kv};
    smidgen_session *s = *model == NULL ? NULL : smidgen_session_create(*model, &options, &error);
    if (s == NULL) {
        test_fail(__FILE__, __LINE__, "%s: %s", path, error.message);
    }
    return s;
}

static void check_prompt(smidgen_session *exact, smidgen_session *fast, const prompt *p, const vectors *v,
                         int32_t vocab, divergence *d, logits_check *worst)
{
    smidgen_error error = {0};
    logits_check c = {.vocab = vocab,
                      .lse = get(v, p->name, "lse").data,
                      .top_id = get(v, p->name, "top_id").data,
                      .top_logit = get(v, p->name, "top_logit").data,
                      .last = get(v, p->name, "last").data,
                      .last_position = p->count - 1};
    c.keep = malloc((size_t)p->count * (size_t)vocab * sizeof c.keep[0]);
    REQUIRE(c.keep != NULL && c.lse != NULL);
    CHECK(smidgen_session_set_prompt(exact, p->ids, (size_t)p->count, &error) >= 0);
    CHECK(smidgen_session_logits(exact, 0, check_position, &c, &error));
    CHECK_NEAR(c.worst_logit, 0, LOGIT_TOLERANCE);
    CHECK_NEAR(c.worst_lse, 0, LSE_TOLERANCE);
    worst->worst_logit = c.worst_logit > worst->worst_logit ? c.worst_logit : worst->worst_logit;
    worst->worst_lse = c.worst_lse > worst->worst_lse ? c.worst_lse : worst->worst_lse;
    check_greedy(exact, p, v, MARGIN);
    d->exact = c.keep;
    CHECK(smidgen_session_set_prompt(fast, p->ids, (size_t)p->count, &error) >= 0);
    CHECK(smidgen_session_logits(fast, 0, measure_position, d, &error));
    free(c.keep);
}

static void check_model(const char *name, limits allowed)
{
    const char *path = test_model(name);
    if (path == NULL) {
        SKIP("model %s is not in $SMIDGEN_MODELS", name);
    }
    char file[256], *text;
    snprintf(file, sizeof file, "real_llm/%s/prompts.json", name);
    json_document *prompts = vectors_json(test_data(file), &text);
    snprintf(file, sizeof file, "real_llm/%s/logits.safetensors", name);
    vectors v;
    REQUIRE(prompts != NULL && vectors_open(&v, test_data(file)));
    smidgen_model *exact_model, *fast_model;
    smidgen_session *exact = open_session(path, SMIDGEN_PRECISION_EXACT, SMIDGEN_KV_F32, &exact_model);
    smidgen_session *fast = open_session(path, SMIDGEN_PRECISION_FAST, SMIDGEN_KV_F16, &fast_model);
    REQUIRE(exact != NULL && fast != NULL);
    smidgen_model_info info;
    smidgen_model_get_info(exact_model, &info);
    divergence d = {.vocab = info.vocab_size};
    logits_check worst = {0};
    for (json_iterator it = json_iterate(json_root(prompts)); json_next(&it);) {
        prompt p = read_prompt(it.value);
        check_prompt(exact, fast, &p, &v, info.vocab_size, &d, &worst);
        free(p.ids);
    }
    double mean = d.sum / (double)d.count, top1 = (double)d.same_top / (double)d.count;
    printf("%s: exact within %.2g (logits) %.2g (lse); fast KL mean %.5f max %.4f first %.4f, same top %.2f "
           "%%\n",
           name, worst.worst_logit, worst.worst_lse, mean, d.worst, d.worst_first, 100 * top1);
    CHECK(mean <= allowed.kl_mean);
    CHECK(d.worst <= 2 * allowed.kl_max);
    CHECK(d.worst_first < 0.1);
    CHECK(d.worst < 0.1 || d.worst <= allowed.kl_max);
    CHECK(top1 >= allowed.top1 - 0.01);
    smidgen_session_close(exact);
    smidgen_session_close(fast);
    smidgen_model_close(exact_model);
    smidgen_model_close(fast_model);
    vectors_close(&v);
    json_close(prompts);
    free(text);
}

TEST(real_smollm2_135m_agrees_with_the_reference)
{
    check_model("smollm2-135m", (limits){0.0035, 0.082, 0.964});
}

TEST(real_gemma3_270m_agrees_with_the_reference)
{
    check_model("gemma3-270m", (limits){0.0057, 0.201, 0.959});
}

TEST(real_qwen_0_5b_agrees_with_the_reference)
{
    check_model("qwen-0.5b", (limits){0.0014, 0.137, 0.978});
}

TEST(real_qwen_1_5b_agrees_with_the_reference)
{
    check_model("qwen-1.5b", (limits){0.0026, 0.028, 0.974});
}
