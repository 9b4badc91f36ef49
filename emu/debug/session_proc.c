/* SPDX-License-Identifier: MIT */
/*
 * What gdb looks up in /proc of a Linux program (`info proc`, core files), by
 * the variables of Ilwaco under it, evaluated inside the functions whose
 * files' statics they are. All is the guest's memory and may be nonsense: what
 * cannot be read is left out, and every walk is bounded.
 */
#include "emu/debug/monitor.h"
#include "emu/debug/session_run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RANGES 4096u
#define MAX_DEPTH 64u /* of a path */
#define MAX_TEXT 0x20000u
#define PATH_ROOM 1024u

struct proc {
    struct target *target;
    struct expr_context context;
    FILE *out;
};

/* What follows is evaluated as if inside this function of the kernel. */
static bool enter(struct proc *p, const char *function)
{
    struct symbols_symbol symbol;
    bool known = symbols_find(p->context.source.symbols, function, 0, &symbol);
    if (known)
        p->context.frame.eip = p->context.frame.where = symbol.address;
    return known;
}

PRINTF_LIKE(3, 4)
static bool number(struct proc *p, uint32_t *out, const char *fmt, ...)
{
    char text[128];
    int64_t n;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (expr_number(&p->context, text, NULL, &n, NULL))
        return false;
    *out = (uint32_t)n;
    return true;
}

/* A text of the guest's, as far as there is room and nothing in it would break a line. */
static void read_text(struct proc *p, uint32_t at, char *out, size_t room)
{
    size_t n = 0;
    char c;
    while (n + 1 < room && !p->target->ops->read(p->target, TARGET_LINEAR, at + n, &c, 1) && c)
        out[n++] = c < ' ' && c > 0 ? '?' : c;
    out[n] = 0;
}

/* The path of a dentry: names from there to the root, put one before the other. */
static void read_path(struct proc *p, uint32_t dentry, char out[PATH_ROOM])
{
    char name[256];
    uint32_t parent, at;
    size_t len, begin = PATH_ROOM - 1;
    char path[PATH_ROOM];
    path[begin] = 0;
    for (unsigned depth = 0; dentry && depth < MAX_DEPTH; depth++, dentry = parent) {
        if (!number(p, &parent, "(u32)((struct dentry *)0x%x)->parent", dentry) ||
            !number(p, &at, "(u32)&((struct dentry *)0x%x)->name", dentry))
            break;
        read_text(p, at, name, sizeof(name));
        len = strlen(name);
        if (!parent && !depth && len) { /* outside the tree: its name is its path */
            snprintf(out, PATH_ROOM, "%s", name);
            return;
        }
        if (!parent || len + 1 > begin)
            break;
        begin -= len;
        memcpy(path + begin, name, len);
        path[--begin] = '/';
    }
    snprintf(out, PATH_ROOM, "%s", path[begin] ? path + begin : "/");
}

/* One range, as Linux's /proc/PID/maps has it. */
static bool put_range(struct proc *p, uint32_t i)
{
    uint32_t start, end, prot, kind, shared, dentry, offset, heap, stack, kernel;
    char name[PATH_ROOM] = "";
    if (!number(p, &start, "map.list[%u].start", i) || !number(p, &end, "map.list[%u].end", i) ||
        !number(p, &prot, "map.list[%u].prot", i) || !number(p, &kind, "map.list[%u].kind", i) ||
        !number(p, &shared, "map.list[%u].shared", i) || !number(p, &kernel, "VMA_KERNEL") ||
        !number(p, &dentry, "(u32)map.list[%u].dentry", i) || !number(p, &heap, "VMA_HEAP") ||
        !number(p, &offset, "map.list[%u].offset", i) || !number(p, &stack, "VMA_STACK"))
        return false;
    if (kind == kernel)
        return true;
    if (dentry)
        read_path(p, dentry, name);
    else if (kind == heap || kind == stack)
        snprintf(name, sizeof(name), "%s", kind == heap ? "[heap]" : "[stack]");
    fprintf(p->out, "%08x-%08x %c%c%c%c %08x %s %u %*s%s\n", start, end, prot & 1 ? 'r' : '-',
            prot & 2 ? 'w' : '-', prot & 4 ? 'x' : '-', shared ? 's' : 'p', offset,
            dentry ? "00:15" : "00:00", dentry ? 1 : 0, name[0] ? 26 : 0, "", name);
    return true;
}

static bool put_maps(struct proc *p)
{
    uint32_t count;
    if (!enter(p, "vma_at") || !number(p, &count, "map.count"))
        return false;
    for (uint32_t i = 0; i < count && i < MAX_RANGES && put_range(p, i); i++)
        ;
    return true;
}

/* Texts that lie one behind the other from exec_stack's `info`.FROM to .TO. */
static bool put_strings(struct proc *p, const char *from, const char *to)
{
    uint32_t start, end;
    if (!enter(p, "exec_stack") || !number(p, &start, "info.%s", from) ||
        !number(p, &end, "info.%s", to) || end <= start || end - start > MAX_TEXT)
        return false;
    char *bytes = malloc(end - start);
    bool good = bytes && !p->target->ops->read(p->target, TARGET_LINEAR, start, bytes, end - start);
    if (good)
        fwrite(bytes, 1, end - start, p->out);
    free(bytes);
    return good;
}

static bool put_arguments(struct proc *p)
{
    return put_strings(p, "args_start", "args_end");
}

static bool put_environment(struct proc *p)
{
    return put_strings(p, "env_start", "env_end");
}

static bool put_working_directory(struct proc *p)
{
    char path[PATH_ROOM];
    uint32_t dentry;
    if (!enter(p, "vfs_cwd") || !number(p, &dentry, "(u32)cwd"))
        return false;
    read_path(p, dentry, path);
    fputs(path, p->out);
    return true;
}

static bool put_program(struct proc *p)
{
    char path[PATH_ROOM];
    uint32_t dentry;
    if (!enter(p, "exec_stack") || !number(p, &dentry, "(u32)info.dentry"))
        return false;
    read_path(p, dentry, path);
    fputs(path, p->out);
    return true;
}

bool monitor_gdb_proc(void *opaque, struct target *target, const char *name, FILE *out)
{
    static const struct {
        const char *name;
        bool (*put)(struct proc *p);
    } files[] = {
        {"maps", put_maps},   {"cmdline", put_arguments},     {"environ", put_environment},
        {"exe", put_program}, {"cwd", put_working_directory},
    };
    struct session_vm *vm = session_vm(opaque, target);
    struct proc p = {.target = target, .out = out};
    if (!vm || !vm->symbols)
        return false;
    p.context.source = (struct frame_source){target, vm->symbols};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (!strcmp(name, files[i].name))
            return files[i].put(&p);
    return false;
}
