/* Owns the commands' common use of the library. */
#include "model.h"

#include "catalogue.h"
#include "terminal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool model_load(loaded_model *m, const options *o, smidgen_error *error)
{
    smidgen_model_options settings;
    memset(m, 0, sizeof *m);
    m->path = model_resolve(o, o->arguments[0], error);
    if (m->path == NULL) {
        return false;
    }
    progress bar = progress_begin(o, "loading", 0);
    memset(&settings, 0, sizeof settings);
    settings.threads = o->threads;
    settings.precision = o->exact ? SMIDGEN_PRECISION_EXACT : SMIDGEN_PRECISION_FAST;
    settings.progress = progress_update;
    settings.progress_context = &bar;
    double begun = cli_seconds();
    m->model = smidgen_model_open(m->path, &settings, error);
    m->load_seconds = cli_seconds() - begun;
    progress_end(&bar);
    if (m->model == NULL) {
        return false;
    }
    smidgen_model_get_info(m->model, &m->info);
    return true;
}

void model_unload(loaded_model *m)
{
    if (m->model != NULL) {
        smidgen_model_close(m->model);
    }
    free(m->path);
    memset(m, 0, sizeof *m);
}

smidgen_session *session_create(const options *o, smidgen_model *model, int32_t context_tokens,
                                smidgen_error *error)
{
    smidgen_session_options settings;
    static const smidgen_kv_type types[] = {SMIDGEN_KV_F16, SMIDGEN_KV_Q8_0, SMIDGEN_KV_F32};
    memset(&settings, 0, sizeof settings);
    settings.context_tokens = context_tokens;
    settings.key_type = settings.value_type = types[o->kv_type];
    settings.overflow = o->slide ? SMIDGEN_OVERFLOW_SLIDE : SMIDGEN_OVERFLOW_STOP;
    return smidgen_session_create(model, &settings, error);
}

/* ------------------------------------------------------------------------------------------------ sampling
 */

static bool read_bias(const char *word, smidgen_logit_bias *bias)
{
    char *rest = NULL;
    errno = 0;
    long token = strtol(word, &rest, 10);
    if (rest == word || *rest != '=' || token < 0 || token > INT32_MAX || errno != 0) {
        return false;
    }
    const char *number = rest + 1;
    bias->token = (int32_t)token;
    bias->bias = strtof(number, &rest);
    return rest != number && *rest == 0 && !isnan(bias->bias);
}

/* A number, or something that differs from run to run. */
static bool read_seed(const char *word, uint64_t *seed, smidgen_error *error)
{
    if (word == NULL) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        *seed = ((uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec * 31u + (uint64_t)getpid()) &
                0xFFFFFFFFu;
        return true;
    }
    char *rest = NULL;
    errno = 0;
    *seed = strtoull(word, &rest, 10);
    if (*word == 0 || *word == '-' || *rest != 0 || errno != 0) {
        return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "It takes a whole number from 0 on.",
                         "--seed: \"%.80s\" is not allowed", word);
    }
    return true;
}

/* A schema is given as a file, or as its own text. */
static bool read_schema(text *schema, const char *word, smidgen_error *error)
{
    if (word[strspn(word, " \t\n")] == '{') {
        text_put(schema, word);
        return true;
    }
    return text_read(schema, word, 1 << 24, error);
}

