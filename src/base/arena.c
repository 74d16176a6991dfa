/* Owns chunked bump allocation. Large requests get a chunk of their own. */
#include "base/arena.h"

#include <string.h>

enum { ARENA_CHUNK_BYTES = 64 * 1024, ARENA_HEADER_BYTES = 64 };

typedef struct arena_chunk {
    struct arena_chunk *next;
    size_t size_bytes; /* header included */
    size_t used_bytes; /* header included */
} arena_chunk;

_Static_assert(sizeof(arena_chunk) <= ARENA_HEADER_BYTES, "the chunk header must fit before the first block");

void arena_init(arena *a, const smidgen_allocator *allocator)
{
    *a = (arena){.allocator = allocator};
}

void arena_close(arena *a)
{
    arena_chunk *chunk = a->chunks;
    while (chunk != NULL) {
        arena_chunk *next = chunk->next;
        memory_release(a->allocator, chunk, chunk->size_bytes);
        chunk = next;
    }
    arena_init(a, a->allocator);
}

void *arena_allocate(arena *a, size_t size_bytes)
{
    size_t alignment = size_bytes >= 4096 ? 64 : 16;
    if (size_bytes > SIZE_MAX - 2 * ARENA_HEADER_BYTES) {
        return NULL;
    }
    arena_chunk *chunk = a->chunks;
    size_t at = chunk == NULL ? 0 : (chunk->used_bytes + alignment - 1) & ~(alignment - 1);
    if (chunk == NULL || at > chunk->size_bytes || chunk->size_bytes - at < size_bytes) {
        bool is_large = size_bytes > ARENA_CHUNK_BYTES / 4;
        size_t chunk_bytes = is_large ? size_bytes + ARENA_HEADER_BYTES : ARENA_CHUNK_BYTES;
        chunk = memory_allocate(a->allocator, chunk_bytes);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (arena_chunk){.size_bytes = chunk_bytes, .used_bytes = ARENA_HEADER_BYTES};
        a->reserved_bytes += chunk_bytes;
        if (is_large && a->chunks != NULL) { /* keep filling the current small chunk */
            chunk->next = a->chunks->next;
            a->chunks->next = chunk;
        } else {
            chunk->next = a->chunks;
            a->chunks = chunk;
        }
        at = ARENA_HEADER_BYTES;
    }
    chunk->used_bytes = at + size_bytes;
    a->used_bytes += size_bytes;
    void *block = (char *)chunk + at;
    memset(block, 0, size_bytes);
    return block;
}

void *arena_array(arena *a, size_t count, size_t size)
{
    return arena_allocate(a, memory_array_bytes(count, size));
}

void *arena_copy(arena *a, const void *bytes, size_t size_bytes)
{
    void *copy = arena_allocate(a, size_bytes);
    if (copy != NULL && size_bytes != 0) {
        memcpy(copy, bytes, size_bytes);
    }
    return copy;
}

char *arena_copy_text(arena *a, const char *bytes, size_t size_bytes)
{
    char *copy = size_bytes == SIZE_MAX ? NULL : arena_allocate(a, size_bytes + 1);
    if (copy != NULL && size_bytes != 0) {
        memcpy(copy, bytes, size_bytes);
    }
    return copy;
}
