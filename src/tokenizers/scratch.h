/* Growing blocks for one call: kept by the call, released at its end. */
#ifndef TOKENIZERS_SCRATCH_H
#define TOKENIZERS_SCRATCH_H

#include "base/memory.h"

/* Bytes that grow at the end. A failed growth sticks: nothing is appended any more and `failed` tells. */
typedef struct scratch {
    const smidgen_allocator *allocator;
    char *data; /* [capacity] */
    size_t size, capacity;
    bool failed;
} scratch;

typedef struct text_span {
    const char *text; /* [size_bytes], not terminated */
    size_t size_bytes;
} text_span;

void scratch_close(scratch *s);
/* Room for size_bytes in all; the contents are kept. */
bool scratch_reserve(scratch *s, size_t size_bytes);
bool scratch_append(scratch *s, const char *bytes, size_t size_bytes);
bool scratch_append_code_point(scratch *s, uint32_t c);

#endif
