/* An arena: many small allocations, one teardown. The usual way to own anything in Smidgen. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/memory.h"

struct arena_chunk;

typedef struct arena {
    const smidgen_allocator *allocator;
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* handed out, alignment included */
    size_t reserved_bytes;      /* taken from the allocator */
} arena;

/* allocator must outlive the arena. Takes no memory yet. */
void arena_init(arena *a, const smidgen_allocator *allocator);
/* Gives everything back; the arena is empty and usable afterwards. */
void arena_close(arena *a);
/* size_bytes aligned to 16 bytes (64 from 4096 bytes on), zeroed; NULL when there is no memory. A size of 0
 * gives a valid pointer that must not be read. */
void *arena_allocate(arena *a, size_t size_bytes);
/* count * size, checked. */
void *arena_array(arena *a, size_t count, size_t size);
/* A terminated copy of bytes[0..size). */
char *arena_copy_text(arena *a, const char *bytes, size_t size_bytes);
void *arena_copy(arena *a, const void *bytes, size_t size_bytes);

#endif