bool sampling_make(sampling_choice *s, const options *o, smidgen_error *error)
{
    memset(s, 0, sizeof *s);
    smidgen_sampling *p = &s->sampling;
    *p = smidgen_sampling_default();
    p->temperature = (float)o->temperature;
    p->top_k = o->top_k;
    p->top_p = (float)o->top_p;
    p->min_p = (float)o->min_p;
    p->typical_p = (float)o->typical;
    p->repetition_penalty = (float)o->repetition_penalty;
    p->presence_penalty = (float)o->presence_penalty;
    p->frequency_penalty = (float)o->frequency_penalty;
    p->penalty_last_tokens = o->penalty_last;
    p->logprobs = o->logprobs;
    p->stop = o->stop.items;
    p->stop_count = o->stop.count;
    s->biases = cli_allocate((o->logit_bias.count + 1) * sizeof *s->biases);
    for (size_t i = 0; i < o->logit_bias.count; i++) {
        if (!read_bias(o->logit_bias.items[i], &s->biases[i])) {
            return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "The form is ID=X, for example 42=-inf.",
                             "--logit-bias: \"%.80s\" is not allowed", o->logit_bias.items[i]);
        }
    }
    p->biases = s->biases;
    p->bias_count = o->logit_bias.count;
    if (o->grammar != NULL && o->json_schema != NULL) {
        return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "Give one of them.",
                         "--grammar and --json-schema exclude each other");
    }
    if (!read_seed(o->seed, &p->seed, error) ||
        (o->grammar != NULL && !text_read(&s->grammar, o->grammar, 1 << 24, error)) ||
        (o->json_schema != NULL && !read_schema(&s->schema, o->json_schema, error))) {
        return false;
    }
    p->grammar = s->grammar.bytes;
    p->json_schema = s->schema.bytes;
    return true;
}

void sampling_free(sampling_choice *s)
{
    free(s->biases);
    text_free(&s->grammar);
    text_free(&s->schema);
}

/* -------------------------------------------------------------------------------------------------- tokens
 */

bool ids_of_text(id_list *list, const smidgen_model *model, const char *bytes, size_t size, bool add_special,
                 bool parse_special, smidgen_error *error)
{
    size_t capacity = size / 3 + 16;
    for (;;) {
        list->ids = cli_resize(list->ids, capacity * sizeof *list->ids);
        int64_t count =
            smidgen_tokenize(model, bytes, size, add_special, parse_special, list->ids, capacity, error);
        if (count < 0) {
            return false;
        }
        list->count = (size_t)count;
        if (list->count <= capacity) {
            return true;
        }
        capacity = list->count;
    }
}

bool ids_of_numbers(id_list *list, const char *numbers, int32_t vocab_size, smidgen_error *error)
{
    list->count = 0;
    for (const char *at = numbers;;) {
        char *rest = NULL;
        at += strspn(at, " \t\r\n,[]");
        if (*at == 0) {
            return true;
        }
        errno = 0;
        long id = strtol(at, &rest, 10);
        if (rest == at || errno != 0 || id < 0 || id >= vocab_size) {
            return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "Ids are whole numbers with blanks between them.",
                             "\"%.20s\" is no token id of this model (0 to %d)", at, (int)vocab_size - 1);
        }
        list->ids = cli_resize(list->ids, (list->count + 1) * sizeof *list->ids);
        list->ids[list->count++] = (int32_t)id;
        at = rest;
    }
}

bool ids_of_chat(id_list *list, const loaded_model *m, const char *template_text,
                 const smidgen_message *messages, size_t count, smidgen_error *error)
{
    text rendered = {NULL, 0, 0};
    size_t capacity = 4096;
    int64_t size;
    for (;;) {
        text_reserve(&rendered, capacity);
        size = smidgen_render_chat(m->model, template_text, messages, count, true, rendered.bytes, capacity,
                                   error);
        if (size < 0 || (size_t)size <= capacity) {
            break;
        }
        capacity = (size_t)size;
    }
    bool fine = size >= 0 && ids_of_text(list, m->model, rendered.bytes, (size_t)size, false, true, error);
    text_free(&rendered);
    int32_t bos = m->info.bos_token;
    if (fine && m->info.adds_bos && bos >= 0 && (list->count == 0 || list->ids[0] != bos)) {
        list->ids = cli_resize(list->ids, (list->count + 1) * sizeof *list->ids);
        memmove(list->ids + 1, list->ids, list->count * sizeof *list->ids);
        list->ids[0] = bos;
        list->count++;
    }
    return fine;
}

