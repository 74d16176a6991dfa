#include "base/bytes.h"

#include <string.h>

bytes_reader bytes_reader_make(const void *data, uint64_t size)
{
    return (bytes_reader){.data = data, .size = size};
}

uint64_t bytes_left(const bytes_reader *r)
{
    return r->failed ? 0 : r->size - r->at;
}

const uint8_t *bytes_take(bytes_reader *r, uint64_t count)
{
    if (r->failed || count > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += count;
    return p;
}

uint8_t bytes_read_u8(bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 1);
    return p == NULL ? 0 : *p;
}

uint16_t bytes_read_u16(bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 2);
    return p == NULL ? 0 : bytes_load_u16(p);
}

uint32_t bytes_read_u32(bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 4);
    return p == NULL ? 0 : bytes_load_u32(p);
}

uint64_t bytes_read_u64(bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 8);
    return p == NULL ? 0 : bytes_load_u64(p);
}

float bytes_read_f32(bytes_reader *r)
{
    uint32_t bits = bytes_read_u32(r);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double bytes_read_f64(bytes_reader *r)
{
    uint64_t bits = bytes_read_u64(r);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
