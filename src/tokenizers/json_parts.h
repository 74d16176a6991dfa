/* Reading the parts of a tokenizer.json: normaliser, pre-tokenizer, post-processor, decoder. */
#ifndef TOKENIZERS_JSON_PARTS_H
#define TOKENIZERS_JSON_PARTS_H

#include "base/error.h"
#include "tokenizers/internal.h"

/* One part of a list that may be nested: calls `add` for each component that is no Sequence, in order.
 * member: the key of a Sequence's list ("normalizers"). Absent and null parts are empty lists. */
typedef bool (*json_part_adder)(tokenizer *t, const json_value *part, const char *type, smidgen_error *error);
bool json_each_part(tokenizer *t, const json_value *part, const char *what, const char *member,
                    json_part_adder add, smidgen_error *error);

bool json_read_normalizer(tokenizer *t, const json_value *root, smidgen_error *error);
bool json_read_pre_tokenizer(tokenizer *t, const json_value *root, smidgen_error *error);
bool json_read_post_processor(tokenizer *t, const json_value *root, smidgen_error *error);
bool json_read_decoder(tokenizer *t, const json_value *root, smidgen_error *error);

/* A copy in the arena of the text under the key; `fallback` where it is absent or null, an error where it is
 * another kind of value or there is no memory. */
bool json_read_text(tokenizer *t, const json_value *object, const char *key, const char *fallback,
                    text_span *text, smidgen_error *error);
/* {"String": ...} or {"Regex": ...} */
bool json_read_pattern(tokenizer *t, const json_value *value, pattern *p, smidgen_error *error);
/* A pattern from an expression. */
bool pattern_from_expression(tokenizer *t, const char *expression, size_t size_bytes, pattern *p,
                             smidgen_error *error);

#endif
