/* Fuzz entry: any bytes as tokenizer.json; a tokenizer that comes of it encodes and decodes a text.
 * seeds: tokenizers/bpe_gpt2 tokenizers/spbpe_gemma tokenizers/wordpiece_cased tokenizers/ctc_wav2vec2 */
#include <stddef.h>
#include <stdint.h>

#include "tokenizers/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "Hello <s> w\xC3\xB6rld \xFF 123's\n\n  e\xCC\x81 \xE4\xB8\x80 aaaa ##x";
    smidgen_error error = {0};
    json_document *document = json_parse((const char *)data, size, "tokenizer.json", &memory_system, &error);
    const json_value *root = json_root(document);
    tokenizer *t = document == NULL ? NULL : tokenizer_from_json(root, root, root, &memory_system, &error);
    json_close(document);
    for (int flags = 0; t != NULL && flags < 4; flags++) {
        int32_t ids[256];
        char out[1024];
        int64_t count = tokenizer_encode(t, text, sizeof text - 1, flags, ids, 256, &error);
        count = count < 0 ? 0 : count > 256 ? 256 : count;
        tokenizer_decode(t, ids, (size_t)count, flags > 1, out, sizeof out, &error);
    }
    tokenizer_close(t);
    return 0;
}
