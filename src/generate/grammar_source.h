/* The two languages that grammars are written in, compiled into an automaton. Internal to grammars. */
#ifndef GENERATE_GRAMMAR_SOURCE_H
#define GENERATE_GRAMMAR_SOURCE_H

#include "base/arena.h"
#include "generate/automaton.h"

/* Both return the root rule, or -1 with *error set. The automaton is finished (analysed) and its root can be
 * completed. */
int32_t gbnf_compile(automaton *a, const char *text, size_t size_bytes, arena *scratch, smidgen_error *error);
int32_t schema_compile(automaton *a, const char *text, size_t size_bytes, arena *scratch,
                       smidgen_error *error);

/* Sets OUT_OF_MEMORY or LIMIT, whichever stopped the automaton; returns -1. */
int32_t grammar_source_fail(const automaton *a, smidgen_error *error);

#endif
