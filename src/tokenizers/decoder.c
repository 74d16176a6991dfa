/* Owns one-shot decoding. Most tokenizers decode to the pieces of their tokens, one behind the other; the
 * others run the decoder's stages over the list of tokens. */
#include "tokenizers/decoder.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizers/unicode.h"

static int64_t join_pieces(const tokenizer *t, const int32_t *ids, size_t count, bool render_special,
                           char *text, size_t capacity)
{
    uint64_t size = 0;
    bool strips = t->strips_first_space;
    for (size_t i = 0; i < count; i++) {
        size_t piece_bytes;
        const char *piece = tokenizer_token_bytes(t, ids[i], render_special, &piece_bytes);
        bool is_text = piece_bytes != 0;
        if (strips && is_text && piece[0] == ' ') {
            piece++;
            piece_bytes--;
        }
        strips = strips && !is_text;
        if (size < capacity) {
            size_t room = capacity - (size_t)size;
            memcpy(text + size, piece, piece_bytes < room ? piece_bytes : room);
        }
        size += piece_bytes;
    }
    return (int64_t)size;
}

/* Texts one behind the other, and where each ends. */
typedef struct token_list {
    scratch text;
    scratch ends; /* size_t[count] */
    size_t count;
} token_list;

static text_span token_at(const token_list *list, size_t index)
{
    const size_t *ends = (const size_t *)(const void *)list->ends.data;
    size_t begin = index == 0 ? 0 : ends[index - 1];
    return (text_span){list->text.data + begin, ends[index] - begin};
}

static void end_token(token_list *list)
{
    scratch_append(&list->ends, (const char *)&list->text.size, sizeof list->text.size);
    list->count++;
}

static void add_token(token_list *list, text_span token)
{
    scratch_append(&list->text, token.text, token.size_bytes);
    end_token(list);
}

static bool begins_with(text_span token, const char *text, size_t size)
{
    return token.size_bytes >= size && memcmp(token.text, text, size) == 0;
}

static void append_replaced(scratch *out, text_span token, text_span from, text_span to)
{
    for (size_t at = 0; at < token.size_bytes;) {
        text_span rest = {token.text + at, token.size_bytes - at};
        bool is_here = from.size_bytes != 0 && begins_with(rest, from.text, from.size_bytes);
        scratch_append(out, is_here ? to.text : rest.text, is_here ? to.size_bytes : 1);
        at += is_here ? from.size_bytes : 1;
    }
}

/* English spacing around punctuation, as BERT's tokenizer undoes it. */
static void append_cleaned(scratch *out, text_span token)
{
    static const char *const rules[][2] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t at = 0; at < token.size_bytes;) {
        text_span rest = {token.text + at, token.size_bytes - at};
        size_t rule = 0, rules_count = sizeof rules / sizeof rules[0];
        while (rule < rules_count && !begins_with(rest, rules[rule][0], strlen(rules[rule][0]))) {
            rule++;
        }
        if (rule < rules_count) {
            scratch_append(out, rules[rule][1], strlen(rules[rule][1]));
            at += strlen(rules[rule][0]);
        } else {
            scratch_append(out, rest.text, 1);
            at++;
        }
    }
}

/* Runs of bytes that are no UTF-8 become U+FFFD, one for each byte. */
static void byte_fallback(const token_list *in, token_list *out)
{
    size_t begin = out->text.size;
    bool in_run = false;
    for (size_t i = 0; i <= in->count; i++) {
        text_span token = i < in->count ? token_at(in, i) : (text_span){0};
        int byte = i < in->count ? vocabulary_byte_of(token.text, token.size_bytes) : -1;
        if (byte >= 0) {
            begin = in_run ? begin : out->text.size;
            char value = (char)byte;
            scratch_append(&out->text, &value, 1);
            in_run = true;
            continue;
        }
        size_t run = out->text.size - begin;
        if (in_run && !out->text.failed && !utf8_is_valid(out->text.data + begin, run)) {
            out->text.size = begin;
            for (size_t k = 0; k < run; k++) {
                scratch_append(&out->text, "\xEF\xBF\xBD", 3);
            }
        }
        if (in_run) {
            end_token(out);
        }
        in_run = false;
        if (i < in->count) {
            add_token(out, token);
        }
    }
}

