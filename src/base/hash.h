/* Hashes: a fast one for tables, SHA-256 for files that hubs publish. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64-bit hash of bytes for hash tables in memory; never stored. */
uint64_t hash_bytes(const void *bytes, size_t size);

typedef struct hash_sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[64];
} hash_sha256;

/* FIPS 180-4. */
void hash_sha256_begin(hash_sha256 *h);
void hash_sha256_update(hash_sha256 *h, const void *bytes, size_t size);
void hash_sha256_end(hash_sha256 *h, uint8_t digest[32]);
/* 64 lower-case hex digits and a terminator. */
void hash_to_hex(const uint8_t *digest, size_t size, char *hex);

#endif
