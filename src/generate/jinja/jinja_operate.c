/* Owns operators, attributes, indices and slices, with Python's rules: integers of 64 bits (past that an
 * error), floor division, negative indices, no mixing of text and numbers in +. */
#include <math.h>
#include <string.h>

#include "generate/jinja/jinja_runtime.h"
#include "generate/jinja/jinja_text.h"

static bool refuse_operands(jinja_runtime *rt, jinja_operator operation, jinja_value x, jinja_value y)
{
    if (x.kind == JINJA_UNDEFINED || y.kind == JINJA_UNDEFINED) {
        jinja_value u = x.kind == JINJA_UNDEFINED ? x : y;
        return jinja_fail(rt, "'%.*s' is undefined, so '%s' cannot be applied", (int)u.size, u.as.text,
                          jinja_operator_text(operation));
    }
    return jinja_fail(rt, "'%s' does not go with %s and %s", jinja_operator_text(operation),
                      jinja_kind_name(x), jinja_kind_name(y));
}

static bool refuse_overflow(jinja_runtime *rt, jinja_operator operation)
{
    return jinja_fail(rt, "the result of '%s' does not fit 64 bits", jinja_operator_text(operation));
}

static bool power(jinja_runtime *rt, int64_t base, int64_t exponent, jinja_value *out)
{
    if (exponent < 0) {
        if (base == 0) {
            return jinja_fail(rt, "0 cannot be raised to a negative power");
        }
        *out = jinja_float(pow((double)base, (double)exponent));
        return true;
    }
    int64_t result = 1;
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
            return refuse_overflow(rt, JINJA_OP_POWER);
        }
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) {
            return refuse_overflow(rt, JINJA_OP_POWER);
        }
    }
    *out = jinja_integer(result);
    return true;
}

static bool operate_integers(jinja_runtime *rt, jinja_operator operation, int64_t x, int64_t y,
                             jinja_value *out)
{
    int64_t result = 0;
    bool is_overflow = false;
    switch (operation) {
    case JINJA_OP_ADD:
        is_overflow = __builtin_add_overflow(x, y, &result);
        break;
    case JINJA_OP_SUBTRACT:
        is_overflow = __builtin_sub_overflow(x, y, &result);
        break;
    case JINJA_OP_MULTIPLY:
        is_overflow = __builtin_mul_overflow(x, y, &result);
        break;
    case JINJA_OP_POWER:
        return power(rt, x, y, out);
    default: /* / // % */
        if (y == 0) {
            return jinja_fail(rt, "division by zero");
        }
        if (operation == JINJA_OP_DIVIDE) {
            *out = jinja_float((double)x / (double)y);
            return true;
        }
        if (y == -1) { /* INT64_MIN / -1 traps */
            is_overflow = operation == JINJA_OP_FLOOR_DIVIDE && __builtin_sub_overflow(0, x, &result);
        } else {
            int64_t remainder = x % y, quotient = x / y;
            bool is_rounded_up = remainder != 0 && (remainder < 0) != (y < 0);
            result = operation == JINJA_OP_FLOOR_DIVIDE ? quotient - is_rounded_up
                                                        : remainder + (is_rounded_up ? y : 0);
        }
    }
    *out = jinja_integer(result);
    return !is_overflow || refuse_overflow(rt, operation);
}

static bool operate_floats(jinja_runtime *rt, jinja_operator operation, double x, double y, jinja_value *out)
{
    double result;
    switch (operation) {
    case JINJA_OP_ADD:
        result = x + y;
        break;
    case JINJA_OP_SUBTRACT:
        result = x - y;
        break;
    case JINJA_OP_MULTIPLY:
        result = x * y;
        break;
    case JINJA_OP_POWER:
        result = pow(x, y);
        break;
    default:
        if (y == 0) {
            return jinja_fail(rt, "division by zero");
        }
        result = operation == JINJA_OP_DIVIDE         ? x / y
                 : operation == JINJA_OP_FLOOR_DIVIDE ? floor(x / y)
                                                      : fmod(x, y);
        if (operation == JINJA_OP_MODULO && result != 0 && (result < 0) != (y < 0)) {
            result += y;
        }
    }
    *out = jinja_float(result);
    return true;
}

