/* `smidgen perplexity`: how well a model predicts a text, and how far its distributions are from stored ones.
 * The text is cut into windows of --context tokens that do not overlap; the second half of each is scored, so
 * that every scored token has at least half a window before it. A rest shorter than a window is left out. */
#include "commands.h"
#include "json.h"
#include "logits_file.h"
#include "model.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct score {
    const options *o;
    const loaded_model *m;
    id_list ids;
    int32_t context, first;
    size_t windows, window;  /* how many; the current one */
    const int32_t *expected; /* [context] ids of the current window */
    logits_file save, against;
    bool saves, compares;
    float *log_p, *reference; /* [vocab_size] */
    double *kl;               /* [scored] */
    size_t scored, same_top;
    double sum, sum_squares;  /* of the negative log probabilities */
    double probability_error; /* sum of squared differences of the probability of the right token */
    size_t worst;             /* index of the largest divergence */
    smidgen_error *error;
    bool failed;
} score;

static int32_t arg_max(const float *x, int32_t count)
{
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

/* log softmax into s->log_p. */
static void normalise(score *s, const float *logits)
{
    int32_t vocab = s->m->info.vocab_size;
    float largest = logits[arg_max(logits, vocab)];
    double sum = 0;
    for (int32_t i = 0; i < vocab; i++) {
        sum += (double)expf(logits[i] - largest);
    }
    float shift = largest + (float)log(sum);
    for (int32_t i = 0; i < vocab; i++) {
        s->log_p[i] = logits[i] - shift;
    }
}

static bool compare(score *s, int32_t next)
{
    int32_t vocab = s->m->info.vocab_size;
    double kl = 0;
    if (!logits_read(&s->against, next, s->reference, s->error)) {
        return false;
    }
    for (int32_t i = 0; i < vocab; i++) {
        double p = (double)expf(s->reference[i]);
        kl += p > 0 ? p * ((double)s->reference[i] - (double)s->log_p[i]) : 0;
    }
    double difference = exp((double)s->log_p[next]) - exp((double)s->reference[next]);
    s->kl[s->scored] = kl > 0 ? kl : 0;
    s->worst = s->kl[s->scored] > s->kl[s->worst] ? s->scored : s->worst;
    s->same_top += arg_max(s->log_p, vocab) == arg_max(s->reference, vocab);
    s->probability_error += difference * difference;
    return true;
}

static bool visit(void *context, int32_t position, const float *logits)
{
    score *s = context;
    if (position < s->first || position + 1 >= s->context) {
        return true;
    }
    int32_t next = s->expected[position + 1];
    normalise(s, logits);
    double loss = -(double)s->log_p[next];
    s->sum += loss;
    s->sum_squares += loss * loss;
    if ((s->saves && !logits_write(&s->save, next, s->log_p, s->error)) ||
        (s->compares && !compare(s, next))) {
        s->failed = true;
        return false;
    }
    s->scored++;
    return !signals_interrupted();
}

static uint64_t hash_of_ids(const int32_t *ids, size_t count)
{
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ (uint32_t)ids[i]) * 1099511628211u;
    }
    return hash;
}

static bool prepare(score *s, smidgen_error *error)
{
    text book = {NULL, 0, 0};
    bool fine = text_read(&book, s->o->arguments[1], (uint64_t)1 << 30, error) &&
                ids_of_text(&s->ids, s->m->model, book.bytes, book.size, true, false, error);
    text_free(&book);
    if (!fine) {
        return false;
    }
    s->windows = s->ids.count / (size_t)s->context;
    if (s->o->windows > 0 && s->windows > (size_t)s->o->windows) {
        s->windows = (size_t)s->o->windows;
    }
    if (s->windows == 0) {
        return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "Give a longer text or a smaller --context.",
                         "the text has %zu tokens: less than one window of %d", s->ids.count,
                         (int)s->context);
    }
    size_t vocab = (size_t)s->m->info.vocab_size, used = s->windows * (size_t)s->context;
    logits_header header = {(uint32_t)vocab, (uint32_t)s->context, (uint32_t)s->first, (uint32_t)s->windows,
                            hash_of_ids(s->ids.ids, used)};
    s->log_p = cli_allocate(vocab * sizeof *s->log_p);
    s->reference = cli_allocate(vocab * sizeof *s->reference);
    s->kl = cli_allocate(used * sizeof *s->kl);
    s->saves = s->o->save_logits != NULL;
    s->compares = s->o->kl_against != NULL;
    return (!s->compares || logits_open(&s->against, s->o->kl_against, &header, error)) &&
           (!s->saves || logits_create(&s->save, s->o->save_logits, &header, error));
}

static bool score_window(score *s, smidgen_session *session, int32_t *ids, smidgen_error *error)
{
    memcpy(ids, s->ids.ids + s->window * (size_t)s->context, (size_t)s->context * sizeof *ids);
    if (s->m->info.adds_bos && s->m->info.bos_token >= 0) {
        ids[0] = s->m->info.bos_token; /* every window begins like a text */
    }
    s->expected = ids;
    /* Nothing may be reused: logits are made only for tokens that are computed. */
    return smidgen_session_truncate(session, 0, error) &&
           smidgen_session_set_prompt(session, ids, (size_t)s->context, error) >= 0 &&
           smidgen_session_logits(session, s->first, visit, s, error) && !s->failed;
}

