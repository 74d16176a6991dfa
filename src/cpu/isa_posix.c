/* Owns the question to the operating system whether an Arm processor has the dot product; x86-64 asks the
 * processor. */
#include "cpu/isa.h"

#if defined(__aarch64__) && defined(__linux__)

#include <asm/hwcap.h>
#include <sys/auxv.h>

int cpu_isa_has_dot_product(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

#elif defined(__aarch64__) && defined(__APPLE__)

int cpu_isa_has_dot_product(void) /* every Apple silicon Mac has it */
{
    return 1;
}

#else

int cpu_isa_has_dot_product(void)
{
    return 0;
}

#endif
