/* Constrained output: which tokens may come next under a GBNF grammar or a JSON schema. Bounded in states and
 * depth. */
#ifndef GENERATE_GRAMMAR_H
#define GENERATE_GRAMMAR_H

#include "base/arena.h"
#include "tokenizers/tokenizer.h"

typedef struct grammar grammar;

/* GBNF as llama.cpp documents it. Fails with GRAMMAR: line, column and what is wrong; left recursion, unknown
 * rules and grammars past the limits are refused. */
grammar *grammar_from_gbnf(const char *text, size_t size_bytes, const tokenizer *t,
                           const smidgen_allocator *allocator, smidgen_error *error);
/* JSON Schema: types, properties, required, additionalProperties, items, prefixItems, enum, const,
 * anyOf/oneOf/allOf, $ref into #/$defs, string lengths, pattern (a regular subset), formats date, time,
 * date-time, uuid, integer ranges, minItems, maxItems. A keyword that cannot be honoured is an error that
 * names it and its path. */
grammar *grammar_from_json_schema(const char *text, size_t size_bytes, const tokenizer *t,
                                  const smidgen_allocator *allocator, smidgen_error *error);
void grammar_close(grammar *g);
void grammar_reset(grammar *g);
/* Sets logits of forbidden tokens to -INFINITY; end tokens are allowed only where the text may end. Returns
 * how many are left (0: dead end, which a well-formed grammar never reaches). */
int32_t grammar_mask(grammar *g, float *logits, int32_t vocab_size);
/* Advances; false when the token does not fit. */
bool grammar_accept(grammar *g, int32_t token);
/* The same for bytes (tests). */
bool grammar_accept_bytes(grammar *g, const char *bytes, size_t size_bytes);
bool grammar_may_end(const grammar *g);

#endif
