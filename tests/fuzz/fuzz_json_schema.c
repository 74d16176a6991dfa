/* Any bytes as a JSON schema, and a walk through texts under it: no crash, no leak, no hang; a schema that
 * was taken never leads into a dead end. */
#include <stdlib.h>

#include "failing_allocator.h"
#include "generate/grammar.h"

/* Walks from byte to byte, driven by the input. */
static void walk(grammar *g, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size && i < 64; i++) {
        bool moved = false;
        for (int k = 0; k < 256 && !moved; k++) {
            char byte = (char)(data[i] + k);
            moved = grammar_accept_bytes(g, &byte, 1);
        }
        if (!moved) {
            if (!grammar_may_end(g)) {
                abort();
            }
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096) {
        return 0;
    }
    failing_allocator f;
    failing_allocator_bind(&f, data[0] < 64 ? data[0] : UINT64_MAX);
    smidgen_error error = {0};
    grammar *g = grammar_from_json_schema((const char *)data + 1, size - 1, NULL, &f.base, &error);
    if (g == NULL && error.code != SMIDGEN_ERROR_GRAMMAR && error.code != SMIDGEN_ERROR_LIMIT &&
        error.code != SMIDGEN_ERROR_OUT_OF_MEMORY) {
        abort();
    }
    if (g != NULL) {
        walk(g, data, size);
        grammar_reset(g);
        grammar_accept_bytes(g, (const char *)data, size);
    }
    grammar_close(g);
    if (f.live_blocks != 0 || f.was_mismatched) {
        abort();
    }
    return 0;
}
