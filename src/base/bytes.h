/* A bounded reader over bytes in memory: every read is checked, the first failure sticks, nothing is read
 * past the end. All numbers are little-endian. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bytes_reader {
    const uint8_t *data; /* [size] */
    uint64_t size, at;
    bool failed; /* a read went past the end; every later read gives 0 */
} bytes_reader;

bytes_reader bytes_reader_make(const void *data, uint64_t size);
uint8_t bytes_read_u8(bytes_reader *r);
uint16_t bytes_read_u16(bytes_reader *r);
uint32_t bytes_read_u32(bytes_reader *r);
uint64_t bytes_read_u64(bytes_reader *r);
float bytes_read_f32(bytes_reader *r);
double bytes_read_f64(bytes_reader *r);
/* A pointer to the next `count` bytes, or NULL (and failed) when there are fewer. */
const uint8_t *bytes_take(bytes_reader *r, uint64_t count);
uint64_t bytes_left(const bytes_reader *r);

/* Unaligned little-endian loads. Inline: they stand in loops over weights. */
static inline uint16_t bytes_load_u16(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t bytes_load_u32(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t bytes_load_u64(const void *p)
{
    return bytes_load_u32(p) | (uint64_t)bytes_load_u32((const uint8_t *)p + 4) << 32;
}

#endif
