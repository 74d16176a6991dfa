/* What the files of this folder share: the parts of a tokenizer, and the state of one call to encode. */
#ifndef TOKENIZERS_INTERNAL_H
#define TOKENIZERS_INTERNAL_H

#include "tokenizers/scratch.h"
#include "tokenizers/special_tokens.h"
#include "tokenizers/splitter.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/vocabulary.h"

enum { TOKENIZER_STAGES = 24 }; /* of each list; a file that names more is refused */

typedef enum tokenizer_algorithm {
    TOKENIZER_BPE,           /* merges in the order of a list */
    TOKENIZER_SENTENCEPIECE, /* merges in the order of the scores of what they make */
    TOKENIZER_UNIGRAM,
    TOKENIZER_WORDPIECE,
    TOKENIZER_CHARACTERS, /* one character, one token: CTC vocabularies */
} tokenizer_algorithm;

/* ---- normaliser */

typedef enum normalizer_kind {
    NORMALIZER_NFC,
    NORMALIZER_NFD,
    NORMALIZER_NFKC,
    NORMALIZER_NFKD,
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_CLEAN,
    NORMALIZER_CHINESE,
    NORMALIZER_REPLACE,
    NORMALIZER_PREPEND,
    NORMALIZER_STRIP,
    NORMALIZER_CHARSMAP,
} normalizer_kind;

typedef struct normalizer_stage {
    normalizer_kind kind;
    const struct pattern *pattern; /* REPLACE */
    text_span content;             /* REPLACE, PREPEND */
    bool left, right;              /* STRIP */
    const struct charsmap *charsmap;
} normalizer_stage;

/* ---- pre-tokenizer */

typedef enum split_behaviour {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
} split_behaviour;

typedef enum pattern_kind {
    PATTERN_TEXT,
    PATTERN_SPLITTER,
    PATTERN_PCRE2,
    PATTERN_SPACES,
    PATTERN_PUNCTUATION,
    PATTERN_DIGITS,
    PATTERN_WORDS,
} pattern_kind;

/* Anything that cuts a text into matches and what lies between. */
typedef struct pattern {
    pattern_kind kind;
    text_span text;
    const splitter *splitter;
    void *engine; /* of pre_tokenizer_pcre2.c */
} pattern;

typedef enum pre_tokenizer_kind {
    PRE_SPLIT,
    PRE_METASPACE,
    PRE_PREFIX_SPACE,
    PRE_BYTE_LEVEL,
} pre_tokenizer_kind;

typedef struct pre_tokenizer_stage {
    pre_tokenizer_kind kind;
    pattern pattern;
    split_behaviour behaviour;
    bool is_inverted;
    text_span replacement; /* METASPACE */
    bool prepend, only_first,
        cuts; /* METASPACE: prepend at all, only at the start of the text; cut before each */
} pre_tokenizer_stage;

/* ---- decoder */

typedef enum decoder_kind {
    DECODER_BYTE_LEVEL,
    DECODER_WORDPIECE,
    DECODER_METASPACE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_STRIP,
    DECODER_REPLACE,
    DECODER_BPE,
    DECODER_CTC,
} decoder_kind;

typedef struct decoder_stage {
    decoder_kind kind;
    text_span text, content; /* prefix, replacement, pattern, suffix, pad token; content, word delimiter */
    uint32_t start, stop;    /* STRIP */
    bool cleanup, prepend;
} decoder_stage;

/* ---- models */

typedef struct merge_slot {
    uint32_t left, right;
    uint32_t rank; /* UINT32_MAX: free */
    int32_t id;    /* what left and right become */
} merge_slot;

typedef struct bpe_model {
    merge_slot *merges; /* [merge_mask + 1] */
    uint32_t merge_mask;
    const uint32_t *priorities; /* [vocabulary]: SENTENCEPIECE, less is first */
    bool is_byte_level;         /* symbols are bytes, spelled as the printable stand-ins of GPT-2 */
    bool ignores_merges;        /* a whole word that is a token needs no merges */
    bool fuses_unknown, has_byte_fallback;
    int32_t byte_ids[256], last_byte_ids[256]; /* byte level: the symbol of each byte; at the end of a word */
    text_span prefix, suffix;                  /* continuing_subword_prefix, end_of_word_suffix */
    bool cuts_before_space; /* no merge crosses the place before U+2581, unless the byte before it is one of
                               these: */
    bool joins_space[256];
} bpe_model;

typedef struct unigram_model {
    const double *scores;  /* [vocabulary]; NAN: not of the model */
    const int32_t *sorted; /* [sorted_count] ids in the order of their spelling's bytes */
    uint32_t sorted_count;
    uint32_t first[257]; /* where each first byte begins in sorted */
    double unknown_score;
    bool has_byte_fallback;
} unigram_model;

