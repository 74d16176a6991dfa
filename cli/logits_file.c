/* Owns the format of logits files. Refuses to compare what was not computed from the same tokens. */
#include "logits_file.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 8 + 6 * 4 + 8, VERSION = 1 };

static void put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_f32(uint8_t *p, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u32(p, bits);
}

static float get_f32(const uint8_t *p)
{
    uint32_t bits = get_u32(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t record_bytes(const logits_file *f)
{
    return 12 + 2 * (size_t)f->header.vocab_size;
}

bool logits_create(logits_file *f, const char *path, const logits_header *header, smidgen_error *error)
{
    uint8_t head[HEADER_BYTES] = "SMLOGITS";
    memset(f, 0, sizeof *f);
    f->path = path;
    f->header = *header;
    f->stream = fopen(path, "wb");
    if (f->stream == NULL) {
        return cli_error(error, SMIDGEN_ERROR_IO, "Check the path.", "cannot write %s: %s", path,
                         strerror(errno));
    }
    f->record = cli_allocate(record_bytes(f));
    put_u32(head + 8, VERSION);
    put_u32(head + 12, header->vocab_size);
    put_u32(head + 16, header->context_tokens);
    put_u32(head + 20, header->first_position);
    put_u32(head + 24, header->windows);
    put_u32(head + 32, (uint32_t)header->ids_hash);
    put_u32(head + 36, (uint32_t)(header->ids_hash >> 32));
    return fwrite(head, 1, sizeof head, f->stream) == sizeof head ||
           cli_error(error, SMIDGEN_ERROR_IO, "Check the disk.", "cannot write %s: %s", path,
                     strerror(errno));
}

bool logits_write(logits_file *f, int32_t next_token, const float *log_p, smidgen_error *error)
{
    float largest = log_p[0], smallest = log_p[0];
    for (uint32_t i = 1; i < f->header.vocab_size; i++) {
        largest = log_p[i] > largest ? log_p[i] : largest;
        smallest = log_p[i] < smallest ? log_p[i] : smallest;
    }
    if (!isfinite(smallest)) { /* banned or broken tokens sit at the end of the range */
        smallest = largest - 60;
    }
    float step = largest > smallest ? (largest - smallest) / 65535.0f : 1;
    put_u32(f->record, (uint32_t)next_token);
    put_f32(f->record + 4, largest);
    put_f32(f->record + 8, step);
    for (uint32_t i = 0; i < f->header.vocab_size; i++) {
        float code = (largest - log_p[i]) / step + 0.5f;
        uint32_t bounded = code >= 0 && code < 65535.0f ? (uint32_t)code : 65535u;
        f->record[12 + 2 * (size_t)i] = (uint8_t)bounded;
        f->record[13 + 2 * (size_t)i] = (uint8_t)(bounded >> 8);
    }
    size_t size = record_bytes(f);
    return fwrite(f->record, 1, size, f->stream) == size ||
           cli_error(error, SMIDGEN_ERROR_IO, "Check the disk.", "cannot write %s: %s", f->path,
                     strerror(errno));
}

bool logits_open(logits_file *f, const char *path, const logits_header *expected, smidgen_error *error)
{
    uint8_t head[HEADER_BYTES];
    memset(f, 0, sizeof *f);
    f->path = path;
    f->stream = fopen(path, "rb");
    if (f->stream == NULL) {
        bool absent = errno == ENOENT;
        return cli_error(error, absent ? SMIDGEN_ERROR_NOT_FOUND : SMIDGEN_ERROR_IO,
                         "Write it first with --save-logits.", "cannot read %s: %s", path, strerror(errno));
    }
    if (fread(head, 1, sizeof head, f->stream) != sizeof head || memcmp(head, "SMLOGITS", 8) != 0 ||
        get_u32(head + 8) != VERSION) {
        return cli_error(error, SMIDGEN_ERROR_BAD_FILE, "Write it with --save-logits.",
                         "%s is no logits file", path);
    }
    f->header.vocab_size = get_u32(head + 12);
    f->header.context_tokens = get_u32(head + 16);
    f->header.first_position = get_u32(head + 20);
    f->header.windows = get_u32(head + 24);
    f->header.ids_hash = get_u32(head + 32) | (uint64_t)get_u32(head + 36) << 32;
    if (f->header.vocab_size != expected->vocab_size ||
        f->header.context_tokens != expected->context_tokens ||
        f->header.first_position != expected->first_position || f->header.ids_hash != expected->ids_hash) {
        return cli_error(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "Use the same text, --context, --windows and tokenizer for both.",
                         "%s was made of other tokens (vocabulary %u, windows of %u tokens)", path,
                         f->header.vocab_size, f->header.context_tokens);
    }
    f->record = cli_allocate(record_bytes(f));
    return true;
}

bool logits_read(logits_file *f, int32_t next_token, float *log_p, smidgen_error *error)
{
    size_t size = record_bytes(f);
    if (fread(f->record, 1, size, f->stream) != size) {
        return cli_error(error, SMIDGEN_ERROR_BAD_FILE, "Write it again.", "%s ends early", f->path);
    }
    float largest = get_f32(f->record + 4), step = get_f32(f->record + 8);
    if ((int32_t)get_u32(f->record) != next_token || !isfinite(largest) || !isfinite(step)) {
        return cli_error(error, SMIDGEN_ERROR_BAD_FILE, "Write it again.", "%s is damaged", f->path);
    }
    double sum = 0;
    for (uint32_t i = 0; i < f->header.vocab_size; i++) {
        unsigned code = f->record[12 + 2 * (size_t)i] | (unsigned)f->record[13 + 2 * (size_t)i] << 8;
        log_p[i] = largest - step * (float)code;
        sum += exp((double)log_p[i]);
    }
    float shift = (float)log(sum);
    for (uint32_t i = 0; i < f->header.vocab_size; i++) {
        log_p[i] -= shift;
    }
    return true;
}

bool logits_close(logits_file *f, smidgen_error *error)
{
    bool fine = f->stream == NULL || fclose(f->stream) == 0;
    free(f->record);
    f->stream = NULL;
    f->record = NULL;
    return fine || cli_error(error, SMIDGEN_ERROR_IO, "Check the disk.", "cannot write %s: %s", f->path,
                             strerror(errno));
}
