/* Owns the rewriting of text before it is cut: a list of stages, each from one buffer into the other. Bytes that are not
 * UTF-8 pass through unchanged. */
#include "tokenizers/normalizer.h"

#include <string.h>

#include "tokenizers/pattern.h"

static bool replace(const normalizer_stage *s, text_span in, scratch *out)
{
    bool ok = true;
    for (size_t at = 0; at < in.size_bytes && ok;) {
        bool is_match;
        size_t end = pattern_next(s->pattern, in.text, in.size_bytes, at, &is_match);
        ok = is_match ? scratch_append(out, s->content.text, s->content.size_bytes)
                      : scratch_append(out, in.text + at, end - at);
        at = end;
    }
    return ok;
}

static bool prepend(const normalizer_stage *s, text_span in, scratch *out)
{
    return in.size_bytes == 0 || (scratch_append(out, s->content.text, s->content.size_bytes) &&
                                  scratch_append(out, in.text, in.size_bytes));
}

static bool run_one(const normalizer_stage *s, text_span in, scratch *out)
{
    switch (s->kind) {
    case NORMALIZER_REPLACE: return replace(s, in, out);
    case NORMALIZER_PREPEND: return prepend(s, in, out);
    default: return false;
    }
}

text_span normalizer_run(encoding *e, const char *text, size_t size)
{
    text_span now = {text, size};
    int into = 0;
    for (int i = 0; i < e->t->normalizer_count && !e->failed; i++) {
        scratch *out = &e->text[into];
        out->size = 0;
        if (!run_one(&e->t->normalizers[i], now, out)) {
            e->failed = true;
            return (text_span){0};
        }
        now = (text_span){out->data, out->size};
        into ^= 1;
    }
    return now;
}
