#include "base/error.h"
#include "generate/grammar_source.h"
int32_t schema_compile(automaton *a, const char *text, size_t size_bytes, arena *scratch, smidgen_error *error)
{
    (void)a; (void)text; (void)size_bytes; (void)scratch;
    error_set(error, SMIDGEN_ERROR_GRAMMAR, "JSON schemas are not built yet");
    return -1;
}
