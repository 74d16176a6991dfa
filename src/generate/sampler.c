/* Owns one reply's choices: options, penalties' counts, the random generator and the grammar's place. Refuses
 * options out of range by name; never sorts the vocabulary and allocates nothing after creation. */
#include "generate/sampler.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "generate/grammar.h"
#include "generate/sampler_math.h"
#include "generate/sampler_select.h"

enum {
    PENALTY_TOKENS_DEFAULT = 64,
    PENALTY_TOKENS_MAX = 1 << 20,
    LOGPROBS_MAX = 1024,
    TOP_K_SLACK = 256, /* smallest room for candidates: fewer selections while the threshold rises */
};

struct sampler {
    arena memory;
    smidgen_sampling options;
    int32_t vocab_size;
    smidgen_logit_bias *biases; /* [options.bias_count] */

    bool has_penalties;
    int32_t *counts;  /* [vocab_size] occurrences in the window; NULL without penalties */
    int32_t *seen;    /* [seen_count] tokens whose count is not 0 */
    int32_t *seen_at; /* [vocab_size] index of a token in `seen` */
    int32_t *window;  /* [window_size] ring of the last tokens; NULL where the whole context counts */
    int32_t seen_count, window_size, window_used, window_next;

    candidate *candidates; /* [candidate_capacity]; NULL when greedy */
    size_t candidate_capacity;
    candidate *best; /* [best_capacity] room for logprobs; NULL without */
    size_t best_capacity;
    uint64_t random[4];
    grammar *constraint; /* NULL without */
};

/* ------------------------------------------------------------------------------------------------ creation
 */

static bool check_range(const char *name, float value, float low, float high, smidgen_error *error)
{
    if (value >= low && value <= high) {
        return true;
    }
    return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "%s is %g, allowed are %g to %g", name,
                     (double)value, (double)low, (double)high);
}

static bool check_count(const char *name, int32_t value, int32_t low, int32_t high, smidgen_error *error)
{
    if (value >= low && value <= high) {
        return true;
    }
    return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "%s is %d, allowed are %d to %d", name,
                     (int)value, (int)low, (int)high);
}

static bool check_biases(const smidgen_sampling *o, int32_t vocab_size, smidgen_error *error)
{
    if (o->bias_count != 0 && o->biases == NULL) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "biases is NULL but bias_count is not 0");
    }
    for (size_t i = 0; i < o->bias_count; i++) {
        smidgen_logit_bias b = o->biases[i];
        if (b.token < 0 || b.token >= vocab_size) {
            return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "biases[%zu].token is %d, allowed are 0 to %d", i, (int)b.token,
                             (int)vocab_size - 1);
        }
        if (!(b.bias < INFINITY)) {
            return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "biases[%zu].bias is %g, allowed are finite numbers and -INFINITY", i,
                             (double)b.bias);
        }
    }
    return true;
}

static bool check_options(const smidgen_sampling *o, int32_t vocab_size, smidgen_error *error)
{
    if (o->grammar != NULL && o->json_schema != NULL) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "grammar and json_schema are both set, allowed is one of them");
    }
    return check_count("vocab_size", vocab_size, 1, INT32_MAX, error) &&
           check_range("temperature", o->temperature, 0.0f, 100.0f, error) &&
           check_count("top_k", o->top_k, 0, INT32_MAX, error) &&
           check_range("top_p", o->top_p, 0.0f, 1.0f, error) &&
           check_range("min_p", o->min_p, 0.0f, 1.0f, error) &&
           check_range("typical_p", o->typical_p, 0.0f, 1.0f, error) &&
           check_range("repetition_penalty", o->repetition_penalty, 0.01f, 100.0f, error) &&
           check_range("presence_penalty", o->presence_penalty, -100.0f, 100.0f, error) &&
           check_range("frequency_penalty", o->frequency_penalty, -100.0f, 100.0f, error) &&
           check_count("penalty_last_tokens", o->penalty_last_tokens, -1, PENALTY_TOKENS_MAX, error) &&
           check_count("logprobs", o->logprobs, 0, LOGPROBS_MAX, error) && check_biases(o, vocab_size, error);
}

static void seed_random(sampler *s)
{
    uint64_t state = s->options.seed; /* splitmix64 fills the state of xoshiro256** */
    for (int i = 0; i < 4; i++) {
        state += 0x9E3779B97F4A7C15u;
        uint64_t z = state;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        s->random[i] = z ^ z >> 31;
    }
}

