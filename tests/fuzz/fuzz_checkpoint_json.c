/* Any bytes as the JSON files of a Hugging Face folder: the input is cut at bytes of value 1 into
 * config.json, tokenizer_config.json, model.safetensors.index.json and a shard named x.safetensors. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failing_allocator.h"
#include "formats/checkpoint.h"

static char folder[64];

static void remove_folder(void)
{
    static const char *const names[] = {"config.json", "tokenizer_config.json",
                                        "model.safetensors.index.json", "x.safetensors"};
    for (size_t i = 0; i < 4; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%s", "/dev/shm/smidgen_fuzz_XXXXXX");
    if (mkdtemp(folder) == NULL) {
        snprintf(folder, sizeof folder, "%s", "/tmp/smidgen_fuzz_XXXXXX");
        if (mkdtemp(folder) == NULL) {
            abort();
        }
    }
    atexit(remove_folder);
}

static const uint8_t *put_piece(const char *name, const uint8_t *data, const uint8_t *end)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const uint8_t *cut = data;
    while (cut < end && *cut != 1) {
        cut++;
    }
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, (size_t)(cut - data), f) != (size_t)(cut - data) || fclose(f) != 0) {
        abort();
    }
    return cut < end ? cut + 1 : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (folder[0] == 0) {
        make_folder();
    }
    const uint8_t *at = data, *end = data + size;
    at = put_piece("config.json", at, end);
    at = put_piece("tokenizer_config.json", at, end);
    at = put_piece("model.safetensors.index.json", at, end);
    put_piece("x.safetensors", at, end);
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    smidgen_error error = {0};
    checkpoint *c = checkpoint_open(folder, &f.base, &error);
    if (c == NULL && (error.code == SMIDGEN_ERROR_NONE || error.message[0] == 0)) {
        abort();
    }
    if ((uint64_t)f.peak_bytes > 128 * (uint64_t)size + (1 << 19)) {
        abort();
    }
    checkpoint_close(c);
    if (f.live_blocks != 0 || f.was_mismatched) {
        abort();
    }
    return 0;
}
