/* `smidgen bench`: measures loading, prefill, generation and memory. Every row carries what is needed to
 * judge it: all samples, the machine, the commit and build, the model. Measures what a user gets: generation
 * includes sampling (greedy) and the text of every token; nothing is measured cold but the first load. */
#include "build_info.h"
#include "commands.h"
#include "json.h"
#include "model.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct bench {
    const options *o;
    loaded_model m;
    text machine; /* the probe's JSON */
    char sha256[65];
    double *samples; /* [o->repeat] */
    smidgen_error *error;
} bench;

/* What is measured, as the rows name it. */
typedef struct measurement {
    const char *kind, *unit;
    int32_t tokens, depth;
    bool has_tokens;
} measurement;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(const double *samples, int32_t count)
{
    double *sorted = cli_allocate((size_t)count * sizeof *sorted);
    memcpy(sorted, samples, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    double median = count % 2 != 0 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    free(sorted);
    return median;
}

static uint64_t peak_resident_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024u : 0;
}

static void write_provenance(json_writer *w, const bench *b)
{
    static const char *const kv_types[] = {"f16", "q8_0", "f32"};
    char now[32];
    time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_write_open(w, "model", '{');
    json_write_text(w, "path", b->m.path);
    json_write_text(w, "name", b->m.info.name);
    json_write_text(w, "architecture", b->m.info.architecture);
    json_write_text(w, "sha256", b->sha256[0] != 0 ? b->sha256 : NULL);
    json_write_integer(w, "parameters", (long long)b->m.info.parameter_count);
    json_write_integer(w, "file_bytes", (long long)b->m.info.file_bytes);
    json_write_integer(w, "packed_bytes", (long long)b->m.info.packed_bytes);
    json_write_close(w, '}');
    json_write_integer(w, "threads", b->m.info.threads);
    json_write_text(w, "kernel_set", b->m.info.kernel_set);
    json_write_text(w, "precision", b->o->exact ? "exact" : "fast");
    json_write_text(w, "kv_type", kv_types[b->o->kv_type]);
    json_write_text(w, "version", smidgen_version());
    json_write_text(w, "commit", BUILD_COMMIT);
    json_write_text(w, "build", BUILD_TYPE);
    json_write_text(w, "compiler", BUILD_COMPILER);
    json_write_raw(w, "machine", b->machine.bytes, b->machine.size);
    json_write_text(w, "time", now);
}

static void print_row(const bench *b, const measurement *what)
{
    double median = median_of(b->samples, b->o->repeat);
    if (!b->o->json) {
        double low = b->samples[0], high = b->samples[0];
        for (int32_t i = 1; i < b->o->repeat; i++) {
            low = b->samples[i] < low ? b->samples[i] : low;
            high = b->samples[i] > high ? b->samples[i] : high;
        }
        text name = {NULL, 0, 0};
        text_put(&name, what->kind);
        if (what->has_tokens) {
            text_print(&name, " %d", (int)what->tokens);
        }
        if (what->depth != 0) {
            text_print(&name, " at %d", (int)what->depth);
        }
        print_format("%-20s %10.4g %-10s (%.4g to %.4g)\n", name.bytes, median, what->unit, low, high);
        text_free(&name);
    } else {
        text out = {NULL, 0, 0};
        json_writer w = json_write_begin(&out);
        json_write_open(&w, NULL, '{');
        json_write_text(&w, "kind", what->kind);
        if (what->has_tokens) {
            json_write_integer(&w, "tokens", what->tokens);
            json_write_integer(&w, "depth", what->depth);
        }
        json_write_text(&w, "unit", what->unit);
        json_write_number(&w, "median", median);
        json_write_open(&w, "samples", '[');
        for (int32_t i = 0; i < b->o->repeat; i++) {
            json_write_number(&w, NULL, b->samples[i]);
        }
        json_write_close(&w, ']');
        write_provenance(&w, b);
        json_write_close(&w, '}');
        print_format("%s\n", out.bytes);
        text_free(&out);
    }
    print_flush();
}

static void print_memory(const bench *b, const smidgen_session *session)
{
    smidgen_memory model, own;
    char peak[32], weights[32], cache[32];
    memset(&own, 0, sizeof own);
    smidgen_memory_report(b->m.model, NULL, &model);
    if (session != NULL) {
        smidgen_memory_report(b->m.model, session, &own);
    }
    if (!b->o->json) {
        print_format("%-20s %10s resident at most, weights %s, keys and values %s\n", "memory",
                     human_bytes(peak_resident_bytes(), peak), human_bytes(model.weights_bytes, weights),
                     human_bytes(own.kv_cache_bytes, cache));
        return;
    }
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_text(&w, "kind", "memory");
    json_write_integer(&w, "peak_resident_bytes", (long long)peak_resident_bytes());
    json_write_integer(&w, "weights_bytes", (long long)model.weights_bytes);
    json_write_integer(&w, "tokenizer_bytes", (long long)model.tokenizer_bytes);
    json_write_integer(&w, "kv_cache_bytes", (long long)own.kv_cache_bytes);
    json_write_integer(&w, "activations_bytes", (long long)own.activations_bytes);
    json_write_integer(&w, "other_bytes", (long long)(model.other_bytes + own.other_bytes));
    write_provenance(&w, b);
    json_write_close(&w, '}');
    print_format("%s\n", out.bytes);
    text_free(&out);
}

/* ------------------------------------------------------------------------------------------------ measuring
 */

