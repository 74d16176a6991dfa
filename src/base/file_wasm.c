/* Owns the answer to every path in WebAssembly: there are no files. Bytes come from the host, through the
 * loader. */
#include "base/file.h"

#include "base/error.h"

static bool refuse(const char *path, smidgen_error *error)
{
    error_set(error, SMIDGEN_ERROR_NOT_FOUND, "cannot open %s: WebAssembly has no files", path);
    error_advise(error, "Feed the model's bytes through smidgen_loader_create.");
    return false;
}

bool file_open(file *f, const char *path, smidgen_error *error)
{
    *f = (file){.descriptor = -1};
    return refuse(path, error);
}

void file_close(file *f)
{
    f->descriptor = -1;
}

bool file_read(const file *f, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error)
{
    (void)f, (void)offset, (void)into, (void)size_bytes;
    return refuse("a file", error);
}

char *file_read_all(arena *a, const char *path, uint64_t limit_bytes, uint64_t *size_bytes,
                    smidgen_error *error)
{
    (void)a, (void)limit_bytes, (void)size_bytes;
    refuse(path, error);
    return NULL;
}

bool file_exists(const char *path)
{
    (void)path;
    return false;
}

bool file_is_folder(const char *path)
{
    (void)path;
    return false;
}
