/* Owns the rewriting of text before it is cut: a list of stages, each from one buffer into the other. Bytes
 * that are not UTF-8 pass through unchanged. */
#include "base/utf8.h"
#include "tokenizers/charsmap.h"
#include "tokenizers/normal_form.h"
#include "tokenizers/pattern.h"
#include "tokenizers/unicode.h"

static bool replace(const normalizer_stage *s, text_span in, scratch *out)
{
    bool ok = true;
    pattern_walk walk = pattern_walk_over(s->pattern, in.text, in.size_bytes);
    while (ok && pattern_walk_next(&walk)) {
        ok = walk.is_match ? scratch_append(out, s->content.text, s->content.size_bytes)
                           : scratch_append(out, in.text + walk.begin, walk.end - walk.begin);
    }
    return ok && !walk.failed;
}

static bool prepend(const normalizer_stage *s, text_span in, scratch *out)
{
    return in.size_bytes == 0 || (scratch_append(out, s->content.text, s->content.size_bytes) &&
                                  scratch_append(out, in.text, in.size_bytes));
}

static bool lowercase(text_span in, scratch *out)
{
    bool ok = true;
    for (size_t at = 0; at < in.size_bytes && ok;) {
        uint32_t c;
        size_t length = utf8_decode(in.text + at, in.size_bytes - at, &c);
        uint32_t lower = c == UINT32_MAX ? c : unicode_lower(c);
        if (c == 0x130) { /* the one letter whose lower case is two code points */
            ok = scratch_append_code_point(out, 'i') && scratch_append_code_point(out, 0x307);
        } else {
            ok = lower == c ? scratch_append(out, in.text + at, length)
                            : scratch_append_code_point(out, lower);
        }
        at += length;
    }
    return ok;
}

/* What BERT removes: controls, formats, private use, U+FFFD, and here bytes that are no characters. */
static bool is_unclean(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r') {
        return false;
    }
    return c == 0 || c == 0xFFFD || c == UINT32_MAX || (unicode_mask(c) & UNICODE_OTHERS) != 0;
}

static bool is_chinese(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                         {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                         {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

/* One character through CLEAN, CHINESE or STRIP_ACCENTS. */
static bool filter_one(normalizer_kind kind, uint32_t c, text_span character, scratch *out)
{
    if (kind == NORMALIZER_STRIP_ACCENTS) {
        bool is_accent = (unicode_mask(c) & UNICODE_BIT(UNICODE_MN)) != 0;
        return is_accent || scratch_append(out, character.text, character.size_bytes);
    }
    if (kind == NORMALIZER_CHINESE && is_chinese(c)) {
        return scratch_append(out, " ", 1) && scratch_append(out, character.text, character.size_bytes) &&
               scratch_append(out, " ", 1);
    }
    if (kind == NORMALIZER_CLEAN && is_unclean(c)) {
        return true;
    }
    if (kind == NORMALIZER_CLEAN && (unicode_mask(c) & UNICODE_SPACES) != 0) {
        return scratch_append(out, " ", 1);
    }
    return scratch_append(out, character.text, character.size_bytes);
}

static bool filter(normalizer_kind kind, text_span in, scratch *out)
{
    bool ok = true;
    for (size_t at = 0; at < in.size_bytes && ok;) {
        uint32_t c;
        size_t length = utf8_decode(in.text + at, in.size_bytes - at, &c);
        ok = filter_one(kind, c, (text_span){in.text + at, length}, out);
        at += length;
    }
    return ok;
}

static bool strip(const normalizer_stage *s, text_span in, scratch *out)
{
    size_t begin = 0, end = 0, at = 0;
    bool seen = false;
    while (at < in.size_bytes) {
        uint32_t c;
        size_t length = utf8_decode(in.text + at, in.size_bytes - at, &c);
        bool is_space = (unicode_mask(c) & UNICODE_SPACES) != 0;
        begin = !seen && is_space && s->left ? at + length : begin;
        end = !is_space || !s->right ? at + length : end;
        seen = seen || !is_space;
        at += length;
    }
    return end <= begin || scratch_append(out, in.text + begin, end - begin);
}

static bool run_one(const normalizer_stage *s, text_span in, scratch *out, scratch *work)
{
    const int composed = NORMAL_FORM_COMPOSED, compatible = NORMAL_FORM_COMPATIBLE;
    switch (s->kind) {
    case NORMALIZER_REPLACE:
        return replace(s, in, out);
    case NORMALIZER_PREPEND:
        return prepend(s, in, out);
    case NORMALIZER_NFC:
        return normal_form_append(out, work, in.text, in.size_bytes, composed);
    case NORMALIZER_NFD:
        return normal_form_append(out, work, in.text, in.size_bytes, 0);
    case NORMALIZER_NFKC:
        return normal_form_append(out, work, in.text, in.size_bytes, composed | compatible);
    case NORMALIZER_NFKD:
        return normal_form_append(out, work, in.text, in.size_bytes, compatible);
    case NORMALIZER_LOWERCASE:
        return lowercase(in, out);
    case NORMALIZER_STRIP:
        return strip(s, in, out);
    case NORMALIZER_CHARSMAP:
        return charsmap_append(s->charsmap, out, in.text, in.size_bytes);
    case NORMALIZER_CLEAN:
    case NORMALIZER_CHINESE:
    case NORMALIZER_STRIP_ACCENTS:
        return filter(s->kind, in, out);
    }
    return false;
}

text_span normalizer_run(encoding *e, const char *text, size_t size)
{
    text_span now = {text, size};
    int into = 0;
    for (int i = 0; i < e->t->normalizer_count && !e->failed; i++) {
        scratch *out = &e->text[into];
        out->size = 0;
        if (!run_one(&e->t->normalizers[i], now, out, &e->work)) {
            e->failed = true;
            return (text_span){0};
        }
        now = (text_span){out->data, out->size};
        into ^= 1;
    }
    return now;
}