/* Ids that do not repeat soon and are the same in every run. */
static void fill_ids(int32_t *ids, int32_t count, int32_t vocab_size)
{
    uint32_t state = 12345;
    for (int32_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        ids[i] = (int32_t)((state >> 8) % (uint32_t)vocab_size);
    }
}

static bool cancelled(bench *b)
{
    return signals_interrupted() &&
           !cli_error(b->error, SMIDGEN_ERROR_CANCELLED, "", "the measurement was stopped");
}

/* Makes the session hold exactly `ids`, all computed. */
static bool hold(bench *b, smidgen_session *session, const int32_t *ids, int32_t count)
{
    if (!smidgen_session_truncate(session, 0, b->error) ||
        smidgen_session_set_prompt(session, ids, (size_t)count, b->error) < 0) {
        return false;
    }
    for (int32_t left = 1; left > 0;) {
        left = smidgen_session_prefill(session, b->error);
        if (left < 0 || cancelled(b)) {
            return false;
        }
    }
    return true;
}

/* The model of the last sample stays open. */
static bool measure_load(bench *b)
{
    for (int32_t i = 0; i < b->o->repeat; i++) {
        model_unload(&b->m);
        if (cancelled(b) || !model_load(&b->m, b->o, b->error)) {
            return false;
        }
        b->samples[i] = b->m.load_seconds;
    }
    if (!b->o->no_hash && !smidgen_hash_file(b->m.path, b->sha256, NULL, NULL, b->error) &&
        b->error->code != SMIDGEN_ERROR_BAD_FILE) { /* a folder has no hash of its own */
        return false;
    }
    print_row(b, &(measurement){"load", "seconds", 0, 0, false});
    return true;
}

static bool measure_prefill(bench *b, smidgen_session *session, const int32_t *ids)
{
    int32_t count = b->o->prefill;
    for (int32_t i = -1; i < b->o->repeat; i++) {
        double begun = cli_seconds();
        if (!hold(b, session, ids, count)) {
            return false;
        }
        if (i >= 0) {
            b->samples[i] = count / (cli_seconds() - begun);
        }
    }
    print_row(b, &(measurement){"prefill", "tokens/s", count, 0, true});
    return true;
}

/* One more token; where the model wants to stop, it is given any token and goes on. */
static bool step(bench *b, smidgen_session *session, int32_t index)
{
    char piece[256];
    int32_t token = -1, produced = smidgen_session_next(session, &token, 1, b->error);
    if (produced == 0) {
        token = 100 + index;
        produced = smidgen_session_append(session, &token, 1, b->error)
                       ? smidgen_session_next(session, &token, 1, b->error)
                       : -1;
    }
    while (smidgen_session_text(session, piece, sizeof piece) != 0) {
    }
    return produced >= 0 && !cancelled(b);
}

/* Every timed call computes one token and samples the next. */
static bool measure_generate(bench *b, smidgen_session *session, const int32_t *ids)
{
    int32_t count = b->o->generate, depth = b->o->depth;
    for (int32_t i = -1; i < b->o->repeat; i++) {
        int32_t steps = i < 0 && count > 8 ? 8 : count; /* a short warm-up */
        if (!hold(b, session, ids, depth > 0 ? depth : 1) || !step(b, session, 0)) {
            return false;
        }
        double begun = cli_seconds();
        for (int32_t j = 0; j < steps; j++) {
            if (!step(b, session, j)) {
                return false;
            }
        }
        if (i >= 0) {
            b->samples[i] = count / (cli_seconds() - begun);
        }
    }
    print_row(b, &(measurement){"generate", "tokens/s", count, depth, true});
    return true;
}

static bool measure_session(bench *b)
{
    const options *o = b->o;
    int32_t longest = o->depth + o->generate + 8;
    longest = o->prefill > longest ? o->prefill : longest;
    smidgen_session *session = session_create(o, b->m.model, o->context > 0 ? o->context : longest, b->error);
    if (session == NULL) {
        return false;
    }
    int32_t *ids = cli_allocate((size_t)(longest + 1) * sizeof *ids);
    fill_ids(ids, longest, b->m.info.vocab_size);
    smidgen_sampling sampling = smidgen_sampling_default();
    bool fine = smidgen_session_set_sampling(session, &sampling, b->error) &&
                (o->prefill == 0 || measure_prefill(b, session, ids)) &&
                (o->generate == 0 || measure_generate(b, session, ids));
    if (fine) {
        print_memory(b, session);
    }
    smidgen_session_close(session);
    free(ids);
    return fine;
}

int command_bench(const options *o)
{
    bench b;
    smidgen_error error;
    options silent = *o;
    memset(&b, 0, sizeof b);
    memset(&error, 0, sizeof error);
    silent.quiet = true; /* drawing a bar is not part of loading */
    b.o = &silent;
    b.error = &error;
    b.samples = cli_allocate((size_t)o->repeat * sizeof *b.samples);
    text_reserve(&b.machine, 65536);
    b.machine.size = smidgen_probe_json(b.machine.bytes, 65536);
    bool fine = measure_load(&b) && (o->load_only || measure_session(&b));
    if (fine && o->load_only) {
        print_memory(&b, NULL);
    }
    int status = fine ? 0 : fail(o, &error);
    status = !fine && error.code == SMIDGEN_ERROR_CANCELLED ? EXIT_INTERRUPTED : status;
    text_free(&b.machine);
    free(b.samples);
    model_unload(&b.m);
    return status;
}
