/* What goes to people: errors, remarks, colours, progress, and Ctrl-C. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "options.h"

#include <stdio.h>

/* Prints an error (as one JSON line with --json) and its advice to stderr; returns the exit status. */
int fail(const options *o, const smidgen_error *error);
__attribute__((format(printf, 4, 5))) int fail_with(const options *o, smidgen_error_code code,
                                                    const char *advice, const char *format, ...);
/* A remark on stderr, unless --quiet. */
__attribute__((format(printf, 2, 3))) void remark(const options *o, const char *format, ...);

typedef enum style { STYLE_NONE, STYLE_ERROR, STYLE_STRONG, STYLE_FAINT, STYLE_ACCENT } style;

/* The escape sequence, or "" where the stream gets no colours. */
const char *style_begin(const options *o, FILE *stream, style s);
const char *style_end(const options *o, FILE *stream);

/* Standard output that goes away (a closed pipe) is no error: these return false, and the command ends
 * quietly. */
bool print_bytes(const char *bytes, size_t size);
__attribute__((format(printf, 1, 2))) bool print_format(const char *format, ...);
bool print_flush(void);
/* To be called last: status, or IO when the output could not be written for another reason (a full disk). */
int print_finish(const options *o, int status);

/* Ctrl-C: after signals_install it only sets a flag. */
void signals_install(void);
bool signals_interrupted(void);
void signals_clear(void);

/* A bar on stderr where that is a terminal; nothing elsewhere. */
typedef struct progress {
    const options *o;
    const char *label;
    bool visible;
    double begun, shown;
    uint64_t first_bytes;
    bool drawn;
} progress;

progress progress_begin(const options *o, const char *label, uint64_t first_bytes);
/* As the library's callbacks want it (context: a progress *): draws at most ten times a second; false after
 * Ctrl-C. */
bool progress_update(void *context, uint64_t done_bytes, uint64_t total_bytes);
void progress_end(progress *p);

#endif