bool text_of_ids(text *t, const smidgen_model *model, const int32_t *ids, size_t count, bool render_special,
                 smidgen_error *error)
{
    size_t capacity = count * 8 + 64;
    for (;;) {
        text_reserve(t, capacity);
        int64_t size =
            smidgen_detokenize(model, ids, count, render_special, t->bytes + t->size, capacity, error);
        if (size < 0) {
            return false;
        }
        if ((size_t)size <= capacity) {
            t->size += (size_t)size;
            t->bytes[t->size] = 0;
            return true;
        }
        capacity = (size_t)size;
    }
}

void ids_free(id_list *list)
{
    free(list->ids);
    list->ids = NULL;
    list->count = 0;
}

/* -------------------------------------------------------------------------------------------------- replies
 */

static void take_text(reply *r)
{
    char piece[512];
    for (;;) {
        size_t size = smidgen_session_text(r->session, piece, sizeof piece);
        if (size == 0) {
            break;
        }
        text_add(&r->text, piece, size);
        if (r->stream && !print_bytes(piece, size)) {
            r->output_closed = true;
        }
    }
    if (r->stream && !print_flush()) {
        r->output_closed = true;
    }
}

static void take_token(reply *r, int32_t token)
{
    r->ids.ids = cli_resize(r->ids.ids, (r->ids.count + 1) * sizeof *r->ids.ids);
    r->ids.ids[r->ids.count++] = token;
    if (r->logprobs <= 0) {
        return;
    }
    r->records = cli_resize(r->records, r->ids.count * sizeof *r->records);
    token_record *record = &r->records[r->ids.count - 1];
    record->others = cli_allocate(((size_t)r->logprobs + 1) * sizeof *record->others);
    int32_t got = smidgen_session_logprobs(r->session, record->others, r->logprobs + 1);
    record->chosen = got > 0 ? record->others[0] : (smidgen_logprob){token, NAN};
    record->other_count = got > 0 ? got - 1 : 0;
    memmove(record->others, record->others + 1, (size_t)record->other_count * sizeof *record->others);
}

/* Computes the prompt chunk by chunk, so that Ctrl-C is heard in a long one too. */
static bool prefill(reply *r, smidgen_error *error)
{
    for (;;) {
        int32_t left = smidgen_session_prefill(r->session, error);
        if (left < 0) {
            return false;
        }
        r->interrupted = signals_interrupted();
        if (left == 0 || r->interrupted) {
            return true;
        }
    }
}

bool reply_make(reply *r, smidgen_error *error)
{
    bool fine = prefill(r, error);
    while (fine && !r->interrupted && !r->output_closed && !r->limited) {
        if (r->max_tokens > 0 && r->ids.count >= (size_t)r->max_tokens) {
            r->limited = true;
            break;
        }
        int32_t token = -1, produced = smidgen_session_next(r->session, &token, 1, error);
        if (produced < 0) {
            fine = false;
            break;
        }
        if (produced > 0) {
            take_token(r, token);
        }
        take_text(r);
        if (produced == 0) {
            break;
        }
        r->interrupted = signals_interrupted();
    }
    r->finish = smidgen_session_finish(r->session);
    smidgen_session_usage(r->session, &r->usage);
    return fine;
}

void reply_free(reply *r)
{
    for (size_t i = 0; i < r->ids.count && r->records != NULL; i++) {
        free(r->records[i].others);
    }
    free(r->records);
    text_free(&r->text);
    ids_free(&r->ids);
}

const char *reply_reason(const reply *r)
{
    if (r->interrupted || r->output_closed) {
        return "interrupted";
    }
    if (r->limited) {
        return "max_tokens";
    }
    return r->finish == SMIDGEN_FINISH_LENGTH ? "length" : "stop";
}

double per_second(int32_t tokens, double seconds)
{
    return seconds > 0 ? tokens / seconds : 0;
}