static uint64_t rotate_left(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* (0, 1] in steps of 2^-53. */
static double draw_uniform(sampler *s)
{
    uint64_t *r = s->random;
    uint64_t result = rotate_left(r[1] * 5, 7) * 9, t = r[1] << 17;
    r[2] ^= r[0];
    r[3] ^= r[1];
    r[1] ^= r[2];
    r[0] ^= r[3];
    r[2] ^= t;
    r[3] = rotate_left(r[3], 45);
    return (double)((result >> 11) + 1) * (1.0 / 9007199254740992.0);
}

static bool allocate_buffers(sampler *s)
{
    smidgen_sampling *o = &s->options;
    size_t vocab = (size_t)s->vocab_size;
    s->biases = arena_copy(&s->memory, o->biases, memory_array_bytes(o->bias_count, sizeof *o->biases));
    bool ok = s->biases != NULL;
    o->biases = s->biases;
    if (s->has_penalties) {
        s->counts = arena_array(&s->memory, vocab, sizeof *s->counts);
        s->seen = arena_array(&s->memory, vocab, sizeof *s->seen);
        s->seen_at = arena_array(&s->memory, vocab, sizeof *s->seen_at);
        ok = ok && s->counts != NULL && s->seen != NULL && s->seen_at != NULL;
        if (o->penalty_last_tokens >= 0) {
            s->window_size = o->penalty_last_tokens == 0 ? PENALTY_TOKENS_DEFAULT : o->penalty_last_tokens;
            s->window = arena_array(&s->memory, (size_t)s->window_size, sizeof *s->window);
            ok = ok && s->window != NULL;
        }
    }
    if (o->temperature > 0.0f) {
        size_t room = o->top_k == 0 ? vocab : 2 * (size_t)o->top_k;
        room = room < TOP_K_SLACK ? TOP_K_SLACK : room;
        s->candidate_capacity = room < vocab ? room : vocab;
        s->candidates = arena_array(&s->memory, s->candidate_capacity, sizeof *s->candidates);
        ok = ok && s->candidates != NULL;
    }
    if (o->logprobs > 0) {
        size_t room = 2 * ((size_t)o->logprobs + 1);
        room = room < TOP_K_SLACK ? TOP_K_SLACK : room;
        s->best_capacity = room < vocab ? room : vocab;
        s->best = arena_array(&s->memory, s->best_capacity, sizeof *s->best);
        ok = ok && s->best != NULL;
    }
    return ok;
}

static bool compile_grammar(sampler *s, const tokenizer *t, const smidgen_allocator *allocator,
                            smidgen_error *error)
{
    const char *gbnf = s->options.grammar, *schema = s->options.json_schema;
    if (gbnf == NULL && schema == NULL) {
        return true;
    }
    if (t == NULL) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "a grammar needs a tokenizer");
    }
    s->constraint = gbnf != NULL ? grammar_from_gbnf(gbnf, strlen(gbnf), t, allocator, error)
                                 : grammar_from_json_schema(schema, strlen(schema), t, allocator, error);
    return s->constraint != NULL;
}

sampler *sampler_create(const smidgen_sampling *options, int32_t vocab_size, const tokenizer *t,
                        const smidgen_allocator *allocator, smidgen_error *error)
{
    if (!check_options(options, vocab_size, error)) {
        return NULL;
    }
    sampler *s = memory_allocate_zeroed(allocator, sizeof *s);
    if (s == NULL) {
        error_set_memory(error, "the sampler", sizeof *s);
        return NULL;
    }
    arena_init(&s->memory, allocator);
    s->options = *options;
    s->vocab_size = vocab_size;
    if (s->options.top_k >= vocab_size) {
        s->options.top_k = 0;
    }
    s->has_penalties = options->repetition_penalty != 1.0f || options->presence_penalty != 0.0f ||
                       options->frequency_penalty != 0.0f;
    if (!allocate_buffers(s)) {
        error_set_memory(error, "the sampler's buffers", (uint64_t)vocab_size * sizeof(candidate));
        sampler_close(s);
        return NULL;
    }
    if (!compile_grammar(s, t, allocator, error)) {
        sampler_close(s);
        return NULL;
    }
    s->options.stop = NULL; /* the caller's texts need not live on */
    s->options.grammar = s->options.json_schema = NULL;
    seed_random(s);
    return s;
}

void sampler_close(sampler *s)
{
    if (s != NULL) {
        const smidgen_allocator *allocator = s->memory.allocator;
        grammar_close(s->constraint);
        arena_close(&s->memory);
        memory_release(allocator, s, sizeof *s);
    }
}

