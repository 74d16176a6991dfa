/* The four normalisation forms of Unicode (UAX #15). */
#ifndef TOKENIZERS_NORMAL_FORM_H
#define TOKENIZERS_NORMAL_FORM_H

#include "tokenizers/scratch.h"

enum normal_form_flags {
    NORMAL_FORM_COMPOSED = 1,   /* NFC, NFKC; else NFD, NFKD */
    NORMAL_FORM_COMPATIBLE = 2, /* NFKC, NFKD; else NFC, NFD */
};

/* Appends text[0..size) in the form to out; `work` holds code points meanwhile. Bytes that are not UTF-8 are
 * copied and combine with nothing. Linear in the text. False when there is no memory. */
bool normal_form_append(scratch *out, scratch *work, const char *text, size_t size, int flags);

#endif
