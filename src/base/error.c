/* Owns the texts of errors. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct error_row {
    smidgen_error_code code;
    const char *name, *sentence, *advice;
} error_row;

static const error_row error_rows[] = {
#define SMIDGEN_ERROR_ROW(name, number, sentence, advice) {SMIDGEN_ERROR_##name, #name, sentence, advice},
#include "smidgen_errors.def"
#undef SMIDGEN_ERROR_ROW
};

static const error_row *find_row(smidgen_error_code code)
{
    for (size_t i = 0; i < sizeof error_rows / sizeof error_rows[0]; i++) {
        if (error_rows[i].code == code) {
            return &error_rows[i];
        }
    }
    return &error_rows[sizeof error_rows / sizeof error_rows[0] - 1];
}

const char *smidgen_error_name(smidgen_error_code code)
{
    return find_row(code)->name;
}

static void fill(smidgen_error *error, smidgen_error_code code, const char *format, va_list arguments)
{
    const error_row *row = find_row(code);
    memset(error, 0, sizeof *error);
    error->code = code;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    snprintf(error->advice, sizeof error->advice, "%s", row->advice);
}

bool error_set(smidgen_error *error, smidgen_error_code code, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, code, format, arguments);
        va_end(arguments);
    }
    return false;
}

bool error_set_limit(smidgen_error *error, smidgen_error_code code, uint64_t limit, uint64_t needed,
                     const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, code, format, arguments);
        va_end(arguments);
        error->limit = limit;
        error->needed = needed;
    }
    return false;
}

bool error_set_memory(smidgen_error *error, const char *what, uint64_t needed_bytes)
{
    return error_set_limit(error, SMIDGEN_ERROR_OUT_OF_MEMORY, 0, needed_bytes,
                           "no memory for %s (%llu bytes)", what, (unsigned long long)needed_bytes);
}

void error_advise(smidgen_error *error, const char *advice)
{
    if (error != NULL) {
        snprintf(error->advice, sizeof error->advice, "%s", advice);
    }
}
