/* SPDX-License-Identifier: MIT */
/* Keys of a terminal. */
#include "emu/test/keys.h"

#include <string.h>

struct key {
    const char *name, *bytes;
};

static const struct key named[] = {
    {"enter", "\r"},     {"tab", "\t"},         {"esc", "\033"},         {"backspace", "\177"},
    {"space", " "},      {"up", "\033[A"},      {"down", "\033[B"},      {"right", "\033[C"},
    {"left", "\033[D"},  {"home", "\033[1~"},   {"insert", "\033[2~"},   {"delete", "\033[3~"},
    {"end", "\033[4~"},  {"pageup", "\033[5~"}, {"pagedown", "\033[6~"}, {"f1", "\033OP"},
    {"f2", "\033OQ"},    {"f3", "\033OR"},      {"f4", "\033OS"},        {"f5", "\033[15~"},
    {"f6", "\033[17~"},  {"f7", "\033[18~"},    {"f8", "\033[19~"},      {"f9", "\033[20~"},
    {"f10", "\033[21~"}, {"f11", "\033[23~"},   {"f12", "\033[24~"},
};

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
    for (unsigned i = 0; i < ARRAY_LEN(named); i++) {
        if (!strcmp(named[i].name, name)) {
            size_t len = strlen(named[i].bytes);
            memcpy(bytes + escape, named[i].bytes, len);
            return escape + len;
        }
    }
    if (!name[0] || name[1])
        return 0;
    bytes[escape] = name[0];
    return escape + 1;
}

bool keys_known(const char *name)
{
    char bytes[KEYS_BYTES];
    return keys_bytes(name, bytes) != 0;
}
