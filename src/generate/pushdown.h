/* Runs an automaton over bytes: states are found when they are first reached and kept, so that a step is
 * mostly one table look-up. A state is a set of places; a place is a node and the set of stacks that are
 * possible there (stacks share their tails, as in generalised LR parsing). Internal to grammars. */
#ifndef GENERATE_PUSHDOWN_H
#define GENERATE_PUSHDOWN_H

#include "base/arena.h"
#include "generate/automaton.h"

enum { PUSHDOWN_DEAD = 0 }; /* the state that nothing leads out of */

typedef struct pushdown pushdown;

/* All memory is taken here; the automaton must outlive the result. NULL: *failure is OUT_OF_MEMORY, or LIMIT
 * where the first state already is too ambiguous. */
pushdown *pushdown_create(const automaton *a, int32_t root_rule, const smidgen_allocator *allocator,
                          smidgen_error_code *failure);
void pushdown_close(pushdown *p);

/* The state before any text. May be asked again after any step. */
int32_t pushdown_first(const pushdown *p);
bool pushdown_may_end(const pushdown *p, int32_t state);

/* path[depth + 1] = the state after path[depth] and a byte of the class; returns it. Where the tables are
 * full they are emptied but for path[0..depth], whose numbers then change in place: numbers kept elsewhere
 * are void once pushdown_generation has changed. */
int32_t pushdown_step(pushdown *p, int32_t *path, int32_t depth, uint8_t byte_class);
uint32_t pushdown_generation(const pushdown *p);

/* Work until the next call is bounded: past it unknown states read as dead, which only grammars with extreme
 * ambiguity meet. */
void pushdown_refill(pushdown *p);

#endif
