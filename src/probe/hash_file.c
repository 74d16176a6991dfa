/* Owns smidgen_hash_file. Reads in pieces with positioned reads: memory does not grow with the file. */
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

enum { PIECE_BYTES = 1 << 20 };

bool smidgen_hash_file(const char *path, char hex[65],
                       bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                       void *progress_context, smidgen_error *error)
{
    file f;
    hash_sha256 hash;
    uint8_t digest[32];
    bool fine = true;
    if (path == NULL || hex == NULL) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "path and hex must not be NULL");
    }
    hex[0] = 0;
    if (!file_open(&f, path, error)) {
        return false;
    }
    uint8_t *piece = memory_allocate(&memory_system, PIECE_BYTES);
    fine = piece != NULL || error_set_memory(error, "hashing a file", PIECE_BYTES);
    hash_sha256_begin(&hash);
    for (uint64_t at = 0; fine && at < f.size_bytes;) {
        uint64_t left = f.size_bytes - at;
        size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        fine = file_read(&f, at, piece, size, error);
        if (!fine) {
            break;
        }
        hash_sha256_update(&hash, piece, size);
        at += size;
        if (progress != NULL && !progress(progress_context, at, f.size_bytes)) {
            fine = error_set(error, SMIDGEN_ERROR_CANCELLED, "hashing %s was cancelled", path);
        }
    }
    if (fine) {
        hash_sha256_end(&hash, digest);
        hash_to_hex(digest, sizeof digest, hex);
    }
    memory_release(&memory_system, piece, PIECE_BYTES);
    file_close(&f);
    return fine;
}
