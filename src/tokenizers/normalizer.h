/* The rewriting of text before it is cut. */
#ifndef TOKENIZERS_NORMALIZER_H
#define TOKENIZERS_NORMALIZER_H

#include "tokenizers/internal.h"

#endif