/* text * count, list * count */
static bool repeat(jinja_runtime *rt, jinja_value v, int64_t count, jinja_value *out)
{
    size_t unit = v.kind == JINJA_STRING ? 1 : sizeof(jinja_value), times = count < 0 ? 0 : (size_t)count;
    size_t part = v.size * unit;
    times = part == 0 ? 0 : times;
    if (times > JINJA_MEMORY_MAX) {
        times = JINJA_MEMORY_MAX; /* more than fits, so that the allocation below refuses */
    }
    if (part != 0 && times > SIZE_MAX / part) {
        return jinja_allocate(rt, SIZE_MAX) != NULL;
    }
    char *items = jinja_allocate(rt, part * times);
    if (items == NULL || !jinja_charge(rt, v.size * times)) {
        return false;
    }
    for (size_t i = 0; i < times; i++) {
        memcpy(items + i * part, v.as.text, part);
    }
    *out = (jinja_value){.kind = v.kind, .size = (uint32_t)(v.size * times), .as.text = items};
    return true;
}

static bool join_lists(jinja_runtime *rt, jinja_value x, jinja_value y, jinja_value *out)
{
    size_t count = (size_t)x.size + y.size;
    jinja_value *items = jinja_charge(rt, count) ? jinja_allocate_array(rt, count, sizeof *items) : NULL;
    if (items == NULL) {
        return false;
    }
    memcpy(items, x.size == 0 ? items : x.as.items, x.size * sizeof *items);
    memcpy(items + x.size, y.size == 0 ? items : y.as.items, y.size * sizeof *items);
    *out = (jinja_value){.kind = x.kind, .size = (uint32_t)count, .as.items = items};
    return true;
}

static bool compare(jinja_runtime *rt, jinja_operator operation, jinja_value x, jinja_value y,
                    jinja_value *out)
{
    bool is_equal = false;
    int order = 0;
    if (operation == JINJA_OP_EQUAL || operation == JINJA_OP_NOT_EQUAL) {
        if (!jinja_equal(rt, x, y, &is_equal)) {
            return false;
        }
        *out = jinja_bool(is_equal == (operation == JINJA_OP_EQUAL));
        return true;
    }
    if (!jinja_compare(rt, x, y, false, &order)) {
        return false;
    }
    bool is_nan =
        (x.kind == JINJA_FLOAT && isnan(x.as.number)) || (y.kind == JINJA_FLOAT && isnan(y.as.number));
    bool holds = operation == JINJA_OP_LESS         ? order < 0
                 : operation == JINJA_OP_LESS_EQUAL ? order <= 0
                 : operation == JINJA_OP_GREATER    ? order > 0
                                                    : order >= 0;
    *out = jinja_bool(holds && !is_nan);
    return true;
}

static bool concatenate(jinja_runtime *rt, jinja_value x, jinja_value y, jinja_value *out)
{
    return jinja_to_string(rt, x, &x) && jinja_to_string(rt, y, &y) && jinja_concatenate(rt, x, y, out);
}

static bool arithmetic(jinja_runtime *rt, jinja_operator operation, jinja_value x, jinja_value y,
                       jinja_value *out)
{
    bool is_x_text = x.kind == JINJA_STRING, is_y_text = y.kind == JINJA_STRING;
    bool is_x_whole = x.kind == JINJA_INTEGER || x.kind == JINJA_BOOL;
    bool is_y_whole = y.kind == JINJA_INTEGER || y.kind == JINJA_BOOL;
    if (is_x_whole && is_y_whole) {
        return operate_integers(rt, operation, jinja_as_integer(x), jinja_as_integer(y), out);
    }
    if (jinja_is_numeric(x) && jinja_is_numeric(y)) {
        return operate_floats(rt, operation, jinja_as_double(x), jinja_as_double(y), out);
    }
    if (operation == JINJA_OP_ADD && is_x_text && is_y_text) {
        return jinja_concatenate(rt, x, y, out);
    }
    if (operation == JINJA_OP_ADD && jinja_is_sequence(x) && x.kind == y.kind) {
        return join_lists(rt, x, y, out);
    }
    if (operation == JINJA_OP_MULTIPLY && (is_x_text || jinja_is_sequence(x)) && is_y_whole) {
        return repeat(rt, x, jinja_as_integer(y), out);
    }
    if (operation == JINJA_OP_MULTIPLY && (is_y_text || jinja_is_sequence(y)) && is_x_whole) {
        return repeat(rt, y, jinja_as_integer(x), out);
    }
    if (operation == JINJA_OP_MODULO && is_x_text) {
        return jinja_format_percent(rt, x, y, out);
    }
    return refuse_operands(rt, operation, x, y);
}

