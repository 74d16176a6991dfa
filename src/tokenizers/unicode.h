/* What the tokenizers need to know about characters: general categories, white space, case, and the four
 * normalisation forms. The tables are made by tools/unicode_tables.py. */
#ifndef TOKENIZERS_UNICODE_H
#define TOKENIZERS_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General categories in the order of the generated tables. */
enum {
    UNICODE_CN,
    UNICODE_LU,
    UNICODE_LL,
    UNICODE_LT,
    UNICODE_LM,
    UNICODE_LO,
    UNICODE_MN,
    UNICODE_MC,
    UNICODE_ME,
    UNICODE_ND,
    UNICODE_NL,
    UNICODE_NO,
    UNICODE_PC,
    UNICODE_PD,
    UNICODE_PS,
    UNICODE_PE,
    UNICODE_PI,
    UNICODE_PF,
    UNICODE_PO,
    UNICODE_SM,
    UNICODE_SC,
    UNICODE_SK,
    UNICODE_SO,
    UNICODE_ZS,
    UNICODE_ZL,
    UNICODE_ZP,
    UNICODE_CC,
    UNICODE_CF,
    UNICODE_CS,
    UNICODE_CO,
    UNICODE_WHITE_SPACE_BIT, /* the property White_Space, beside the category */
};

/* Sets of categories, to be tested against unicode_mask. */
#define UNICODE_BIT(category) (1u << (category))
#define UNICODE_LETTERS                                                                                      \
    (UNICODE_BIT(UNICODE_LU) | UNICODE_BIT(UNICODE_LL) | UNICODE_BIT(UNICODE_LT) | UNICODE_BIT(UNICODE_LM) | \
     UNICODE_BIT(UNICODE_LO))
#define UNICODE_MARKS   (UNICODE_BIT(UNICODE_MN) | UNICODE_BIT(UNICODE_MC) | UNICODE_BIT(UNICODE_ME))
#define UNICODE_NUMBERS (UNICODE_BIT(UNICODE_ND) | UNICODE_BIT(UNICODE_NL) | UNICODE_BIT(UNICODE_NO))
#define UNICODE_PUNCTUATION                                                                                  \
    (UNICODE_BIT(UNICODE_PC) | UNICODE_BIT(UNICODE_PD) | UNICODE_BIT(UNICODE_PS) | UNICODE_BIT(UNICODE_PE) | \
     UNICODE_BIT(UNICODE_PI) | UNICODE_BIT(UNICODE_PF) | UNICODE_BIT(UNICODE_PO))
#define UNICODE_SYMBOLS                                                                                      \
    (UNICODE_BIT(UNICODE_SM) | UNICODE_BIT(UNICODE_SC) | UNICODE_BIT(UNICODE_SK) | UNICODE_BIT(UNICODE_SO))
#define UNICODE_SEPARATORS (UNICODE_BIT(UNICODE_ZS) | UNICODE_BIT(UNICODE_ZL) | UNICODE_BIT(UNICODE_ZP))
#define UNICODE_OTHERS                                                                                       \
    (UNICODE_BIT(UNICODE_CC) | UNICODE_BIT(UNICODE_CF) | UNICODE_BIT(UNICODE_CS) | UNICODE_BIT(UNICODE_CO))
#define UNICODE_SPACES UNICODE_BIT(UNICODE_WHITE_SPACE_BIT)

/* The bit of c's category, and UNICODE_SPACES where c is white space. Values past U+10FFFF are Cn. */
uint32_t unicode_mask(uint32_t c);
/* \w of a Unicode regular expression: alphabetic, mark, decimal digit, connector, joiner. */
bool unicode_is_word(uint32_t c);
/* Punctuation as BERT means it: category P, and every ASCII character that is neither letter, digit, space
 * nor control. */
bool unicode_is_bert_punctuation(uint32_t c);
/* Lower case of one code point. U+0130, whose lower case is two code points, is left as it is. */
uint32_t unicode_lower(uint32_t c);

#endif
