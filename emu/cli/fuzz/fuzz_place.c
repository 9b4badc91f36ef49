/* SPDX-License-Identifier: MIT */
/* A small language: words between colons and commas. */
#include "emu/cli/fuzz/fuzz_place.h"

#include "emu/cli/run/run_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DISK (64 * KIB)
#define MAX_ARGUMENT 64u

static bool number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    *out = n;
    return *text >= '0' && *text <= '9' && !*end && !errno && n <= max;
}

int fuzz_place_address(const struct symbols *symbols, const char *text, uint32_t *out,
                       struct why *why)
{
    struct symbols_symbol symbol;
    uint64_t value;
    if (number(text, UINT32_MAX, &value)) {
        *out = (uint32_t)value;
        return 0;
    }
    if (!symbols_find(symbols, text, 0, &symbol))
        return why_fail(why, -ENOENT, "there is no symbol %s in the guest's files", text);
    *out = symbol.address;
    return 0;
}

static int place(const struct symbols *symbols, const char *text, struct fuzz_place *out,
                 struct why *why)
{
    static const char *const registers[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    uint64_t n;
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        if (!strcmp(text, registers[i])) {
            *out = (struct fuzz_place){FUZZ_REGISTER, i};
            return 0;
        }
    }
    if (!strncmp(text, "arg", 3) && number(text + 3, MAX_ARGUMENT, &n) && n) {
        *out = (struct fuzz_place){FUZZ_ARGUMENT, (uint32_t)n};
        return 0;
    }
    out->kind = FUZZ_ADDRESS;
    return fuzz_place_address(symbols, text, &out->value, why);
}

static int memory_way(const struct symbols *symbols, char *text, struct fuzz_way **out,
                      struct why *why)
{
    struct fuzz_place buffer = {FUZZ_NOWHERE, 0}, length = {FUZZ_NOWHERE, 0};
    uint64_t max = 0;
    char *rest = NULL;
    char *word = strtok_r(text, ",", &rest);
    int err = word ? place(symbols, word, &buffer, why)
                   : why_fail(why, -EINVAL, "--input memory:PLACE: where is the buffer?");
    while (!err && (word = strtok_r(NULL, ",", &rest))) {
        if (!strncmp(word, "len=", 4))
            err = place(symbols, word + 4, &length, why);
        else if (strncmp(word, "max=", 4) || !number(word + 4, FUZZ_INPUT_MAX, &max) || !max)
            err = why_fail(why, -EINVAL, "--input memory: what is \"%s\"? len=PLACE, max=BYTES",
                           word);
    }
    return err ? err : fuzz_memory_way(buffer, length, (uint32_t)max, out);
}

static int packet_way(const char *text, struct fuzz_way **out, struct why *why)
{
    uint64_t port = 0;
    enum fuzz_packet kind = FUZZ_FRAMES;
    if (!strncmp(text, "udp:", 4))
        kind = FUZZ_UDP;
    else if (!strncmp(text, "tcp:", 4))
        kind = FUZZ_TCP;
    else if (*text)
        return why_fail(why, -EINVAL,
                        "--input packet:%s: say packet, packet:udp:PORT, "
                        "packet:tcp:PORT",
                        text);
    if (kind != FUZZ_FRAMES && (!number(text + 4, 65535, &port) || !port))
        return why_fail(why, -EINVAL, "--input packet:%s: that is no port", text);
    return fuzz_packet_way(kind, (uint16_t)port, out);
}

static int disk_way(char *text, struct fuzz_way **out, struct why *why)
{
    uint64_t bytes = DEFAULT_DISK;
    char *comma = strchr(text, ',');
    if (comma) {
        *comma++ = 0;
        if (strncmp(comma, "size=", 5) || !run_options_size(comma + 5, &bytes) || !bytes ||
            bytes > GIB)
            return why_fail(why, -EINVAL, "--input disk: what is \"%s\"? size=64K, at most 1G",
                            comma);
    }
    if (!*text || strlen(text) > 15)
        return why_fail(why, -EINVAL, "--input disk:NAME: a name of 1 to 15 characters");
    bytes = (bytes + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
    return fuzz_disk_way(text, bytes, out);
}

static int way_of(const struct symbols *symbols, char *text, struct fuzz_way **out, struct why *why)
{
    char *colon = strchr(text, ':');
    char *rest = colon ? colon + 1 : text + strlen(text);
    if (colon)
        *colon = 0;
    if (!strcmp(text, "console") && !*rest)
        return fuzz_console_way(out);
    if (!strcmp(text, "memory"))
        return memory_way(symbols, rest, out, why);
    if (!strcmp(text, "packet"))
        return packet_way(rest, out, why);
    if (!strcmp(text, "disk"))
        return disk_way(rest, out, why);
    return why_fail(why, -EINVAL, "--input %s: there are console, memory:, packet and disk:", text);
}

int fuzz_place_way(const struct symbols *symbols, const char *text, struct fuzz_way **out,
                   struct why *why)
{
    char *copy = strdup(text ? text : "console");
    if (!copy)
        return why_fail(why, -ENOMEM, "no memory");
    int err = way_of(symbols, copy, out, why);
    free(copy);
    return err == -ENOMEM ? why_fail(why, err, "no memory") : err;
}
