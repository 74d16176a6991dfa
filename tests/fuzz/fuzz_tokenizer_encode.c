/* Fuzz entry: any bytes as text, through three small tokenizers that have every kind of stage; what
 * byte-level BPE encodes must decode to the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizers/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const specs[] = {
    "{\"added_tokens\":[{\"id\":3,\"content\":\"<e>\",\"special\":true,\"lstrip\":true,\"rstrip\":true},"
    "{\"id\":4,\"content\":\"zz\",\"special\":false,\"single_word\":true}],"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"NFD\"},"
    "{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"}]},"
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"},"
    "\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
    "\"vocab\":[[\"<unk>\",0.0],[\"_a\",-1],[\"ab\",-2]]}}",
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\","
    "\"vocab\":{\"a\":0,\"##b\":1,\"?\":2}}}",
};

/* A byte-level vocabulary of all bytes and a few merges, in `text`. */
static size_t byte_level_spec(char *text, size_t room)
{
    size_t n = (size_t)snprintf(text, room,
                                "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                                "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
                                "\"merges\":[\"a a\",\"aa aa\",\"b a\"],\"vocab\":{");
    int other = 0;
    for (int byte = 0; byte < 256; byte++) {
        bool stands = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        int c = stands ? byte : 256 + other++;
        n += (size_t)snprintf(text + n, room - n, "\"\\u%04x\":%d,", (unsigned)c, byte);
    }
    return n + (size_t)snprintf(text + n, room - n, "\"aa\":256,\"aaaa\":257,\"ba\":258}}}");
}

static void try_text(const char *spec, size_t spec_bytes, const char *text, size_t size, bool gives_back)
{
    smidgen_error error = {0};
    json_document *document = json_parse(spec, spec_bytes, "tokenizer.json", &memory_system, &error);
    const json_value *root = json_root(document);
    tokenizer *t = document == NULL ? NULL : tokenizer_from_json(root, NULL, NULL, &memory_system, &error);
    json_close(document);
    if (t == NULL) {
        abort();
    }
    size_t room = 3 * size + 16, text_room = 4 * size + 64;
    int32_t *ids = malloc(room * sizeof *ids);
    char *out = malloc(text_room);
    for (int flags = 0; ids != NULL && out != NULL && flags < 4; flags++) {
        int64_t count = tokenizer_encode(t, text, size, flags, ids, room, &error);
        if (count < 0 || (size_t)count > room) {
            abort();
        }
        int64_t bytes = tokenizer_decode(t, ids, (size_t)count, true, out, text_room, &error);
        if (bytes < 0 ||
            (gives_back && ((size_t)bytes != size || (size != 0 && memcmp(out, text, size) != 0)))) {
            abort();
        }
    }
    free(ids);
    free(out);
    tokenizer_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char spec[8192];
    size_t spec_bytes = byte_level_spec(spec, sizeof spec);
    try_text(spec, spec_bytes, (const char *)data, size, true);
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        try_text(specs[i], strlen(specs[i]), (const char *)data, size, false);
    }
    return 0;
}
