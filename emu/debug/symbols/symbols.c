/* SPDX-License-Identifier: MIT */
/*
 * The set of modules, and the questions that ELF symbols alone answer. A
 * module is looked at with addresses of its file; the bias is taken off on the
 * way in and put on again on the way out.
 */
#include "emu/debug/symbols/symbols_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (512 * MIB)
/* Symbols that may lie between an address and the one that holds it. */
#define MAX_NESTED 64

int symbols_create(struct symbols **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

static void free_module(struct symbols_module *m)
{
    symbols_dwarf_close(m);
    free(m->entry);
    free(m->bytes);
    free(m->path);
    free(m);
}

void symbols_destroy(struct symbols *s)
{
    for (unsigned i = 0; s && i < s->modules; i++)
        free_module(s->module[i]);
    if (s)
        free(s->module);
    free(s);
}

static int append(struct symbols *s, struct symbols_module *m)
{
    struct symbols_module **bigger = realloc(s->module, (s->modules + 1) * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    s->module = bigger;
    s->module[s->modules++] = m;
    return 0;
}

int symbols_add_bytes(struct symbols *s, const char *name, uint8_t *bytes, size_t len,
                      uint32_t bias, struct why *why)
{
    struct symbols_module *m = calloc(1, sizeof(*m));
    uint8_t *ended = realloc(bytes, len + 1);
    if (!m || !ended) {
        free(ended ? ended : bytes);
        free(m);
        return why_fail(why, -ENOMEM, "no memory for the symbols of %s", name);
    }
    ended[len] = 0;
    *m = (struct symbols_module){.path = strdup(name), .bytes = ended, .len = len, .bias = bias};
    int err = m->path ? symbols_elf_read(m, why) : why_fail(why, -ENOMEM, "no memory");
    if (!err && append(s, m))
        err = why_fail(why, -ENOMEM, "no memory");
    if (err)
        free_module(m);
    return err;
}

static int read_all(int fd, uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(fd, bytes + at, len - at, (off_t)at);
        if (n <= 0)
            return n ? -errno : -EIO;
        at += (size_t)n;
    }
    return 0;
}

static int read_file(int fd, const char *path, uint8_t **bytes, size_t *len, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st))
        return why_fail(why, -errno, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_FILE_BYTES)
        return why_fail(why, -ENOEXEC, "%s is no file of a reasonable size", path);
    *len = (size_t)st.st_size;
    *bytes = malloc(*len + 1);
    int err = *bytes ? read_all(fd, *bytes, *len) : -ENOMEM;
    if (err) {
        free(*bytes);
        return why_fail(why, err, "cannot read %s: %s", path, strerror(-err));
    }
    return 0;
}

int symbols_add_copy(struct symbols *s, const char *path, const char *place, uint32_t bias,
                     struct why *why)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int fd = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return why_fail(why, -errno, "cannot open %s: %s", path, strerror(errno));
    int err = read_file(fd, path, &bytes, &len, why);
    close(fd);
    return err ? err : symbols_add_bytes(s, path, bytes, len, bias, why);
}

int symbols_add(struct symbols *s, const char *path, uint32_t bias, struct why *why)
{
    return symbols_add_copy(s, path, path, bias, why);
}

void symbols_remove(struct symbols *s, const char *path)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->modules; i++) {
        if (strcmp(s->module[i]->path, path))
            s->module[kept++] = s->module[i];
        else
            free_module(s->module[i]);
    }
    s->modules = kept;
}

const struct symbols_module *symbols_module(const struct symbols *s, unsigned n)
{
    return n < s->modules ? s->module[n] : NULL;
}

const char *symbols_module_path(const struct symbols_module *m)
{
    return m->path;
}

void symbols_module_range(const struct symbols_module *m, uint32_t *low, uint32_t *high,
                          uint32_t *bias)
{
    *low = m->low + m->bias;
    *high = m->high + m->bias;
    *bias = m->bias;
}

size_t symbols_module_count(const struct symbols_module *m)
{
    return m->entries;
}