static bool score_all(score *s, smidgen_error *error)
{
    smidgen_session *session = session_create(s->o, s->m->model, s->context, error);
    int32_t *ids = cli_allocate((size_t)s->context * sizeof *ids);
    bool fine = session != NULL;
    double begun = cli_seconds();
    for (s->window = 0; fine && s->window < s->windows && !signals_interrupted(); s->window++) {
        fine = score_window(s, session, ids, error);
        if (fine && !s->o->json && s->scored != 0) {
            char left[32];
            double seconds = cli_seconds() - begun, done = (double)(s->window + 1);
            remark(s->o, "window %zu of %zu  perplexity %.4f  %s left", s->window + 1, s->windows,
                   exp(s->sum / (double)s->scored),
                   human_duration(seconds / done * ((double)s->windows - done), left));
        }
    }
    if (fine && signals_interrupted()) {
        fine = cli_error(error, SMIDGEN_ERROR_CANCELLED, "", "stopped after %zu of %zu windows", s->window,
                         s->windows);
    }
    free(ids);
    if (session != NULL) {
        smidgen_session_close(session);
    }
    return fine;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct divergence {
    double mean, median, p99, largest;
} divergence;

static divergence summarise(score *s)
{
    divergence d = {0, 0, 0, 0};
    for (size_t i = 0; i < s->scored; i++) {
        d.mean += s->kl[i] / (double)s->scored;
    }
    qsort(s->kl, s->scored, sizeof *s->kl, by_size);
    d.median = s->kl[s->scored / 2];
    d.p99 = s->kl[(size_t)((double)(s->scored - 1) * 0.99)];
    d.largest = s->kl[s->scored - 1];
    return d;
}

static void print_result(score *s)
{
    double n = (double)s->scored, mean = s->sum / n, variance = s->sum_squares / n - mean * mean;
    double perplexity = exp(mean), uncertainty = n > 1 ? perplexity * sqrt(fmax(variance, 0) / (n - 1)) : 0;
    size_t per_window = (size_t)(s->context - 1 - s->first), worst = s->worst;
    divergence d = s->compares ? summarise(s) : (divergence){0, 0, 0, 0};
    double top = (double)s->same_top / n, rms = sqrt(s->probability_error / n);
    if (!s->o->json) {
        print_format("perplexity %.4f +- %.4f (%zu tokens in %zu windows of %d)\n", perplexity, uncertainty,
                     s->scored, s->windows, (int)s->context);
        if (s->compares) {
            print_format(
                "divergence mean %.6f  median %.6f  99 %% %.6f  largest %.6f (window %zu, position %zu)\n",
                d.mean, d.median, d.p99, d.largest, worst / per_window,
                (size_t)s->first + worst % per_window);
            print_format("same top token %.2f %%, probability of the right token differs by %.3f %% (rms)\n",
                         100 * top, 100 * rms);
        }
        return;
    }
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_number(&w, "perplexity", perplexity);
    json_write_number(&w, "uncertainty", uncertainty);
    json_write_number(&w, "mean_negative_log_probability", mean);
    json_write_integer(&w, "scored_tokens", (long long)s->scored);
    json_write_integer(&w, "windows", (long long)s->windows);
    json_write_integer(&w, "context", s->context);
    if (s->compares) {
        json_write_open(&w, "divergence", '{');
        json_write_number(&w, "mean", d.mean);
        json_write_number(&w, "median", d.median);
        json_write_number(&w, "p99", d.p99);
        json_write_number(&w, "max", d.largest);
        json_write_integer(&w, "max_window", (long long)(worst / per_window));
        json_write_integer(&w, "max_position", (long long)((size_t)s->first + worst % per_window));
        json_write_number(&w, "same_top", top);
        json_write_number(&w, "probability_rms", rms);
        json_write_close(&w, '}');
    }
    json_write_text(&w, "model", s->m->path);
    json_write_close(&w, '}');
    print_format("%s\n", out.bytes);
    text_free(&out);
}

int command_perplexity(const options *o)
{
    loaded_model m;
    smidgen_error error, closing;
    score s;
    memset(&error, 0, sizeof error);
    memset(&s, 0, sizeof s);
    bool fine = model_load(&m, o, &error);
    s.o = o;
    s.m = &m;
    s.error = &error;
    s.context = o->context;
    s.first = o->context / 2;
    fine = fine && prepare(&s, &error) && score_all(&s, &error);
    bool written = logits_close(&s.save, fine ? &error : &closing);
    fine = written && fine;
    logits_close(&s.against, &closing);
    if (fine) {
        print_result(&s);
    }
    int status = fine ? 0 : fail(o, &error);
    status = !fine && error.code == SMIDGEN_ERROR_CANCELLED ? EXIT_INTERRUPTED : status;
    free(s.log_p);
    free(s.reference);
    free(s.kl);
    ids_free(&s.ids);
    model_unload(&m);
    return status;
}
