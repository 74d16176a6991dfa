/* Filling a smidgen_error. Every function that can fail ends its failing path with one of these calls. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "smidgen.h"

/* Fills *error (when not NULL) with code, a formatted sentence and the advice that belongs to the code in
 * smidgen_errors.def. Always returns false, so that `return error_set(...)` reads well. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
bool error_set(smidgen_error *error, smidgen_error_code code, const char *format, ...);

/* The same for a limit: the message should name the unit of the two amounts. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
bool error_set_limit(smidgen_error *error, smidgen_error_code code, uint64_t limit, uint64_t needed,
                     const char *format, ...);

/* OUT_OF_MEMORY for `what` ("the KV cache") of needed bytes. */
bool error_set_memory(smidgen_error *error, const char *what, uint64_t needed_bytes);

/* Replaces the advice of an error that is already set. */
void error_advise(smidgen_error *error, const char *advice);

#endif
