#include "tensor/element.h"

static const element_info element_rows[] = {
#define ELEMENT_INFO(name, number, weights, bytes) {ELEMENT_##name, #name, weights, bytes},
    ELEMENT_TABLE(ELEMENT_INFO)
#undef ELEMENT_INFO
};

const element_info *element_find(uint32_t number)
{
    for (size_t i = 0; i < sizeof element_rows / sizeof element_rows[0]; i++) {
        if ((uint32_t)element_rows[i].type == number) {
            return &element_rows[i];
        }
    }
    return NULL;
}

const char *element_name(uint32_t number)
{
    const element_info *info = element_find(number);
    return info == NULL ? "?" : info->name;
}

bool element_bytes(element_type type, uint64_t weights, uint64_t *bytes)
{
    const element_info *info = element_find((uint32_t)type);
    if (info == NULL || weights % (uint64_t)info->block_weights != 0) {
        return false;
    }
    uint64_t blocks = weights / (uint64_t)info->block_weights;
    if (blocks > UINT64_MAX / (uint64_t)info->block_bytes) {
        return false;
    }
    *bytes = blocks * (uint64_t)info->block_bytes;
    return true;
}

bool element_is_float(element_type type)
{
    return type == ELEMENT_F32 || type == ELEMENT_F16 || type == ELEMENT_BF16 || type == ELEMENT_F64;
}