/* ----------------------------------------------------------------------------------------------- penalties
 */

static void count_token(sampler *s, int32_t token)
{
    if (s->counts[token]++ == 0) {
        s->seen_at[token] = s->seen_count;
        s->seen[s->seen_count++] = token;
    }
}

static void uncount_token(sampler *s, int32_t token)
{
    if (--s->counts[token] == 0) {
        int32_t last = s->seen[--s->seen_count];
        s->seen[s->seen_at[token]] = last;
        s->seen_at[last] = s->seen_at[token];
    }
}

void sampler_reset(sampler *s)
{
    for (int32_t i = 0; i < s->seen_count; i++) {
        s->counts[s->seen[i]] = 0;
    }
    s->seen_count = s->window_used = s->window_next = 0;
    if (s->constraint != NULL) {
        grammar_reset(s->constraint);
    }
    seed_random(s);
}

void sampler_accept(sampler *s, int32_t token, bool is_reply)
{
    if (is_reply && s->constraint != NULL) {
        grammar_accept(s->constraint, token);
    }
    if (!s->has_penalties || token < 0 || token >= s->vocab_size) {
        return;
    }
    if (s->window == NULL) {
        if (s->counts[token] < INT32_MAX) {
            count_token(s, token);
        }
        return;
    }
    if (s->window_used == s->window_size) {
        uncount_token(s, s->window[s->window_next]);
    } else {
        s->window_used++;
    }
    s->window[s->window_next] = token;
    s->window_next = (s->window_next + 1) % s->window_size;
    count_token(s, token);
}

static void apply_penalties(const sampler *s, float *logits)
{
    const smidgen_sampling *o = &s->options;
    for (int32_t i = 0; i < s->seen_count; i++) {
        int32_t token = s->seen[i];
        float l = logits[token];
        l = l > 0.0f ? l / o->repetition_penalty : l * o->repetition_penalty;
        logits[token] = l - o->presence_penalty - o->frequency_penalty * (float)s->counts[token];
    }
}

/* ------------------------------------------------------------------------------------------------- choices
 */

/* First index of `value` in logits[0..count), which contains it. */
static int32_t find_first(const float *logits, int32_t count, float value)
{
    for (int32_t i = 0; i < count; i++) {
        if (logits[i] == value) {
            return i;
        }
    }
    return -1;
}

static void weigh(candidate *c, size_t count, float max, float scale)
{
    for (size_t i = 0; i < count; i++) {
        c[i].scaled = (candidate_logit(&c[i]) - max) * scale;
        c[i].weight = sampler_exp(c[i].scaled);
    }
}

static double total_weight(const candidate *c, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += c[i].weight;
    }
    return sum;
}

/* Locally typical sampling (Meister et al. 2022): the tokens whose surprise is nearest to the entropy. */
static size_t keep_typical(candidate *c, size_t count, double typical_p)
{
    double sum = total_weight(c, count), expected = 0.0;
    for (size_t i = 0; i < count; i++) {
        expected += (double)c[i].weight * c[i].scaled;
    }
    double shift = expected / sum; /* entropy = log sum - shift; surprise = log sum - scaled */
    for (size_t i = 0; i < count; i++) {
        float distance = (float)fabs(shift - c[i].scaled);
        c[i].order = candidate_order_ascending(distance, candidate_id(&c[i]));
    }
    count = candidates_select_mass(c, count, typical_p * sum);
    for (size_t i = 0; i < count;
         i++) { /* equal logits have equal `scaled`, so the order of logits comes back */
        c[i].order = candidate_order(c[i].scaled, candidate_id(&c[i]));
    }
    return count;
}

/* Candidates before typical, top-p and min-p. Where only top-p or min-p follow, tokens that they would drop
 * anyway are never collected. `*mass` is the total that top-p refers to. */
static size_t collect(sampler *s, const float *logits, float max, float scale, double *mass)
{
    const smidgen_sampling *o = &s->options;
    size_t vocab = (size_t)s->vocab_size, count;
    candidate *c = s->candidates;
    if (o->top_k > 0) {
        count = candidates_top(logits, vocab, (size_t)o->top_k, c, s->candidate_capacity);
        weigh(c, count, max, scale);
        *mass = total_weight(c, count);
        return count;
    }
    if (o->typical_p >= 1.0f && o->top_p < 1.0f) {
        *mass = sampler_sum_exp(logits, vocab, max, scale);
        for (float reach = 4.0f; reach < 64.0f; reach *= 2.0f) {
            count = candidates_above(logits, vocab, max - reach * o->temperature, c);
            weigh(c, count, max, scale);
            if (total_weight(c, count) >= (double)o->top_p * *mass) {
                return count;
            }
        }
    }
    count = candidates_above(logits, vocab, -INFINITY, c);
    weigh(c, count, max, scale);
    *mass = total_weight(c, count);
    return count;
}

