/* What can change, and what only looks so. */
static int counter;
int values[4] = {1, 2, 3, 4};
static const char *name = "a";
static struct point {
    int x, y;
} origin;
static int (*hook)(int value);
static _Thread_local int depth;

static const int limit = 4;
static const char *const names[] = {"a", "b"};
const struct point middle = {1, 2};
static int (*const table[])(int) = {base_f, base_g};
typedef struct pair {
    int a, b;
} pair;
struct later;
enum { SIZE = 4 };
int base_prototype(int (*entry)(void *context), void *context);
extern const pair base_pair;
_Static_assert(sizeof(int) == 4, "int");

int base_f(int x)
{
    static const int steps[2] = {1, 2};
    static int calls;
    return x + steps[0] + calls++;
}
