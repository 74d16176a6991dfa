/* Owns files on POSIX systems: open, positioned reads, whole small files. Refuses folders, devices and pipes.
 * Nothing is mapped: a file that shrinks while it is read gives an error, never a signal. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

bool file_open(file *f, const char *path, smidgen_error *error)
{
    *f = (file){.descriptor = -1};
    /* O_NONBLOCK: opening a pipe must not wait for a writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        bool is_absent = errno == ENOENT || errno == ENOTDIR;
        return error_set(error, is_absent ? SMIDGEN_ERROR_NOT_FOUND : SMIDGEN_ERROR_IO, "cannot open %s: %s",
                         path, strerror(errno));
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        error_set(error, SMIDGEN_ERROR_IO, "cannot read the size of %s: %s", path, strerror(errno));
        close(descriptor);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        close(descriptor);
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "%s is a %s, not a file", path,
                         S_ISDIR(status.st_mode) ? "folder" : "device or pipe");
    }
    f->descriptor = descriptor;
    f->size_bytes = (uint64_t)status.st_size;
    return true;
}

void file_close(file *f)
{
    if (f->descriptor >= 0) {
        close(f->descriptor);
        f->descriptor = -1;
    }
}

bool file_read(const file *f, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error)
{
    if (offset > INT64_MAX || size_bytes > (uint64_t)INT64_MAX - offset) {
        return error_set(error, SMIDGEN_ERROR_BAD_FILE, "offset %llu is past every file",
                         (unsigned long long)offset);
    }
    char *at = into;
    while (size_bytes != 0) {
        size_t piece = size_bytes < (1u << 30) ? size_bytes : 1u << 30;
        ssize_t got = pread(f->descriptor, at, piece, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(error, SMIDGEN_ERROR_IO, "reading failed at offset %llu: %s",
                             (unsigned long long)offset, strerror(errno));
        }
        if (got == 0) {
            return error_set(
                error, SMIDGEN_ERROR_BAD_FILE,
                "the file ends at or before offset %llu, %zu bytes too early; it was %llu bytes when opened",
                (unsigned long long)offset, size_bytes, (unsigned long long)f->size_bytes);
        }
        at += got;
        offset += (uint64_t)got;
        size_bytes -= (size_t)got;
    }
    return true;
}

char *file_read_all(arena *a, const char *path, uint64_t limit_bytes, uint64_t *size_bytes,
                    smidgen_error *error)
{
    file f;
    if (!file_open(&f, path, error)) {
        return NULL;
    }
    char *text = NULL;
    if (f.size_bytes > limit_bytes) {
        error_set_limit(error, SMIDGEN_ERROR_LIMIT, limit_bytes, f.size_bytes,
                        "%s has %llu bytes, at most %llu are read", path, (unsigned long long)f.size_bytes,
                        (unsigned long long)limit_bytes);
    } else if (f.size_bytes >= SIZE_MAX || (text = arena_allocate(a, (size_t)f.size_bytes + 1)) == NULL) {
        error_set_memory(error, path, f.size_bytes);
    } else if (!file_read(&f, 0, text, (size_t)f.size_bytes, error)) {
        text = NULL;
    } else if (size_bytes != NULL) {
        *size_bytes = f.size_bytes;
    }
    file_close(&f);
    return text;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}