static size_t keep_min_p(candidate *c, size_t count, float min_p)
{
    float best = 0.0f;
    for (size_t i = 0; i < count; i++) {
        best = c[i].weight > best ? c[i].weight : best;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (c[i].weight >= min_p * best) {
            c[kept++] = c[i];
        }
    }
    return kept;
}

/* One draw by weight, walking the ids upwards; done by selection, so that nothing needs to be sorted. */
static int32_t draw(sampler *s, candidate *c, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (c[i].weight > 0.0f) {
            c[kept] = c[i];
            c[kept++].order = (uint32_t)candidate_id(&c[i]);
        }
    }
    double target = draw_uniform(s) * total_weight(c, kept);
    kept = candidates_select_mass(c, kept, target);
    int32_t chosen = -1;
    for (size_t i = 0; i < kept; i++) {
        chosen = candidate_id(&c[i]) > chosen ? candidate_id(&c[i]) : chosen;
    }
    return chosen;
}

static int32_t choose_random(sampler *s, const float *logits, float max)
{
    const smidgen_sampling *o = &s->options;
    candidate *c = s->candidates;
    float scale = 1.0f / o->temperature;
    scale = scale < 1e30f ? scale : 1e30f; /* 0 * inf would be NaN */
    double mass;
    size_t count = collect(s, logits, max, scale, &mass);
    if (o->typical_p < 1.0f) {
        count = keep_typical(c, count, o->typical_p);
        mass = total_weight(c, count);
    }
    if (o->top_p < 1.0f) {
        count = candidates_select_mass(c, count, (double)o->top_p * mass);
    }
    if (o->min_p > 0.0f) {
        count = keep_min_p(c, count, o->min_p);
    }
    return draw(s, c, count);
}

/* ------------------------------------------------------------------------------------------------ logprobs
 */

static int32_t list_logprobs(sampler *s, const float *logits, float max, int32_t chosen, smidgen_logprob *out,
                             int32_t capacity)
{
    if (capacity <= 0) {
        return 0;
    }
    double log_sum =
        isinf(max) ? 0.0 : sampler_log(sampler_sum_exp(logits, (size_t)s->vocab_size, max, 1.0f));
    double log_chosen = isinf(max) ? 0.0 : (double)logits[chosen] - (double)max - log_sum;
    out[0] = (smidgen_logprob){chosen, (float)log_chosen};
    int32_t listed = 1;
    if (s->best == NULL || isinf(max)) {
        return listed;
    }
    int32_t keep = capacity < s->options.logprobs + 1 ? capacity : s->options.logprobs + 1;
    keep = keep < s->vocab_size ? keep : s->vocab_size;
    size_t found = candidates_top(logits, (size_t)s->vocab_size, (size_t)keep, s->best, s->best_capacity);
    candidates_sort(s->best, found);
    for (size_t i = 0; i < found && listed < keep; i++) {
        int32_t token = candidate_id(&s->best[i]);
        if (token != chosen) {
            out[listed++] = (smidgen_logprob){token, (float)((double)logits[token] - (double)max - log_sum)};
        }
    }
    return listed;
}

int32_t sampler_choose(sampler *s, float *logits, smidgen_logprob *alternatives, int32_t capacity,
                       int32_t *count)
{
    if (count != NULL) {
        *count = 0;
    }
    for (size_t i = 0; i < s->options.bias_count; i++) {
        logits[s->biases[i].token] += s->biases[i].bias;
    }
    if (s->has_penalties) {
        apply_penalties(s, logits);
    }
    if (s->constraint != NULL && grammar_mask(s->constraint, logits, s->vocab_size) == 0) {
        return -1;
    }
    float max = sampler_max(logits, (size_t)s->vocab_size);
    if (max == -INFINITY) {
        return -1;
    }
    /* a logit of +INFINITY is certain whatever the temperature */
    bool is_certain = s->options.temperature == 0.0f || max == INFINITY;
    int32_t chosen = is_certain ? find_first(logits, s->vocab_size, max) : choose_random(s, logits, max);
    if (alternatives != NULL && count != NULL) {
        *count = list_logprobs(s, logits, max, chosen, alternatives, capacity);
    }
    return chosen;
}
