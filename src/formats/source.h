/* Where the bytes of a file come from: a file on disk, a block of memory; later HTTP ranges and OPFS. */
#ifndef FORMATS_SOURCE_H
#define FORMATS_SOURCE_H

#include "base/arena.h"

typedef struct source source;
struct source {
    uint64_t size_bytes;
    /* Reads exactly size bytes at offset, or fails. Safe from several threads at once. */
    bool (*read)(const source *s, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error);
    void (*close)(source *s);
};

/* Both live in the arena; close with s->close(s) (the arena itself stays the caller's). NULL on failure. */
source *source_open_file(arena *a, const char *path, smidgen_error *error);
/* bytes must stay valid until the source is closed. */
source *source_open_memory(arena *a, const void *bytes, uint64_t size_bytes, smidgen_error *error);

#endif