bool jinja_operate(jinja_runtime *rt, jinja_operator operation, jinja_value x, jinja_value y,
                   jinja_value *out)
{
    if (operation == JINJA_OP_CONCATENATE) {
        return concatenate(rt, x, y, out);
    }
    if (operation >= JINJA_OP_EQUAL && operation <= JINJA_OP_GREATER_EQUAL) {
        return compare(rt, operation, x, y, out);
    }
    if (operation == JINJA_OP_IN || operation == JINJA_OP_NOT_IN) {
        bool is_contained;
        if (!jinja_contains(rt, y, x, &is_contained)) {
            return false;
        }
        *out = jinja_bool(is_contained == (operation == JINJA_OP_IN));
        return true;
    }
    return arithmetic(rt, operation, x, y, out);
}

/* ---- attributes and items */

static bool is_text(const char *name, size_t size, const char *literal)
{
    return strlen(literal) == size && memcmp(name, literal, size) == 0;
}

static bool loop_attribute(const jinja_loop *l, const char *name, size_t size, jinja_value *out)
{
    const struct {
        const char *name;
        jinja_value value;
    } rows[] = {
        {"index", jinja_integer((int64_t)l->index0 + 1)},
        {"index0", jinja_integer(l->index0)},
        {"first", jinja_bool(l->index0 == 0)},
        {"last", jinja_bool(l->index0 + 1 == l->count)},
        {"length", jinja_integer(l->count)},
        {"revindex", jinja_integer((int64_t)l->count - l->index0)},
        {"revindex0", jinja_integer((int64_t)l->count - l->index0 - 1)},
        {"depth", jinja_integer((int64_t)l->depth0 + 1)},
        {"depth0", jinja_integer(l->depth0)},
        {"previtem", l->index0 > 0 ? l->items[l->index0 - 1] : jinja_undefined("loop.previtem", 13)},
        {"nextitem",
         l->index0 + 1 < l->count ? l->items[l->index0 + 1] : jinja_undefined("loop.nextitem", 13)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_text(name, size, rows[i].name)) {
            *out = rows[i].value;
            return true;
        }
    }
    return false;
}

/* A method of the value's kind, bound to it. *is_found tells whether there is one. */
static bool bind_method(jinja_runtime *rt, jinja_value v, const char *name, size_t size, jinja_value *out,
                        bool *is_found)
{
    const jinja_function *function = NULL;
    if (v.kind == JINJA_STRING) {
        function = jinja_table_find(JINJA_TABLE_STRING_METHODS, name, size);
    } else if (v.kind == JINJA_DICT) {
        function = jinja_table_find(JINJA_TABLE_DICT_METHODS, name, size);
    } else if (jinja_is_sequence(v)) {
        function = jinja_table_find(JINJA_TABLE_LIST_METHODS, name, size);
    } else if (v.kind == JINJA_LOOP) {
        function = jinja_table_find(JINJA_TABLE_LOOP_METHODS, name, size);
    }
    *is_found = function != NULL;
    if (function == NULL) {
        return true;
    }
    jinja_bound_method *method = jinja_allocate(rt, sizeof *method);
    if (method == NULL) {
        return false;
    }
    *method = (jinja_bound_method){function, v};
    *out = (jinja_value){.kind = JINJA_METHOD, .as.method = method};
    return true;
}

bool jinja_attribute(jinja_runtime *rt, jinja_value v, const char *name, size_t size, jinja_value *out)
{
    bool is_found;
    if (v.kind == JINJA_UNDEFINED) {
        return jinja_fail(rt, "'%.*s' is undefined, so it has no '%.*s'", (int)v.size, v.as.text, (int)size,
                          name);
    }
    if (v.kind == JINJA_LOOP && loop_attribute(v.as.loop, name, size, out)) {
        return true;
    }
    if (!bind_method(rt, v, name, size, out, &is_found)) {
        return false;
    }
    if (is_found) {
        return true;
    }
    const jinja_value *entry = NULL;
    if (v.kind == JINJA_DICT || v.kind == JINJA_NAMESPACE) {
        entry = jinja_dict_get(rt, v.as.dict, jinja_string(name, size));
    }
    *out = entry == NULL ? jinja_undefined(name, size) : *entry;
    return true;
}

static bool indexed(jinja_runtime *rt, jinja_value v, int64_t index, jinja_value *out)
{
    int64_t length;
    if (!jinja_length(rt, v, &length)) {
        return false;
    }
    index += index < 0 ? length : 0;
    if (index < 0 || index >= length) {
        *out = jinja_undefined("an index past the end", 21);
        return true;
    }
    if (v.kind != JINJA_STRING) {
        *out = v.as.items[index];
        return true;
    }
    size_t at = jinja_text_offset(v.as.text, v.size, (size_t)index);
    *out = jinja_string(v.as.text + at, jinja_text_offset(v.as.text + at, v.size - at, 1));
    return true;
}

