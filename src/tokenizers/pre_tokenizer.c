/* Owns the cutting of text into the pieces that the model sees. Stages are nested: each piece of one stage
 * runs through the next before the following piece is made, so that no list of pieces is ever held. */
#include <string.h>

#include "tokenizers/pattern.h"

static void run_stage(encoding *e, int stage, const char *text, size_t size, bool is_start);

typedef struct cutter {
    encoding *e;
    int stage;
    const char *text;
    bool is_start;
    size_t begin, end; /* a piece that may still grow */
    bool is_held, was_match;
} cutter;

static void pass(cutter *c, size_t begin, size_t end)
{
    if (end > begin) {
        run_stage(c->e, c->stage + 1, c->text + begin, end - begin, c->is_start && begin == 0);
    }
}

static void hold(cutter *c, size_t begin, size_t end)
{
    if (c->is_held) {
        pass(c, c->begin, c->end);
    }
    c->begin = begin;
    c->end = end;
    c->is_held = true;
}

static void add_cut(cutter *c, split_behaviour behaviour, size_t begin, size_t end, bool is_match)
{
    switch (behaviour) {
    case SPLIT_REMOVED:
        if (!is_match) {
            pass(c, begin, end);
        }
        break;
    case SPLIT_ISOLATED:
        pass(c, begin, end);
        break;
    case SPLIT_MERGED_WITH_PREVIOUS:
        if (is_match && !c->was_match && c->is_held) {
            c->end = end;
        } else {
            hold(c, begin, end);
        }
        break;
    case SPLIT_MERGED_WITH_NEXT:
    case SPLIT_CONTIGUOUS:
        if (c->is_held &&
            (behaviour == SPLIT_CONTIGUOUS ? is_match == c->was_match : !is_match && c->was_match)) {
            c->end = end;
        } else {
            hold(c, begin, end);
        }
        break;
    }
    c->was_match = is_match;
}

static void split(encoding *e, int stage, const pattern *p, split_behaviour behaviour, bool is_inverted,
                  text_span piece, bool is_start)
{
    cutter c = {.e = e, .stage = stage, .text = piece.text, .is_start = is_start};
    pattern_walk walk = pattern_walk_over(p, piece.text, piece.size_bytes);
    while (!e->failed && pattern_walk_next(&walk)) {
        add_cut(&c, behaviour, walk.begin, walk.end, walk.is_match != is_inverted);
    }
    e->failed = e->failed || walk.failed;
    if (c.is_held) {
        pass(&c, c.begin, c.end);
    }
}

/* The stage's own buffer with the piece in it, one text replaced by another, `front` before it. */
static bool rewrite(scratch *into, const char *front, size_t front_bytes, text_span piece, char from,
                    text_span to)
{
    into->size = 0;
    bool ok = scratch_append(into, front, front_bytes);
    const char *at = piece.text, *end = piece.text + piece.size_bytes;
    while (ok && at < end) {
        const char *hit = to.size_bytes == 0 ? NULL : memchr(at, from, (size_t)(end - at));
        const char *stop = hit == NULL ? end : hit;
        ok = scratch_append(into, at, (size_t)(stop - at)) &&
             (hit == NULL || scratch_append(into, to.text, to.size_bytes));
        at = hit == NULL ? end : hit + 1;
    }
    return ok;
}

static bool begins_with(text_span piece, text_span with)
{
    return piece.size_bytes >= with.size_bytes && memcmp(piece.text, with.text, with.size_bytes) == 0;
}

static void metaspace(encoding *e, int stage, text_span piece, bool is_start)
{
    const pre_tokenizer_stage *s = &e->t->pre_tokenizers[stage];
    scratch *into = &e->stage_text[stage];
    bool has_front = piece.text[0] == ' ' || begins_with(piece, s->replacement);
    bool wants_front = s->prepend && (is_start || !s->only_first) && !has_front;
    if (!rewrite(into, s->replacement.text, wants_front ? s->replacement.size_bytes : 0, piece, ' ',
                 s->replacement)) {
        e->failed = true;
        return;
    }
    text_span whole = {into->data, into->size};
    if (s->cuts) {
        pattern p = {.kind = PATTERN_TEXT, .text = s->replacement};
        split(e, stage, &p, SPLIT_MERGED_WITH_NEXT, false, whole, is_start);
    } else {
        run_stage(e, stage + 1, whole.text, whole.size_bytes, is_start);
    }
}

static void byte_level(encoding *e, int stage, text_span piece, bool is_start)
{
    scratch *into = &e->stage_text[stage];
    into->size = 0;
    for (size_t i = 0; i < piece.size_bytes; i++) {
        scratch_append_code_point(into, byte_level_character((uint8_t)piece.text[i]));
    }
    e->failed = e->failed || into->failed;
    if (!e->failed) {
        run_stage(e, stage + 1, into->data, into->size, is_start);
    }
}

/* Recursion is as deep as the list of stages, at most TOKENIZER_STAGES. */
static void run_stage(encoding *e, int stage, const char *text, size_t size, bool is_start)
{
    if (e->failed) {
        return;
    }
    if (stage == e->t->pre_tokenizer_count) {
        model_encode(e, text, size);
        return;
    }
    const pre_tokenizer_stage *s = &e->t->pre_tokenizers[stage];
    text_span piece = {text, size};
    switch (s->kind) {
    case PRE_SPLIT:
        split(e, stage, &s->pattern, s->behaviour, s->is_inverted, piece, is_start);
        break;
    case PRE_METASPACE:
        metaspace(e, stage, piece, is_start);
        break;
    case PRE_BYTE_LEVEL:
        byte_level(e, stage, piece, is_start);
        break;
    case PRE_PREFIX_SPACE:
        if (text[0] == ' ') {
            run_stage(e, stage + 1, text, size, is_start);
        } else if (rewrite(&e->stage_text[stage], " ", 1, piece, 0, (text_span){0})) {
            run_stage(e, stage + 1, e->stage_text[stage].data, e->stage_text[stage].size, is_start);
        } else {
            e->failed = true;
        }
        break;
    }
}

void pre_tokenizer_run(encoding *e, const char *text, size_t size, bool is_start)
{
    if (size > 0) {
        run_stage(e, 0, text, size, is_start);
    }
}