static void byte_level(const token_list *in, token_list *out)
{
    for (size_t i = 0; i < in->count; i++) {
        text_span token = token_at(in, i);
        size_t start = out->text.size;
        for (size_t at = 0; at < token.size_bytes;) {
            uint32_t c;
            at += utf8_decode(token.text + at, token.size_bytes - at, &c);
            int byte = byte_level_byte(c);
            char value = (char)byte;
            if (byte < 0) {
                out->text.size = start;
                scratch_append(&out->text, token.text, token.size_bytes);
                break;
            }
            scratch_append(&out->text, &value, 1);
        }
    }
    end_token(out);
}

static void strip(const decoder_stage *s, text_span token, token_list *out)
{
    size_t size = s->text.size_bytes;
    for (uint32_t i = 0; i < s->start && size != 0 && begins_with(token, s->text.text, size); i++) {
        token.text += size;
        token.size_bytes -= size;
    }
    for (uint32_t i = 0; i < s->stop && size != 0 && token.size_bytes >= size; i++) {
        if (memcmp(token.text + token.size_bytes - size, s->text.text, size) != 0) {
            break;
        }
        token.size_bytes -= size;
    }
    add_token(out, token);
}

static void wordpiece(const decoder_stage *s, text_span token, bool is_first, token_list *out, scratch *work)
{
    bool continues = begins_with(token, s->text.text, s->text.size_bytes);
    work->size = 0;
    if (!is_first && continues) {
        token.text += s->text.size_bytes;
        token.size_bytes -= s->text.size_bytes;
    } else if (!is_first) {
        scratch_append(work, " ", 1);
    }
    scratch_append(work, token.text, token.size_bytes);
    text_span spaced = {work->data, work->size};
    if (s->cleanup) {
        append_cleaned(&out->text, spaced);
    } else {
        scratch_append(&out->text, spaced.text, spaced.size_bytes);
    }
    end_token(out);
}

static void ctc(const decoder_stage *s, const token_list *in, size_t index, token_list *out, scratch *work)
{
    static const text_span nothing = {"", 0}, space = {" ", 1};
    text_span token = token_at(in, index), before = index > 0 ? token_at(in, index - 1) : nothing;
    if (index > 0 && before.size_bytes == token.size_bytes &&
        memcmp(before.text, token.text, token.size_bytes) == 0) {
        return;
    }
    size_t start = out->text.size;
    work->size = 0;
    append_replaced(work, token, s->text, nothing);
    text_span left = {work->data, work->size};
    if (s->cleanup) {
        append_replaced(&out->text, left, s->content, space);
    } else {
        scratch_append(&out->text, left.text, left.size_bytes);
    }
    if (out->text.size != start) {
        end_token(out);
    }
}

static void run_stage(const decoder_stage *s, const token_list *in, token_list *out, scratch *work)
{
    static const text_span nothing = {"", 0}, space = {" ", 1};
    if (s->kind == DECODER_BYTE_LEVEL) {
        byte_level(in, out);
        return;
    }
    if (s->kind == DECODER_BYTE_FALLBACK) {
        byte_fallback(in, out);
        return;
    }
    for (size_t i = 0; i < in->count && !out->text.failed && !out->ends.failed; i++) {
        text_span token = token_at(in, i);
        switch (s->kind) {
        case DECODER_FUSE:
            scratch_append(&out->text, token.text, token.size_bytes);
            break;
        case DECODER_STRIP:
            strip(s, token, out);
            break;
        case DECODER_WORDPIECE:
            wordpiece(s, token, i == 0, out, work);
            break;
        case DECODER_CTC:
            ctc(s, in, i, out, work);
            break;
        default: /* METASPACE, REPLACE, BPE: one text for another */
            append_replaced(&out->text, token, s->text,
                            s->kind == DECODER_REPLACE     ? s->content
                            : s->kind == DECODER_METASPACE ? (i == 0 && s->prepend ? nothing : space)
                            : i + 1 == in->count           ? nothing
                                                           : space);
            end_token(out);
        }
    }
    if (s->kind == DECODER_FUSE) {
        end_token(out);
    }
}