bool jinja_item(jinja_runtime *rt, jinja_value v, jinja_value key, jinja_value *out)
{
    if (v.kind == JINJA_DICT) {
        const jinja_value *entry = jinja_dict_get(rt, v.as.dict, key);
        if (entry != NULL) {
            *out = *entry;
            return true;
        }
    }
    bool is_whole = key.kind == JINJA_INTEGER || key.kind == JINJA_BOOL;
    if ((jinja_is_sequence(v) || v.kind == JINJA_STRING) && is_whole) {
        return indexed(rt, v, jinja_as_integer(key), out);
    }
    if (key.kind == JINJA_STRING) {
        return jinja_attribute(rt, v, key.as.text, key.size, out);
    }
    if (v.kind == JINJA_UNDEFINED) {
        return jinja_fail(rt, "'%.*s' is undefined, so it has no items", (int)v.size, v.as.text);
    }
    *out = jinja_undefined("an item that is not there", 25);
    return true;
}

/* Python's clipping: a bound counts from the end when negative and is moved into [lowest, highest]. */
static int64_t clip(int64_t bound, int64_t length, int64_t lowest, int64_t highest)
{
    bound = bound < 0 ? (bound < -length ? lowest : bound + length) : bound;
    return bound < lowest ? lowest : bound > highest ? highest : bound;
}

/* Start, stop and step as numbers; stop may be -1 with a negative step. */
static bool read_bounds(jinja_runtime *rt, const jinja_value bounds[3], int64_t length, int64_t out[3])
{
    for (int i = 0; i < 3; i++) {
        bool is_number = bounds[i].kind == JINJA_INTEGER || bounds[i].kind == JINJA_BOOL;
        if (!is_number && bounds[i].kind != JINJA_NONE) {
            return jinja_fail(rt, "a slice needs whole numbers, not %s", jinja_kind_name(bounds[i]));
        }
    }
    int64_t step = bounds[2].kind == JINJA_NONE ? 1 : jinja_as_integer(bounds[2]);
    if (step == 0 || step == INT64_MIN) {
        return jinja_fail(rt, "the step of a slice must not be %s", step == 0 ? "0" : "so small");
    }
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? length - 1 : length;
    out[0] = bounds[0].kind == JINJA_NONE ? (step < 0 ? highest : lowest)
                                          : clip(jinja_as_integer(bounds[0]), length, lowest, highest);
    out[1] = bounds[1].kind == JINJA_NONE ? (step < 0 ? lowest : highest)
                                          : clip(jinja_as_integer(bounds[1]), length, lowest, highest);
    out[2] = step;
    return true;
}

bool jinja_slice(jinja_runtime *rt, jinja_value v, const jinja_value bounds[3], jinja_value *out)
{
    int64_t length, b[3];
    if (!jinja_is_sequence(v) && v.kind != JINJA_STRING) {
        return jinja_fail(rt, "%s cannot be sliced", jinja_kind_name(v));
    }
    if (!jinja_length(rt, v, &length) || !read_bounds(rt, bounds, length, b)) {
        return false;
    }
    if (v.kind == JINJA_STRING && b[2] == 1) {
        size_t first = jinja_text_offset(v.as.text, v.size, (size_t)b[0]);
        size_t taken = b[1] > b[0] ? (size_t)(b[1] - b[0]) : 0;
        *out = jinja_string(v.as.text + first, jinja_text_offset(v.as.text + first, v.size - first, taken));
        return true;
    }
    const jinja_value *items;
    uint32_t count;
    if (!jinja_iterate(rt, v, &items, &count)) {
        return false;
    }
    int64_t distance = b[2] > 0 ? b[1] - b[0] : b[0] - b[1], step = b[2] > 0 ? b[2] : -b[2];
    size_t taken = distance <= 0 ? 0 : (size_t)((distance - 1) / step + 1);
    jinja_value *picked = jinja_charge(rt, taken) ? jinja_allocate_array(rt, taken, sizeof *picked) : NULL;
    jinja_builder text = {0};
    if (picked == NULL) {
        return false;
    }
    for (size_t i = 0; i < taken; i++) {
        picked[i] = items[b[0] + (int64_t)i * b[2]];
        if (v.kind == JINJA_STRING && !jinja_append_value(rt, &text, picked[i])) {
            return false;
        }
    }
    *out = v.kind == JINJA_STRING
               ? jinja_built(&text)
               : (jinja_value){.kind = v.kind, .size = (uint32_t)taken, .as.items = picked};
    return true;
}
