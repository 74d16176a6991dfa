/* Nothing to say: "#if" and 'x' in texts, braces in texts "{{{". */
#include <stdio.h>
#include "base/a.h"

#define BASE_TWICE(x) \
    do {              \
        (x);          \
        (x);          \
    } while (0)

static int base_sum(const int *x, int n) /* [n] */
{
    const char *open = "{ /* not a comment", quote = '"';
    int sum = open[0] + quote; // strcpy(a, b)
    for (int i = 0; i < n; i++) {
        BASE_TWICE(sum += x[i]);
    }
    return sum;
}
