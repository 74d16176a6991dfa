/* `smidgen tokenize`: text to ids and back. */
#include "commands.h"
#include "json.h"
#include "model.h"
#include "terminal.h"

#include <string.h>

static void print_json(const loaded_model *m, const id_list *ids, const text *whole)
{
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_integer(&w, "count", (long long)ids->count);
    json_write_open(&w, "ids", '[');
    for (size_t i = 0; i < ids->count; i++) {
        json_write_integer(&w, NULL, ids->ids[i]);
    }
    json_write_close(&w, ']');
    json_write_open(&w, "pieces", '[');
    for (size_t i = 0; i < ids->count; i++) {
        text piece = {NULL, 0, 0};
        smidgen_error error;
        text_of_ids(&piece, m->model, &ids->ids[i], 1, true, &error);
        json_write_bytes(&w, NULL, piece.bytes, piece.size);
        text_free(&piece);
    }
    json_write_close(&w, ']');
    json_write_bytes(&w, "text", whole->bytes, whole->size);
    json_write_close(&w, '}');
    print_format("%s\n", out.bytes);
    text_free(&out);
}

static void print_lines(const loaded_model *m, const id_list *ids)
{
    text out = {NULL, 0, 0}, piece = {NULL, 0, 0};
    for (size_t i = 0; i < ids->count; i++) {
        smidgen_error error;
        json_writer w = json_write_begin(&out);
        text_clear(&piece);
        text_clear(&out);
        text_of_ids(&piece, m->model, &ids->ids[i], 1, true, &error);
        text_print(&out, "%7d  ", (int)ids->ids[i]);
        json_write_bytes(&w, NULL, piece.bytes, piece.size);
        if (!print_format("%s\n", out.bytes)) {
            break;
        }
    }
    text_free(&out);
    text_free(&piece);
}

static bool tokenize(const options *o, const loaded_model *m, smidgen_error *error)
{
    text input = {NULL, 0, 0}, whole = {NULL, 0, 0};
    id_list ids = {NULL, 0};
    const char *word = o->arguments[1];
    bool fine = true;
    if (word == NULL || strcmp(word, "-") == 0) {
        fine = text_read(&input, "-", (uint64_t)1 << 30, error);
    } else {
        text_put(&input, word);
    }
    if (fine && o->decode) {
        fine = ids_of_numbers(&ids, input.bytes, m->info.vocab_size, error);
    } else if (fine) {
        fine = ids_of_text(&ids, m->model, input.bytes, input.size, !o->no_special, o->parse_special, error);
    }
    fine = fine && text_of_ids(&whole, m->model, ids.ids, ids.count, true, error);
    if (fine && o->json) {
        print_json(m, &ids, &whole);
    } else if (fine && o->decode) {
        print_bytes(whole.bytes, whole.size);
        print_format("\n");
    } else if (fine && o->ids) {
        for (size_t i = 0; i < ids.count; i++) {
            print_format(i == 0 ? "%d" : " %d", (int)ids.ids[i]);
        }
        print_format("\n");
    } else if (fine) {
        print_lines(m, &ids);
    }
    text_free(&input);
    text_free(&whole);
    ids_free(&ids);
    return fine;
}

int command_tokenize(const options *o)
{
    loaded_model m;
    smidgen_error error;
    memset(&error, 0, sizeof error);
    bool fine = model_load(&m, o, &error) && tokenize(o, &m, &error);
    int status = fine ? 0 : fail(o, &error);
    model_unload(&m);
    return status;
}