static void list_tokens(const tokenizer *t, const int32_t *ids, size_t count, bool render_special,
                        token_list *list)
{
    const vocabulary *v = &t->vocabulary;
    for (size_t i = 0; i < count; i++) {
        bool is_token = ids[i] >= 0 && (uint32_t)ids[i] < v->count && v->texts[ids[i]].text != NULL;
        if (is_token && (render_special || (v->flags[ids[i]] & VOCABULARY_CONTROL) == 0)) {
            add_token(list, (text_span){v->texts[ids[i]].text, (size_t)v->texts[ids[i]].size_bytes});
        }
    }
}

static bool is_space(text_span text, bool at_end)
{
    uint32_t c;
    size_t begin = at_end ? text.size_bytes - 1 : 0;
    while (at_end && begin > 0 && ((uint8_t)text.text[begin] & 0xC0) == 0x80) {
        begin--;
    }
    utf8_decode(text.text + begin, text.size_bytes - begin, &c);
    return (unicode_mask(c) & UNICODE_SPACES) != 0;
}

/* What transformers does to the text outside tokenizer.json: CLIP's </w> to spaces, no spaces around. */
static text_span finish(const tokenizer *t, text_span text, scratch *work)
{
    static const text_span space = {" ", 1};
    if (t->turns_suffix_to_space) {
        work->size = 0;
        append_replaced(work, text, t->bpe.suffix, space);
        text = (text_span){work->data, work->size};
    }
    while ((t->trims_text || t->turns_suffix_to_space) && text.size_bytes != 0 && is_space(text, true)) {
        text.size_bytes--;
    }
    while ((t->trims_text || t->turns_suffix_to_space) && text.size_bytes != 0 && is_space(text, false)) {
        text.text++;
        text.size_bytes--;
    }
    return text;
}

int64_t decoder_run(const tokenizer *t, const int32_t *ids, size_t count, bool render_special, char *text,
                    size_t capacity, smidgen_error *error)
{
    if (t->joins_pieces) {
        return join_pieces(t, ids, count, render_special, text, capacity);
    }
    const smidgen_allocator *allocator = t->arena.allocator;
    token_list lists[2] = {{{.allocator = allocator}, {.allocator = allocator}, 0},
                           {{.allocator = allocator}, {.allocator = allocator}, 0}};
    scratch work = {.allocator = allocator};
    int now = 0;
    list_tokens(t, ids, count, render_special, &lists[0]);
    for (int i = 0; i < t->decoder_count && lists[now].count != 0; i++) {
        token_list *out = &lists[1 - now];
        out->text.size = out->ends.size = out->count = 0;
        if (!lists[now].text.failed && !lists[now].ends.failed) {
            run_stage(&t->decoders[i], &lists[now], out, &work);
        }
        out->text.failed =
            out->text.failed || lists[now].text.failed || lists[now].ends.failed || work.failed;
        now = 1 - now;
    }
    token_list *last = &lists[now], *other = &lists[1 - now];
    if (t->joins_with_space && !last->text.failed && !last->ends.failed) {
        other->text.size = 0;
        for (size_t i = 0; i < last->count; i++) {
            scratch_append(&other->text, " ", i == 0 ? 0 : 1);
            add_token(other, token_at(last, i));
        }
        other->text.failed = other->text.failed || last->text.failed;
        last = other;
    }
    text_span result = finish(t, (text_span){last->text.data, last->text.size}, &work);
    bool failed = last->text.failed || last->ends.failed || work.failed;
    if (!failed && result.size_bytes != 0 && capacity != 0) {
        memcpy(text, result.text, result.size_bytes < capacity ? result.size_bytes : capacity);
    }
    for (int i = 0; i < 2; i++) {
        scratch_close(&lists[i].text);
        scratch_close(&lists[i].ends);
    }
    scratch_close(&work);
    if (failed) {
        error_set_memory(error, "decoding a text", count);
        return -SMIDGEN_ERROR_OUT_OF_MEMORY;
    }
    return (int64_t)result.size_bytes;
}
