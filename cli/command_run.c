/* `smidgen run`: one prompt, one reply. */
#include "commands.h"
#include "json.h"
#include "model.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

/* The prompt as tokens: ids as given, a chat message through the template, or plain text. */
static bool make_prompt(id_list *ids, const options *o, const loaded_model *m, smidgen_error *error)
{
    text prompt = {NULL, 0, 0}, template_text = {NULL, 0, 0};
    const char *word = o->arguments[1];
    bool fine = true;
    if (o->prompt_ids != NULL) {
        return ids_of_numbers(ids, o->prompt_ids, m->info.vocab_size, error);
    }
    if (word == NULL || strcmp(word, "-") == 0) {
        fine = text_read(&prompt, "-", (uint64_t)1 << 30, error);
    } else {
        text_put(&prompt, word);
    }
    bool chat = !o->raw && (m->info.chat_template != NULL || o->template_file != NULL);
    if (fine && o->template_file != NULL) {
        fine = text_read(&template_text, o->template_file, 1 << 20, error);
    }
    if (fine && chat) {
        smidgen_message messages[2] = {{"system", o->system}, {"user", prompt.bytes}};
        size_t first = o->system == NULL ? 1 : 0;
        fine = ids_of_chat(ids, m, template_text.bytes, messages + first, 2 - first, error);
    } else if (fine) {
        fine = ids_of_text(ids, m->model, prompt.bytes, prompt.size, true, o->raw, error);
    }
    text_free(&prompt);
    text_free(&template_text);
    return fine;
}

static void write_logprob(json_writer *w, const loaded_model *m, smidgen_logprob p)
{
    text piece = {NULL, 0, 0};
    smidgen_error error;
    text_of_ids(&piece, m->model, &p.token, 1, true, &error);
    json_write_integer(w, "id", p.token);
    json_write_bytes(w, "text", piece.bytes, piece.size);
    json_write_number(w, "logprob", (double)p.logprob);
    text_free(&piece);
}

static void write_records(json_writer *w, const loaded_model *m, const reply *r)
{
    json_write_open(w, "logprobs", '[');
    for (size_t i = 0; i < r->ids.count; i++) {
        const token_record *record = &r->records[i];
        json_write_open(w, NULL, '{');
        write_logprob(w, m, record->chosen);
        json_write_open(w, "top", '[');
        for (int32_t j = 0; j < record->other_count; j++) {
            json_write_open(w, NULL, '{');
            write_logprob(w, m, record->others[j]);
            json_write_close(w, '}');
        }
        json_write_close(w, ']');
        json_write_close(w, '}');
    }
    json_write_close(w, ']');
}

static void print_json(const loaded_model *m, const reply *r, const id_list *prompt, uint64_t seed)
{
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_bytes(&w, "text", r->text.bytes, r->text.size);
    json_write_text(&w, "finish", reply_reason(r));
    json_write_open(&w, "prompt_ids", '[');
    for (size_t i = 0; i < prompt->count; i++) {
        json_write_integer(&w, NULL, prompt->ids[i]);
    }
    json_write_close(&w, ']');
    json_write_open(&w, "ids", '[');
    for (size_t i = 0; i < r->ids.count; i++) {
        json_write_integer(&w, NULL, r->ids.ids[i]);
    }
    json_write_close(&w, ']');
    if (r->logprobs > 0) {
        write_records(&w, m, r);
    }
    json_write_integer(&w, "seed", (long long)seed);
    json_write_open(&w, "usage", '{');
    json_write_integer(&w, "prompt_tokens", r->usage.prompt_tokens);
    json_write_integer(&w, "cached_tokens", r->usage.cached_tokens);
    json_write_integer(&w, "reply_tokens", (long long)r->ids.count);
    json_write_number(&w, "load_seconds", m->load_seconds);
    json_write_number(&w, "prefill_seconds", r->usage.prefill_seconds);
    json_write_number(&w, "decode_seconds", r->usage.decode_seconds);
    json_write_close(&w, '}');
    json_write_text(&w, "model", m->path);
    json_write_close(&w, '}');
    print_format("%s\n", out.bytes);
    text_free(&out);
}