bool symbols_code_range(const struct symbols *s, unsigned n, uint32_t *low, uint32_t *high)
{
    for (unsigned i = 0; i < s->modules; n -= s->module[i++]->codes) {
        const struct symbols_module *m = s->module[i];
        if (n >= m->codes)
            continue;
        *low = m->code[n].low + m->bias;
        *high = m->code[n].high + m->bias;
        return true;
    }
    return false;
}

struct symbols_module *symbols_module_at(const struct symbols *s, uint32_t address)
{
    for (unsigned i = 0; i < s->modules; i++) {
        uint32_t a = address - s->module[i]->bias;
        if (a >= s->module[i]->low && a < s->module[i]->high)
            return s->module[i];
    }
    return NULL;
}

/* How many entries begin at or before the address. */
static size_t count_up_to(const struct symbols_module *m, uint32_t address)
{
    size_t low = 0, high = m->entries;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->entry[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void tell(const struct symbols_module *m, const struct symbols_entry *e,
                 struct symbols_symbol *out)
{
    *out = (struct symbols_symbol){.name = symbols_entry_name(m, e),
                                   .module = m->path,
                                   .address = e->address + m->bias,
                                   .size = e->size,
                                   .function = e->type == STT_FUNC};
}

static bool holds(const struct symbols_entry *e, uint32_t address)
{
    return e->section != SHN_ABS && address - e->address < e->reach;
}

bool symbols_at(const struct symbols *s, uint32_t address, struct symbols_symbol *out)
{
    const struct symbols_module *m = symbols_module_at(s, address);
    size_t n = m ? count_up_to(m, address - m->bias) : 0;
    for (size_t i = 0; i < n && i < MAX_NESTED; i++) {
        const struct symbols_entry *e = &m->entry[n - 1 - i];
        if (holds(e, address - m->bias)) {
            tell(m, e, out);
            return true;
        }
    }
    return false;
}

static bool find_kind(const struct symbols *s, const char *name, bool function, unsigned *n,
                      struct symbols_symbol *out)
{
    for (unsigned i = 0; i < s->modules; i++) {
        const struct symbols_module *m = s->module[i];
        for (size_t k = 0; k < m->entries; k++) {
            const struct symbols_entry *e = &m->entry[k];
            if ((e->type == STT_FUNC) != function || strcmp(symbols_entry_name(m, e), name))
                continue;
            if ((*n)--)
                continue;
            tell(m, e, out);
            return true;
        }
    }
    return false;
}

bool symbols_find(const struct symbols *s, const char *name, unsigned n, struct symbols_symbol *out)
{
    return find_kind(s, name, true, &n, out) || find_kind(s, name, false, &n, out);
}

void symbols_each(const struct symbols *s, const char *prefix,
                  bool (*fn)(void *opaque, const struct symbols_symbol *symbol), void *opaque)
{
    size_t len = strlen(prefix);
    for (unsigned i = 0; i < s->modules; i++) {
        const struct symbols_module *m = s->module[i];
        for (size_t k = 0; k < m->entries; k++) {
            struct symbols_symbol symbol;
            if (strncmp(symbols_entry_name(m, &m->entry[k]), prefix, len))
                continue;
            tell(m, &m->entry[k], &symbol);
            if (!fn(opaque, &symbol))
                return;
        }
    }
}

const char *symbols_text(const struct symbols *s, uint32_t address, char text[SYMBOLS_TEXT])
{
    struct symbols_symbol symbol;
    text[0] = 0;
    if (!symbols_at(s, address, &symbol))
        return text;
    if (address == symbol.address)
        snprintf(text, SYMBOLS_TEXT, " <%.140s>", symbol.name);
    else
        snprintf(text, SYMBOLS_TEXT, " <%.140s+0x%x>", symbol.name, address - symbol.address);
    for (char *c = text; *c; c++)
        if ((uint8_t)*c < ' ' || *c == 127)
            *c = '?';
    return text;
}
