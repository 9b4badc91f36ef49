/* SPDX-License-Identifier: MIT */
/*
 * Places in the guest's code and memory, by symbols, source lines or numbers; and values there. A
 * place in code is a breakpoint, which the guest does not notice, until control first comes there.
 */
#include "emu/test/run_private.h"

#include "emu/cpu/debug.h"

#include <stdlib.h>
#include <string.h>

static const char *const registers[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

/* Read when first asked for. */
static struct symbols *symbols(struct run *run)
{
    struct why why;
    if (run->symbols || symbols_create(&run->symbols))
        return run->symbols;
    for (unsigned i = 0; i < run->files.count; i++) {
        if (symbols_add(run->symbols, run->files.file[i].path, run->files.file[i].offset, &why))
            continue; /* then it has none */
    }
    return run->symbols;
}

static bool find_line(struct run *run, const char *text, const char *colon, uint32_t *out)
{
    char file[256];
    int line = atoi(colon + 1);
    if ((size_t)(colon - text) >= sizeof(file))
        return false;
    memcpy(file, text, (size_t)(colon - text));
    file[colon - text] = 0;
    return symbols_line_addresses(symbols(run), file, &line, out, 1) > 0;
}

static bool find_symbol(struct run *run, const char *text, uint32_t *out)
{
    struct symbols_symbol found;
    const char *plus = strchr(text, '+');
    char name[256];
    size_t len = plus ? (size_t)(plus - text) : strlen(text);
    if (len >= sizeof(name))
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    if (!symbols_find(symbols(run), name, 0, &found))
        return false;
    *out = found.address + (plus ? (uint32_t)strtoul(plus + 1, NULL, 0) : 0);
    return true;
}

bool run_find_address(struct run *run, const char *text, uint32_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 0);
    const char *colon = strrchr(text, ':');
    if (end != text && !*end) {
        *out = (uint32_t)n;
        return n <= UINT32_MAX;
    }
    if (!symbols(run))
        return false;
    return colon ? find_line(run, text, colon, out) : find_symbol(run, text, out);
}

/* ---- places in code ---- */

static void add_place(struct run *run, const char *text)
{
    struct run_place *p = &run->place[run->places];
    for (unsigned i = 0; i < run->places; i++) {
        if (!strcmp(run->place[i].text, text))
            return;
    }
    if (run->places == RUN_PLACES)
        return;
    run->places++;
    p->text = text;
    p->known = run_find_address(run, text, &p->address);
    if (p->known && cpu_debug_break(run->cpu, p->address))
        p->known = false;
}

void run_find_places(struct run *run)
{
    const struct spec_expect *e = &run->spec->expect;
    unsigned wanted = e->reached.count + e->not_reached.count;
    for (unsigned i = 0; i < e->values; i++)
        wanted += e->value[i].at != NULL;
    if (!wanted || !run->wish->check || cpu_debug_open(run->cpu))
        return;
    for (unsigned i = 0; i < e->values; i++) {
        if (e->value[i].at)
            add_place(run, e->value[i].at);
    }
    for (unsigned i = 0; i < e->reached.count; i++)
        add_place(run, e->reached.item[i].data);
    for (unsigned i = 0; i < e->not_reached.count; i++)
        add_place(run, e->not_reached.item[i].data);
}

static void check_values(struct run *run, const char *at)
{
    const struct spec_expect *e = &run->spec->expect;
    for (unsigned i = 0; i < e->values; i++) {
        if (e->value[i].at && !strcmp(e->value[i].at, at))
            run_check_value(run, &e->value[i]);
    }
}

void run_arrived(struct run *run)
{
    struct cpu *cpu = run->cpu;
    for (unsigned i = 0; i < run->places; i++) {
        struct run_place *p = &run->place[i];
        if (!p->known || p->reached || p->address != cpu->eip)
            continue;
        p->reached = true;
        (void)cpu_debug_unbreak(cpu, p->address);
        check_values(run, p->text);
    }
}

/* ---- values ---- */

static bool read_register(struct run *run, const char *name, uint64_t *out)
{
    const struct cpu *cpu = run->cpu;
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        if (!strcmp(registers[i], name)) {
            *out = cpu->gpr[i];
            return true;
        }
    }
    *out = !strcmp(name, "eip") ? cpu->eip : cpu->eflags;
    return !strcmp(name, "eip") || !strcmp(name, "eflags");
}

/* False, and it is told: there is nothing to read. */
static bool read_memory(struct run *run, const struct spec_value *v, void *out, size_t len)
{
    uint32_t address;
    if (!run_find_address(run, v->where, &address))
        outcome_fail(run->out, "the symbol %s is not known", v->where);
    else if (!run->read(run, address, out, len))
        outcome_fail(run->out, "there is no memory at %s", v->where);
    else
        return true;
    return false;
}

static bool read_number(struct run *run, const struct spec_value *v, uint64_t *out)
{
    *out = 0;
    if (v->what == WHAT_REGISTER) {
        if (read_register(run, v->where, out))
            return true;
        outcome_fail(run->out, "there is no register %s", v->where);
        return false;
    }
    return read_memory(run, v, out, v->size); /* both are little-endian */
}

/* What is written with a sign is compared as wide as the place is. */
static uint64_t cut(uint64_t n, unsigned size)
{
    return size == 8 ? n : n & (((uint64_t)1 << (8 * size)) - 1);
}

static void check_bytes(struct run *run, const struct spec_value *v, const char *at)
{
    const uint8_t *want = (const void *)v->bytes.data;
    uint8_t *bytes = malloc(v->bytes.len + 1);
    bool good = bytes && read_memory(run, v, bytes, v->bytes.len);
    for (size_t i = 0; good && i < v->bytes.len; i++) {
        if (bytes[i] != want[i]) {
            outcome_fail(run->out, "memory at %s, %s: byte %zu is 0x%02x, not 0x%02x", v->where, at,
                         i, bytes[i], want[i]);
            break;
        }
    }
    free(bytes);
}

void run_check_value(struct run *run, const struct spec_value *v)
{
    const char *at = v->at ? v->at : "at the end";
    uint64_t n;
    if (v->bytes.data) {
        check_bytes(run, v, at);
        return;
    }
    if (!read_number(run, v, &n))
        return;
    if (v->has_equals && n != cut(v->equals, v->size))
        outcome_fail(run->out, "%s, %s: %llu (0x%llx), not %llu (0x%llx)", v->where, at,
                     (unsigned long long)n, (unsigned long long)n,
                     (unsigned long long)cut(v->equals, v->size),
                     (unsigned long long)cut(v->equals, v->size));
    if (v->has_least && n < v->least)
        outcome_fail(run->out, "%s, %s: %llu, less than %llu", v->where, at, (unsigned long long)n,
                     (unsigned long long)v->least);
    if (v->has_most && n > v->most)
        outcome_fail(run->out, "%s, %s: %llu, more than %llu", v->where, at, (unsigned long long)n,
                     (unsigned long long)v->most);
}
