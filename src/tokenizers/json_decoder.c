/* Owns the reading of tokenizer.json's post_processor and decoder. Components that are not known are refused
 * by name. */
#include <string.h>

#include "tokenizers/json_parts.h"

/* ids in front of what is there already (processors run one after the other, each around the last). */
static bool put_before(tokenizer *t, const int32_t *ids, int32_t count)
{
    int32_t *all = arena_array(&t->arena, (size_t)count + (size_t)t->before_count, sizeof *all);
    if (all == NULL) {
        return false;
    }
    memcpy(all, ids, (size_t)count * sizeof *all);
    if (t->before_count != 0) {
        memcpy(all + count, t->before, (size_t)t->before_count * sizeof *all);
    }
    t->before = all;
    t->before_count += count;
    return true;
}

static bool put_after(tokenizer *t, const int32_t *ids, int32_t count)
{
    int32_t *all = arena_array(&t->arena, (size_t)count + (size_t)t->after_count, sizeof *all);
    if (all == NULL) {
        return false;
    }
    if (t->after_count != 0) {
        memcpy(all, t->after, (size_t)t->after_count * sizeof *all);
    }
    memcpy(all + t->after_count, ids, (size_t)count * sizeof *all);
    t->after = all;
    t->after_count += count;
    return true;
}

static bool is_id(const tokenizer *t, int64_t id)
{
    return id >= 0 && id < t->vocabulary.count;
}

/* The ids of one special token of a template, appended to list[*count ..]; a template has at most `room`. */
static bool template_ids(const tokenizer *t, const json_value *specials, const json_value *name,
                         int32_t *list, int32_t room, int32_t *count, smidgen_error *error)
{
    size_t size;
    const char *key = json_string(name, &size);
    const json_value *ids = key == NULL ? NULL : json_get(json_get(specials, key), "ids");
    if (json_kind_of(ids) != JSON_ARRAY) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "tokenizer.json: the template's token \"%.60s\" has no ids", key == NULL ? "" : key);
    }
    for (json_iterator it = json_iterate(ids); json_next(&it);) {
        int64_t id = json_integer(it.value, -1);
        if (!is_id(t, id) || *count == room) {
            return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                             "tokenizer.json: an id of the template is out of range");
        }
        list[(*count)++] = (int32_t)id;
    }
    return true;
}

static bool add_template(tokenizer *t, const json_value *part, smidgen_error *error)
{
    enum { ROOM = 64 };
    int32_t ids[2][ROOM], counts[2] = {0, 0};
    int sequences = 0;
    const json_value *single = json_get(part, "single"), *specials = json_get(part, "special_tokens");
    if (json_kind_of(single) != JSON_ARRAY) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "tokenizer.json: a template has no list \"single\"");
    }
    for (json_iterator it = json_iterate(single); json_next(&it);) {
        const json_value *special = json_get(it.value, "SpecialToken");
        if (json_get(it.value, "Sequence") != NULL) {
            sequences++;
        } else if (special == NULL) {
            return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                             "tokenizer.json: a piece of the template is not known");
        } else if (!template_ids(t, specials, json_get(special, "id"), ids[sequences > 0], ROOM,
                                 &counts[sequences > 0], error)) {
            return false;
        }
    }
    if (sequences != 1) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                         "tokenizer.json: a template for %d texts", sequences);
    }
    return (put_before(t, ids[0], counts[0]) && put_after(t, ids[1], counts[1])) ||
           error_set_memory(error, "a post_processor", sizeof ids);
}

/* ["[SEP]", 102] */
static bool pair_id(const tokenizer *t, const json_value *pair, int32_t *id, smidgen_error *error)
{
    int64_t value = -1;
    for (json_iterator it = json_iterate(pair); json_kind_of(pair) == JSON_ARRAY && json_next(&it);) {
        value = json_integer(it.value, -1);
    }
    *id = (int32_t)value;
    return is_id(t, value) || error_set(error, SMIDGEN_ERROR_BAD_FILE,
                                        "tokenizer.json: cls or sep of the post_processor is out of range");
}

