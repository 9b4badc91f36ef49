/* SPDX-License-Identifier: MIT */
/* Captures as JSON: an array of tests, whose registers have names. */
#include "config.h"
#include "testsuite/pc/moo.h"

#if HAVE_JANSSON

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* With 32-bit registers the general ones, IP and FLAGS have an "e" in front. */
static const char *const names[MOO_REGS] = {"ax", "bx", "cx", "dx", "cs", "ss",    "ds", "es",
                                            "sp", "bp", "si", "di", "ip", "flags", "fs", "gs"};

static void read_registers(const json_t *regs, struct moo *moo, struct moo_state *state)
{
    for (unsigned i = 0; i < MOO_REGS; i++) {
        char wide[8] = "e";
        strcat(wide, names[i]);
        const json_t *narrow = json_object_get(regs, names[i]),
                     *value = json_object_get(regs, wide);
        if (value)
            moo->wide = true;
        else
            value = narrow;
        if (!json_is_integer(value))
            continue;
        state->reg[i] = (uint32_t)json_integer_value(value);
        state->mask |= 1u << i;
    }
}

static bool read_ram(const json_t *ram, struct moo_state *state)
{
    size_t count = json_array_size(ram);
    state->byte = calloc(count + 1, sizeof(*state->byte));
    if (!state->byte)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(ram, i);
        if (json_array_size(pair) != 2)
            return false;
        state->byte[i].address = (uint32_t)json_integer_value(json_array_get(pair, 0));
        state->byte[i].value = (uint8_t)json_integer_value(json_array_get(pair, 1));
    }
    state->count = (uint32_t)count;
    return true;
}

static bool read_state(const json_t *from, struct moo *moo, struct moo_state *state)
{
    read_registers(json_object_get(from, "regs"), moo, state);
    return read_ram(json_object_get(from, "ram"), state);
}

static bool read_test(const json_t *from, struct moo *moo, struct moo_test *test)
{
    const json_t *bytes = json_object_get(from, "bytes");
    const json_t *exception = json_object_get(from, "exception");
    const char *name = json_string_value(json_object_get(from, "name"));
    test->code_len = (uint32_t)json_array_size(bytes);
    test->index = (uint32_t)json_integer_value(json_object_get(from, "idx"));
    memcpy(test->defined, moo->defined, sizeof(test->defined));
    if (!json_is_object(from) || test->code_len > sizeof(test->code))
        return false;
    for (uint32_t i = 0; i < test->code_len; i++)
        test->code[i] = (uint8_t)json_integer_value(json_array_get(bytes, i));
    if (name)
        strncpy(test->name, name, sizeof(test->name) - 1);
    test->faults = json_is_object(exception);
    test->vector = (uint8_t)json_integer_value(json_object_get(exception, "number"));
    test->flags_at = (uint32_t)json_integer_value(json_object_get(exception, "flag_address"));
    return read_state(json_object_get(from, "initial"), moo, &test->before) &&
           read_state(json_object_get(from, "final"), moo, &test->after);
}

bool moo_read_json(const char *text, size_t len, struct moo *moo)
{
    json_t *root = json_loadb(text, len, 0, NULL);
    size_t count = json_array_size(root);
    bool good = root && (moo->test = calloc(count + 1, sizeof(*moo->test)));
    for (size_t i = 0; i < count && good; i++) {
        moo->count++;
        good = read_test(json_array_get(root, i), moo, &moo->test[i]);
    }
    json_decref(root);
    return good;
}

#else

bool moo_read_json(const char *text, size_t len, struct moo *moo)
{
    (void)text, (void)len, (void)moo;
    return false;
}

#endif
