/* Owns expressions that the split rules do not cover, through PCRE2 (native builds only). Bytes that are not
 * UTF-8 are kept away by the caller. A match that gives up at PCRE2's limits is no match, so that no text
 * makes it run for long. */
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "tokenizers/pattern.h"

enum { MATCH_LIMIT = 1000000 };

typedef struct engine {
    const smidgen_allocator *allocator;
    pcre2_general_context *general;
    pcre2_match_context *limits;
    pcre2_code *code;
} engine;

/* PCRE2 does not say the size of what it frees: it stands in front of each block. */
typedef struct block_header {
    size_t size_bytes;
    char room[56];
} block_header;

static void *engine_allocate(size_t size_bytes, void *context)
{
    if (size_bytes > SIZE_MAX - sizeof(block_header)) {
        return NULL;
    }
    block_header *block = memory_allocate(context, size_bytes + sizeof *block);
    if (block == NULL) {
        return NULL;
    }
    block->size_bytes = size_bytes + sizeof *block;
    return block + 1;
}

static void engine_free(void *memory, void *context)
{
    block_header *block = memory == NULL ? NULL : (block_header *)memory - 1;
    memory_release(context, block, block == NULL ? 0 : block->size_bytes);
}

void pattern_engine_close(void *opened)
{
    engine *e = opened;
    if (e == NULL) {
        return;
    }
    pcre2_code_free(e->code);
    pcre2_match_context_free(e->limits);
    pcre2_general_context_free(e->general);
    memory_release(e->allocator, e, sizeof *e);
}

void *pattern_engine_open(const char *expression, size_t size_bytes, const smidgen_allocator *allocator,
                          smidgen_error *error)
{
    int number = 0;
    PCRE2_SIZE at = 0;
    engine *e = memory_allocate_zeroed(allocator, sizeof *e);
    if (e != NULL) {
        e->allocator = allocator;
        e->general = pcre2_general_context_create(engine_allocate, engine_free, (void *)(uintptr_t)allocator);
        e->limits = e->general == NULL ? NULL : pcre2_match_context_create(e->general);
    }
    pcre2_compile_context *compile =
        e == NULL || e->limits == NULL ? NULL : pcre2_compile_context_create(e->general);
    if (compile == NULL) {
        pattern_engine_close(e);
        error_set_memory(error, "a pre-tokenizer", size_bytes);
        return NULL;
    }
    pcre2_set_match_limit(e->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(e->limits, MATCH_LIMIT);
    pcre2_set_parens_nest_limit(compile, 100);
    e->code = pcre2_compile((PCRE2_SPTR)expression, size_bytes, PCRE2_UTF | PCRE2_UCP, &number, &at, compile);
    pcre2_compile_context_free(compile);
    if (e->code == NULL) {
        pattern_engine_close(e);
        if (number == PCRE2_ERROR_HEAP_FAILED || number == 121) {
            error_set_memory(error, "a pre-tokenizer", size_bytes);
        } else {
            error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TOKENIZER,
                      "the tokenizer splits with the expression \"%.*s\", which PCRE2 refuses at byte %zu",
                      (int)(size_bytes < 160 ? size_bytes : 160), expression, (size_t)at);
        }
        return NULL;
    }
    return e;
}

size_t pattern_engine_next(void *opened, const char *text, size_t size, size_t at, bool *is_match)
{
    const engine *e = opened;
    size_t end = size;
    *is_match = false;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(e->code, e->general);
    if (data == NULL) {
        return SIZE_MAX;
    }
    /* The check of the whole text at each match would make this quadratic; the caller has made it. */
    uint32_t options = PCRE2_NOTEMPTY | PCRE2_NO_UTF_CHECK;
    int found = pcre2_match(e->code, (PCRE2_SPTR)text, size, at, options, data, e->limits);
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
    if (found > 0 && ends[1] > ends[0] && ends[1] > at) {
        *is_match = ends[0] <= at;
        end = *is_match ? ends[1] : ends[0];
    }
    end = found == PCRE2_ERROR_NOMEMORY ? SIZE_MAX : end;
    pcre2_match_data_free(data);
    return end;
}
