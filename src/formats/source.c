/* Owns the two sources that every platform with files has: a file and a block of memory.
 * Refuses reads past the end; errors of files are completed with their path. */
#include "formats/source.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

typedef struct source_file {
    source base;
    file file;
    const char *path;
} source_file;

typedef struct source_memory {
    source base;
    const uint8_t *bytes; /* [base.size_bytes] */
} source_memory;

static bool read_file(const source *s, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error)
{
    const source_file *f = (const source_file *)s;
    smidgen_error cause = {0};
    if (file_read(&f->file, offset, into, size_bytes, &cause)) {
        return true;
    }
    return error_set(error, cause.code, "%s: %s", f->path, cause.message);
}

static void close_file(source *s)
{
    file_close(&((source_file *)s)->file);
}

source *source_open_file(arena *a, const char *path, smidgen_error *error)
{
    source_file *f = arena_allocate(a, sizeof *f);
    char *copy = f == NULL ? NULL : arena_copy_text(a, path, strlen(path));
    if (copy == NULL) {
        error_set_memory(error, path, sizeof *f + strlen(path));
        return NULL;
    }
    if (!file_open(&f->file, path, error)) {
        return NULL;
    }
    f->path = copy;
    f->base = (source){f->file.size_bytes, read_file, close_file};
    return &f->base;
}

static bool read_memory(const source *s, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error)
{
    const source_memory *m = (const source_memory *)s;
    if (offset > s->size_bytes || size_bytes > s->size_bytes - offset) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE,
                         "%zu bytes at offset %llu are past the end (%llu bytes)", size_bytes,
                         (unsigned long long)offset, (unsigned long long)s->size_bytes);
    }
    if (size_bytes != 0) {
        memcpy(into, m->bytes + offset, size_bytes);
    }
    return true;
}

static void close_memory(source *s)
{
    (void)s;
}

source *source_open_memory(arena *a, const void *bytes, uint64_t size_bytes, smidgen_error *error)
{
    source_memory *m = arena_allocate(a, sizeof *m);
    if (m == NULL) {
        error_set_memory(error, "a memory source", sizeof *m);
        return NULL;
    }
    m->bytes = bytes;
    m->base = (source){size_bytes, read_memory, close_memory};
    return &m->base;
}
