/* Files: whole small ones, and positioned reads of large ones. file_posix.c; a wasm build has its own
 * sources. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"

typedef struct file {
    int descriptor;
    uint64_t size_bytes;
} file;

/* Fails with NOT_FOUND or IO; a folder or device is refused with BAD_FILE. */
bool file_open(file *f, const char *path, smidgen_error *error);
void file_close(file *f);
/* Reads exactly size bytes at offset. A file that became shorter since it was opened gives BAD_FILE; there is
 * no mapping, so that a changed file can never raise a signal. Safe from several threads at once. */
bool file_read(const file *f, uint64_t offset, void *into, size_t size_bytes, smidgen_error *error);
/* Whole file into the arena, terminated by a zero byte that is not counted. Refuses more than limit_bytes. */
char *file_read_all(arena *a, const char *path, uint64_t limit_bytes, uint64_t *size_bytes,
                    smidgen_error *error);
bool file_exists(const char *path);
bool file_is_folder(const char *path);

#endif
