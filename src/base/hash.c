#include "base/hash.h"

#include <string.h>

#include "base/bytes.h"

/* Multiply-and-fold over 8-byte words, after the idea of wyhash; seedless because tables are rebuilt each run
 * and hostile keys only cost time bounded by the table's probe limit. */
uint64_t hash_bytes(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t h = 0x9E3779B97F4A7C15u ^ size;
    while (size >= 8) {
        h = (h ^ bytes_load_u64(p)) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
        p += 8;
        size -= 8;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < size; i++) {
        tail |= (uint64_t)p[i] << (8 * i);
    }
    h = (h ^ tail) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha256_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
               p[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t s[8];
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
        uint32_t t1 = s[7] + s1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha256_k[i] + w[i];
        uint32_t s0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
        uint32_t t2 = s0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void hash_sha256_begin(hash_sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(h, 0, sizeof *h);
    memcpy(h->state, start, sizeof start);
}

void hash_sha256_update(hash_sha256 *h, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    size_t held = h->total_bytes % 64;
    h->total_bytes += size;
    if (held != 0) {
        size_t take = size < 64 - held ? size : 64 - held;
        memcpy(h->block + held, p, take);
        p += take;
        size -= take;
        if (held + take < 64) {
            return;
        }
        sha256_block(h->state, h->block);
    }
    for (; size >= 64; p += 64, size -= 64) {
        sha256_block(h->state, p);
    }
    if (size != 0) {
        memcpy(h->block, p, size);
    }
}

void hash_sha256_end(hash_sha256 *h, uint8_t digest[32])
{
    uint64_t bits = h->total_bytes * 8;
    uint8_t tail[72] = {0x80};
    size_t held = h->total_bytes % 64;
    size_t pad = held < 56 ? 56 - held : 120 - held;
    for (int i = 0; i < 8; i++) {
        tail[pad + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    hash_sha256_update(h, tail, pad + 8);
    for (int i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void hash_to_hex(const uint8_t *digest, size_t size, char *hex)
{
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[2 * size] = 0;
}