typedef struct wordpiece_model {
    text_span prefix; /* "##" */
    uint32_t longest_characters;
} wordpiece_model;

struct tokenizer {
    arena arena;
    vocabulary vocabulary;
    tokenizer_algorithm algorithm;
    int32_t bos, eos, pad, unknown;
    bool adds_bos, adds_eos;
    special_set raw, normalized; /* looked for in the text as it is, and in the normalised text */
    normalizer_stage normalizers[TOKENIZER_STAGES];
    int32_t normalizer_count;
    pre_tokenizer_stage pre_tokenizers[TOKENIZER_STAGES];
    int32_t pre_tokenizer_count;
    decoder_stage decoders[TOKENIZER_STAGES];
    int32_t decoder_count;
    bool joins_pieces;       /* decode is the sequence of vocabulary pieces ... */
    bool strips_first_space; /* ... without one space in front */
    bool turns_suffix_to_space;
    bool trims_text;               /* no white space around a decoded text */
    bool joins_with_space;         /* no decoder at all: tokens with spaces between them */
    const int32_t *before, *after; /* what TOKENIZER_ADD_SPECIAL puts around a text */
    int32_t before_count, after_count;
    bpe_model bpe;
    scratch piece_text; /* behind vocabulary.pieces */
    unigram_model unigram;
    wordpiece_model wordpiece;
};

/* ---- one call to encode */

typedef struct encoding {
    const tokenizer *t;
    int32_t *ids; /* [capacity] */
    size_t capacity;
    uint64_t count;
    bool parses_special;
    bool failed;                          /* no memory */
    bool too_long;                        /* a piece of 2^31 bytes or more */
    scratch symbols, heap, work;          /* of the model */
    struct word_cache *words;             /* of bpe.c: pieces of this text that came before, or NULL */
    scratch text[2];                      /* of the normaliser */
    scratch stage_text[TOKENIZER_STAGES]; /* of the pre-tokenizers that change the text */
} encoding;

static inline void encoding_emit(encoding *e, int32_t id)
{
    if (e->count < e->capacity) {
        e->ids[e->count] = id;
    }
    e->count++;
}

/* Ids of one piece of text as the pre-tokenizers leave it. */
void model_encode(encoding *e, const char *text, size_t size);
void bpe_encode(encoding *e, const char *text, size_t size);
/* The cache pays from a few KiB of text on; without memory there is none. */
void bpe_open_cache(encoding *e, size_t text_bytes);
void bpe_close_cache(encoding *e);
void unigram_encode(encoding *e, const char *text, size_t size);
void wordpiece_encode(encoding *e, const char *text, size_t size);
void characters_encode(encoding *e, const char *text, size_t size);

/* The text after all normalisers; valid until the next call. text is given back where nothing changes it. */
text_span normalizer_run(encoding *e, const char *text, size_t size);
/* is_start: the piece begins where the whole text begins. */
void pre_tokenizer_run(encoding *e, const char *text, size_t size, bool is_start);

/* ---- GPT-2's stand-ins: each byte is a printable character */

uint32_t byte_level_character(uint8_t byte);
/* The byte that the character stands for, or -1. */
int byte_level_byte(uint32_t character);

/* ---- construction */

bool bpe_begin_merges(tokenizer *t, uint32_t count);
void bpe_prefetch_merge(const tokenizer *t, const merge_slot *merge);
/* False when too many merges collide in the table, which only a made-up list does. */
bool bpe_add_merge(tokenizer *t, const merge_slot *merge);
typedef struct merge_reader {
    int32_t guess; /* the id that the next merge probably makes */
    char *room;    /* [vocabulary.longest_bytes] */
    merge_slot
        waiting[8]; /* read, not yet entered: their places in the table are on the way into the cache */
    uint32_t waiting_count, waiting_at;
} merge_reader;
/* Reads one merge; bpe_end_merges after the last. */
bool bpe_end_merges(tokenizer *t, merge_reader *r, smidgen_error *error);
bool bpe_read_merge(tokenizer *t, merge_reader *r, uint32_t rank, text_span left, text_span right,
                    smidgen_error *error);
/* Byte symbols, and whether merges cross word borders; after vocabulary and flags are complete. */
void bpe_finish(tokenizer *t);
/* Sorts the tokens; scores are there, NAN for tokens that are not of the model. */
bool unigram_finish(tokenizer *t);
void encoding_open(encoding *e, const tokenizer *t);
void encoding_close(encoding *e);
/* pieces of the vocabulary from the spellings and the decoder's stages. */
bool decoder_make_pieces(tokenizer *t, smidgen_error *error);
/* Marks tokens that end a reply by their spelling. */
void special_mark_ends(tokenizer *t);
tokenizer *tokenizer_new(const smidgen_allocator *allocator, smidgen_error *error);

#endif
