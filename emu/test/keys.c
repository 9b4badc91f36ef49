/* SPDX-License-Identifier: MIT */
/* Keys of a terminal. */
#include "emu/test/keys.h"

#include "devices/pc/i8042.h"

#include <string.h>

struct key {
    const char *name, *bytes;
    unsigned code; /* of scan code set 1; 80h more: behind E0h */
};

static const struct key named[] = {
    {"enter", "\r", 0x1c},       {"tab", "\t", 0x0f},         {"esc", "\033", 0x01},
    {"backspace", "\177", 0x0e}, {"space", " ", 0x39},        {"up", "\033[A", 0xc8},
    {"down", "\033[B", 0xd0},    {"right", "\033[C", 0xcd},   {"left", "\033[D", 0xcb},
    {"home", "\033[1~", 0xc7},   {"insert", "\033[2~", 0xd2}, {"delete", "\033[3~", 0xd3},
    {"end", "\033[4~", 0xcf},    {"pageup", "\033[5~", 0xc9}, {"pagedown", "\033[6~", 0xd1},
    {"f1", "\033OP", 0x3b},      {"f2", "\033OQ", 0x3c},      {"f3", "\033OR", 0x3d},
    {"f4", "\033OS", 0x3e},      {"f5", "\033[15~", 0x3f},    {"f6", "\033[17~", 0x40},
    {"f7", "\033[18~", 0x41},    {"f8", "\033[19~", 0x42},    {"f9", "\033[20~", 0x43},
    {"f10", "\033[21~", 0x44},   {"f11", "\033[23~", 0x57},   {"f12", "\033[24~", 0x58},
};

static const struct key *find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(named); i++) {
        if (!strcmp(named[i].name, name))
            return &named[i];
    }
    return NULL;
}

static const struct modifier {
    const char *name;
    unsigned code;
} modifiers[] = {{"ctrl-", 0x1d}, {"alt-", 0x38}, {"shift-", 0x2a}};

/* Takes one off the beginning of the name; 0: there is none. */
static unsigned take_modifier(const char **name)
{
    for (unsigned i = 0; i < ARRAY_LEN(modifiers); i++) {
        size_t len = strlen(modifiers[i].name);
        if (!strncmp(*name, modifiers[i].name, len) && (*name)[len]) {
            *name += len;
            return modifiers[i].code;
        }
    }
    return 0;
}

unsigned keys_codes(const char *name, unsigned code[KEYS_CHORD])
{
    unsigned n = 0, modifier;
    while (n < KEYS_CHORD - 2 && (modifier = take_modifier(&name)) != 0)
        code[n++] = modifier;
    const struct key *key = find(name);
    unsigned last = key ? key->code : !name[1] ? i8042_key_of((uint8_t)name[0]) : 0;
    if (last & I8042_SHIFT)
        code[n++] = 0x2a;
    if (last)
        code[n++] = last & ~I8042_SHIFT;
    return last ? n : 0;
}

size_t keys_bytes(const char *name, char bytes[KEYS_BYTES])
{
    size_t escape = 0;
    if (!strncmp(name, "alt-", 4)) {
        bytes[escape++] = '\033';
        name += 4;
    }
    if (!strncmp(name, "ctrl-", 5) && name[5] && !name[6]) {
        bytes[escape] = (char)(name[5] & 0x1f);
        return escape + 1;
    }
    const struct key *key = find(name);
    if (key) {
        size_t len = strlen(key->bytes);
        memcpy(bytes + escape, key->bytes, len);
        return escape + len;
    }
    if (!name[0] || name[1])
        return 0;
    bytes[escape] = name[0];
    return escape + 1;
}

bool keys_known(const char *name)
{
    char bytes[KEYS_BYTES];
    unsigned code[KEYS_CHORD];
    return *name && (keys_bytes(name, bytes) || keys_codes(name, code));
}
