/* The first pass over a GGUF header: reads it into one block that grows with it, checking its structure on
 * the way. Part of the GGUF reader; include gguf.h elsewhere. */
#ifndef FORMATS_GGUF_HEADER_H
#define FORMATS_GGUF_HEADER_H

#include "formats/gguf.h"
#include "formats/name_index.h"

enum {
    GGUF_MAGIC_BYTES = 24,         /* magic, version, two counts */
    GGUF_NESTING_LIMIT = 8,        /* arrays in arrays */
    GGUF_NAME_BYTES_LIMIT = 65535, /* keys and tensor names */
    GGUF_RANK_LIMIT = 4,
};

typedef struct gguf_header {
    const source *source;
    const smidgen_allocator *allocator; /* of block */
    uint8_t *block;                     /* [capacity], the first `filled` bytes of the source */
    size_t capacity, filled;
    uint64_t at; /* read position */
    uint32_t version;
    uint64_t tensor_count, value_count;
    const char *place; /* what is being read: "key", "tensor" */
    name_text name;    /* and its name */
    smidgen_error *error;
} gguf_header;

/* Reads and checks everything up to the end of the tensor table; h->at is then its end. On failure the error
 * is set and the block is released; otherwise the caller releases it with gguf_header_release. */
bool gguf_header_load(gguf_header *h, const source *s, const smidgen_allocator *allocator,
                      smidgen_error *error);
void gguf_header_release(gguf_header *h);

/* The next count bytes, valid until the next call; NULL with the error set when the source has fewer. */
const uint8_t *gguf_header_take(gguf_header *h, uint64_t count);
bool gguf_header_u32(gguf_header *h, uint32_t *value);
bool gguf_header_u64(gguf_header *h, uint64_t *value);
/* A key or tensor name: valid UTF-8 without zero bytes, not empty. Becomes the name in error messages. */
const char *gguf_header_name(gguf_header *h, const char *place, size_t *name_bytes);
bool gguf_header_skip_value(gguf_header *h, uint32_t type);
/* Bytes of an element, 0 for strings, arrays and unknown types. */
uint32_t gguf_element_bytes(uint32_t type);

#endif
