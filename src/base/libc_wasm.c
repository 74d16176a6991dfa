/* Owns the few C library calls that would otherwise ask a system interface that WebAssembly modules of
 * Smidgen do not import: there is no environment, and a failed assertion or exhausted stack ends in a trap.
 */
#include <stdlib.h>
#include <time.h>

/* Seconds since 1970, for chat templates that write the date. */
__attribute__((import_module("env"), import_name("date"))) double libc_host_date(void);

time_t time(time_t *into)
{
    time_t now = (time_t)libc_host_date();
    if (into != NULL) {
        *into = now;
    }
    return now;
}

char *getenv(const char *name)
{
    (void)name;
    return NULL;
}

_Noreturn void abort(void)
{
    __builtin_trap();
}