/* One line a token: id, log probability, text, and the alternatives in brackets. */
static void print_records(const loaded_model *m, const reply *r)
{
    for (size_t i = 0; i < r->ids.count; i++) {
        const token_record *record = &r->records[i];
        text line = {NULL, 0, 0}, piece = {NULL, 0, 0};
        json_writer w = json_write_begin(&line);
        smidgen_error error;
        text_of_ids(&piece, m->model, &record->chosen.token, 1, true, &error);
        text_print(&line, "%7d %9.4f  ", (int)record->chosen.token, (double)record->chosen.logprob);
        json_write_bytes(&w, NULL, piece.bytes, piece.size);
        for (int32_t j = 0; j < record->other_count; j++) {
            smidgen_logprob p = record->others[j];
            text_clear(&piece);
            text_of_ids(&piece, m->model, &p.token, 1, true, &error);
            text_put(&line, j == 0 ? "   [" : "  ");
            w.comma = false;
            json_write_bytes(&w, NULL, piece.bytes, piece.size);
            text_print(&line, " %.4f", (double)p.logprob);
        }
        print_format("%s%s\n", line.bytes, record->other_count > 0 ? "]" : "");
        text_free(&line);
        text_free(&piece);
    }
}

static void print_reply(const options *o, const loaded_model *m, const reply *r, const id_list *prompt,
                        uint64_t seed)
{
    if (o->json) {
        print_json(m, r, prompt, seed);
    } else if (o->logprobs > 0) {
        print_records(m, r);
    } else if (o->ids) {
        for (size_t i = 0; i < r->ids.count; i++) {
            print_format(i == 0 ? "%d" : " %d", (int)r->ids.ids[i]);
        }
        print_format("\n");
    } else if (r->text.size == 0 || r->text.bytes[r->text.size - 1] != '\n') {
        print_format("\n");
    }
    if (!r->output_closed && !o->json && r->interrupted) {
        remark(o, "%sinterrupted%s", style_begin(o, stderr, STYLE_FAINT), style_end(o, stderr));
    }
}

static bool answer(const options *o, const loaded_model *m, reply *r, smidgen_error *error)
{
    sampling_choice choice;
    id_list prompt = {NULL, 0};
    bool fine = sampling_make(&choice, o, error) && make_prompt(&prompt, o, m, error);
    smidgen_session *session = fine ? session_create(o, m->model, o->context, error) : NULL;
    r->session = session;
    r->max_tokens = o->max_tokens;
    r->logprobs = o->logprobs;
    r->stream = !o->json && !o->ids && o->logprobs == 0;
    fine = session != NULL && smidgen_session_set_sampling(session, &choice.sampling, error) &&
           smidgen_session_set_prompt(session, prompt.ids, prompt.count, error) >= 0;
    if (fine && prompt.count == 0) {
        fine = cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "Give a text, or \"-\" and a text on standard input.", "the prompt is empty");
    }
    fine = fine && reply_make(r, error);
    if (fine) {
        print_reply(o, m, r, &prompt, choice.sampling.seed);
    }
    if (session != NULL) {
        smidgen_session_close(session);
    }
    sampling_free(&choice);
    ids_free(&prompt);
    return fine;
}

int command_run(const options *o)
{
    loaded_model m;
    smidgen_error error;
    reply r;
    memset(&error, 0, sizeof error);
    memset(&r, 0, sizeof r);
    bool fine = model_load(&m, o, &error) && answer(o, &m, &r, &error);
    int status = fine ? 0 : fail(o, &error);
    if ((fine && r.interrupted) ||
        (!fine && error.code == SMIDGEN_ERROR_CANCELLED && signals_interrupted())) {
        status = EXIT_INTERRUPTED;
    }
    reply_free(&r);
    model_unload(&m);
    return status;
}
