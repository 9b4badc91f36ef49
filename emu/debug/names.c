/* SPDX-License-Identifier: MIT */
/* Tables of names. */
#include "emu/debug/names.h"

#include <string.h>

struct row {
    uint32_t number;
    const char *name;
};

static const struct row calls[] = {
#define CALL(number, name) {number, #name},
#include "emu/debug/gdb/linux_calls.def"
#undef CALL
};

static const struct row hypercalls[] = {
    {0, "idle"}, {1, "terminate"}, {2, "resume"},  {3, "trapret"},
    {4, "poll"}, {5, "unknown"},   {6, "protect"}, {7, "discard"},
};

static const struct row interrupts[] = {
    {1, "timer"}, {2, "keyboard"}, {4, "console"},   {8, "nic"},
    {16, "disk"}, {32, "signal"},  {64, "identity"},
};

static const struct {
    const struct row *row;
    size_t count;
} tables[] = {
    [NAMES_SYSCALL] = {calls, ARRAY_LEN(calls)},
    [NAMES_HYPERCALL] = {hypercalls, ARRAY_LEN(hypercalls)},
    [NAMES_INTERRUPT] = {interrupts, ARRAY_LEN(interrupts)},
};

const char *names_of(enum names_kind kind, uint32_t number)
{
    for (size_t i = 0; i < tables[kind].count; i++)
        if (tables[kind].row[i].number == number)
            return tables[kind].row[i].name;
    return NULL;
}

bool names_find(enum names_kind kind, const char *name, uint32_t *number)
{
    for (size_t i = 0; i < tables[kind].count; i++) {
        if (!strcmp(tables[kind].row[i].name, name)) {
            *number = tables[kind].row[i].number;
            return true;
        }
    }
    return false;
}
