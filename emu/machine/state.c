/* SPDX-License-Identifier: MIT */
/*
 * Saving, loading and comparing an object by its declared fields. The saved
 * form is the fields one after the other without padding, integers
 * little-endian, so that a snapshot does not depend on the compiler's layout.
 */
#include "emu/machine/state.h"

#include <string.h>

static size_t field_bytes(const struct state_field *field)
{
    return (size_t)field->size * field->count;
}

/* Copies one element between host order and little-endian; its own inverse. */
static void copy_element(const struct state_field *field, uint8_t *dst, const uint8_t *src)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if (field->kind == STATE_UINT) {
        for (unsigned i = 0; i < field->size; i++)
            dst[i] = src[field->size - 1 - i];
        return;
    }
#endif
    memcpy(dst, src, field->size);
}

static void copy_field(const struct state_field *field, uint8_t *dst, const uint8_t *src)
{
    for (unsigned i = 0; i < field->count; i++)
        copy_element(field, dst + (size_t)i * field->size, src + (size_t)i * field->size);
}

size_t state_size(const struct state_list *list)
{
    size_t sum = 0;
    for (unsigned i = 0; i < list->fields; i++)
        sum += field_bytes(&list->field[i]);
    return sum;
}

void state_save(const struct state_list *list, const void *object, uint8_t *out)
{
    const uint8_t *from = object;
    for (unsigned i = 0; i < list->fields; i++) {
        const struct state_field *field = &list->field[i];
        copy_field(field, out, from + field->offset);
        out += field_bytes(field);
    }
}

void state_load(const struct state_list *list, void *object, const uint8_t *in)
{
    uint8_t *to = object;
    for (unsigned i = 0; i < list->fields; i++) {
        const struct state_field *field = &list->field[i];
        copy_field(field, to + field->offset, in);
        in += field_bytes(field);
    }
}

void state_copy(const struct state_list *list, void *dst, const void *src)
{
    for (unsigned i = 0; i < list->fields; i++) {
        const struct state_field *field = &list->field[i];
        memcpy((uint8_t *)dst + field->offset, (const uint8_t *)src + field->offset,
               field_bytes(field));
    }
}

const struct state_field *state_compare(const struct state_list *list, const void *a, const void *b)
{
    for (unsigned i = 0; i < list->fields; i++) {
        const struct state_field *field = &list->field[i];
        const uint8_t *at_a = (const uint8_t *)a + field->offset;
        const uint8_t *at_b = (const uint8_t *)b + field->offset;
        if (!field->loose && memcmp(at_a, at_b, field_bytes(field)))
            return field;
    }
    return NULL;
}