static bool read_post_processor(tokenizer *t, const json_value *part, const char *type, smidgen_error *error)
{
    int32_t before, after;
    if (strcmp(type, "ByteLevel") == 0) {
        return true;
    }
    if (strcmp(type, "TemplateProcessing") == 0) {
        return add_template(t, part, error);
    }
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0) {
        return pair_id(t, json_get(part, "cls"), &before, error) &&
               pair_id(t, json_get(part, "sep"), &after, error) &&
               ((put_before(t, &before, 1) && put_after(t, &after, 1)) ||
                error_set_memory(error, "a post_processor", sizeof before));
    }
    return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "the post_processor \"%.100s\" is not known",
                     type);
}

bool json_read_post_processor(tokenizer *t, const json_value *root, smidgen_error *error)
{
    return json_each_part(t, json_get(root, "post_processor"), "post_processor", "processors",
                          read_post_processor, error);
}

static bool read_decoder(tokenizer *t, const json_value *part, const char *type, smidgen_error *error)
{
    static const char *const names[] = {"ByteLevel", "WordPiece", "Metaspace",  "ByteFallback", "Fuse",
                                        "Strip",     "Replace",   "BPEDecoder", "CTC"};
    int kind = 0, kinds = (int)(sizeof names / sizeof names[0]);
    while (kind < kinds && strcmp(type, names[kind]) != 0) {
        kind++;
    }
    if (kind == kinds || t->decoder_count == TOKENIZER_STAGES) {
        return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER, "the decoder \"%.100s\" is not known",
                         type);
    }
    decoder_stage *s = &t->decoders[t->decoder_count++];
    *s = (decoder_stage){.kind = (decoder_kind)kind, .cleanup = json_bool(json_get(part, "cleanup"), true)};
    const json_value *scheme = json_get(part, "prepend_scheme");
    switch (s->kind) {
    case DECODER_WORDPIECE:
        return json_read_text(t, part, "prefix", "##", &s->text, error);
    case DECODER_METASPACE:
        s->prepend = json_kind_of(scheme) == JSON_STRING
                         ? !json_is_string(scheme, "never")
                         : json_bool(json_get(part, "add_prefix_space"), true);
        return json_read_text(t, part, "replacement", "\xE2\x96\x81", &s->text, error);
    case DECODER_STRIP:
        s->start = (uint32_t)json_integer(json_get(part, "start"), 0);
        s->stop = (uint32_t)json_integer(json_get(part, "stop"), 0);
        return json_read_text(t, part, "content", " ", &s->text, error);
    case DECODER_REPLACE:
        if (json_string(json_get(json_get(part, "pattern"), "Regex"), &(size_t){0}) != NULL) {
            return error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                             "a decoder that replaces by expression");
        }
        return json_read_text(t, json_get(part, "pattern"), "String", NULL, &s->text, error) &&
               json_read_text(t, part, "content", NULL, &s->content, error);
    case DECODER_BPE:
        return json_read_text(t, part, "suffix", "</w>", &s->text, error);
    case DECODER_CTC:
        return json_read_text(t, part, "pad_token", "<pad>", &s->text, error) &&
               json_read_text(t, part, "word_delimiter_token", "|", &s->content, error);
    default:
        return true;
    }
}

bool json_read_decoder(tokenizer *t, const json_value *root, smidgen_error *error)
{
    if (!json_each_part(t, json_get(root, "decoder"), "decoder", "decoders", read_decoder, error)) {
        return false;
    }
    /* CLIP's </w> is turned into spaces outside tokenizer.json, and the text stripped. */
    t->turns_suffix_to_space = t->bpe.suffix.size_bytes != 0 && t->bpe.is_byte_level;
    t->joins_with_space = t->decoder_count == 0;
    /* ByteFallback is no joining of pieces: it puts U+FFFD for each byte of a run that is not UTF-8. */
    t->joins_pieces =
        t->decoder_count == 1 && t->decoders[0].kind == DECODER_BYTE_LEVEL && !t->turns_suffix_to_space;
    return true;
}
