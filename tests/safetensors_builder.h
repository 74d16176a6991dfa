/* Writes safetensors files in memory for tests from a header text and a number of data bytes. */
#ifndef TESTS_SAFETENSORS_BUILDER_H
#define TESTS_SAFETENSORS_BUILDER_H

#include "gguf_builder.h"

/* `length`: what the file claims as the header's length. */
static inline void put_safetensors_claiming(gguf_builder *b, uint64_t length, const char *header,
                                            size_t data_bytes)
{
    put_u64(b, length);
    put_bytes(b, header, strlen(header));
    put_data(b, data_bytes);
}

static inline void put_safetensors(gguf_builder *b, const char *header, size_t data_bytes)
{
    put_safetensors_claiming(b, strlen(header), header, data_bytes);
}

#define SAFETENSORS_SAMPLE                                                                                   \
    "{\"__metadata__\":{\"format\":\"pt\"},"                                                                 \
    "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[16,28]},"                                    \
    "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}   "
enum { SAFETENSORS_SAMPLE_BYTES = 28 };

#endif
