/* SPDX-License-Identifier: MIT */
/*
 * The segment tests: random instructions of 16- and 32-bit code in segments with limits, of each
 * kind, on the host's own CPU (segments32.c) and in ring 3 of a PC, by the interpreter and by the
 * translator. Registers, segment registers, flags less the undefined ones, all memory, the fault
 * and its error code must be the same.
 *
 *   segments [--runners interp|dbt] [--count N] [--seed N] [--show N] [--rows NAME,...]
 *
 * --count: cases of each row. Exit: 0 all agree, 1 some differ, 77 there is no native side.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/cpu/cpu.h"
#include "emu/cpu/pc/sysregs.h"
#include "testsuite/insn/compare.h"
#include "testsuite/insn/options.h"
#include "testsuite/insn/segments_gen.h"
#include "testsuite/insn/segments_pc.h"

#define EFLAGS_COMPARED (0x0cd5u | ISA_F_T | EFLAGS_NT | EFLAGS_AC)

struct bench {
    struct options options;
    struct segments_shared *native;
    struct segments_pc *pc;
    uint8_t (*ground)[SEGMENTS_BYTES]; /* what memory holds before a case */
    pid_t pid;
    int to_child, from_child;
    unsigned cases, failed, shown;
};

static int start_native(struct bench *b)
{
    char path[4096];
    int to[2], from[2], memory = memfd_create("segments", 0);
    snprintf(path, sizeof(path), "%s/insn/segments32", b->options.build);
    if (memory < 0 || ftruncate(memory, sizeof(*b->native)) || access(path, X_OK) || pipe(to) ||
        pipe(from))
        return -1;
    b->native = mmap(NULL, sizeof(*b->native), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (b->native == MAP_FAILED)
        return -1;
    b->pid = fork();
    if (b->pid == 0) {
        if (dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0 || (memory != 3 && dup2(memory, 3) < 0))
            _exit(127);
        for (int fd = 4; fd < 20; fd++)
            close(fd);
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    close(memory);
    b->to_child = to[1];
    b->from_child = from[0];
    uint8_t ready;
    return b->pid < 0 || read(b->from_child, &ready, 1) != 1 ? -1 : 0;
}

static bool run_native(struct bench *b)
{
    uint8_t byte = 0;
    return write(b->to_child, &byte, 1) == 1 && read(b->from_child, &byte, 1) == 1;
}

/* Memory as the cases of such rows want it: selectors everywhere, or anything. */
static void lay_ground(struct bench *b, bool selectors, struct rng *r)
{
    for (unsigned i = 0; i < SEGMENTS_REGIONS; i++) {
        for (unsigned at = 0; at < SEGMENTS_BYTES; at += 2) {
            uint16_t word = selectors ? segments_gen_selector(r) : (uint16_t)rng_next(r);
            memcpy(b->ground[i] + at, &word, 2);
        }
    }
    memset(b->ground[ISA_CS], 0xcc, SEGMENTS_BYTES);
}

static void restore(struct bench *b)
{
    for (unsigned i = 0; i < SEGMENTS_REGIONS; i++) {
        if (memcmp(b->native->region[i], b->ground[i], SEGMENTS_BYTES))
            memcpy(b->native->region[i], b->ground[i], SEGMENTS_BYTES);
        if (memcmp(segments_pc_region(b->pc, i), b->ground[i], SEGMENTS_BYTES))
            segments_pc_put(b->pc, i, 0, b->ground[i], SEGMENTS_BYTES);
    }
}

/* Of several stores one may have been done before the one that faulted. */
static bool may_be_torn(const struct segments_case *c, uint32_t vector)
{
    if (!c->insn.row || vector == CPU_BP)
        return false;
    switch (c->insn.row->sem) {
    case ISA_SEM_PUSHA:
    case ISA_SEM_POPA:
    case ISA_SEM_ENTER:
    case ISA_SEM_CALL:
    case ISA_SEM_CALL_FAR:
        return true;
    default:
        return false;
    }
}

struct outcome {
    struct segments_state state;
    uint32_t vector, error;
};

static bool differs(const char *what, uint32_t native, uint32_t ours, bool show)
{
    if (native != ours && show)
        printf("    %s: native %x, ours %x\n", what, native, ours);
    return native != ours;
}

static bool registers_differ(const struct outcome *native, const struct outcome *ours,
                             uint32_t undef, bool torn, bool show)
{
    static const char *const gprs[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    bool bad = differs("vector", native->vector, ours->vector, show);
    bad |= differs("error", native->error, ours->error, show);
    bad |= differs("eip", native->state.eip, ours->state.eip, show);
    bad |= differs("eflags", native->state.eflags & EFLAGS_COMPARED & ~undef,
                   ours->state.eflags & EFLAGS_COMPARED & ~undef, show);
    for (unsigned i = 0; i < 6; i++)
        bad |= differs(segs[i], native->state.seg[i], ours->state.seg[i], show);
    for (unsigned i = 0; i < 8 && !torn; i++)
        bad |= differs(gprs[i], native->state.gpr[i], ours->state.gpr[i], show);
    return bad;
}

static bool memory_differs(const struct bench *b, bool show)
{
    bool bad = false;
    for (unsigned i = 0; i < SEGMENTS_REGIONS; i++) {
        const uint8_t *native = b->native->region[i], *ours = segments_pc_region(b->pc, i);
        if (!memcmp(native, ours, SEGMENTS_BYTES))
            continue;
        for (unsigned at = 0; at < SEGMENTS_BYTES; at++) {
            if (native[at] == ours[at])
                continue;
            if (show)
                printf("    region %u at %x: native %02x, ours %02x\n", i, at, native[at],
                       ours[at]);
            bad = true;
            break;
        }
    }
    return bad;
}

static void show_case(const struct segments_case *c)
{
    const struct segments_state *s = &c->state;
    printf("%s:", c->insn.row ? c->insn.row->mnemonic : "(LOCK)");
    for (unsigned i = 0; i < c->len; i++)
        printf(" %02x", c->code[i]);
    printf("\n    eip %x eflags %x seg", s->eip, s->eflags);
    for (unsigned i = 0; i < 6; i++)
        printf(" %x", s->seg[i]);
    printf(" gpr");
    for (unsigned i = 0; i < 8; i++)
        printf(" %x", s->gpr[i]);
    printf("\n");
}

/* Where the pushed flags hold what is not compared. */
static bool pushes_flags(const struct segments_case *c)
{
    return c->insn.row && c->insn.row->sem == ISA_SEM_PUSHF;
}

static bool judge(struct bench *b, const struct segments_case *c, const struct outcome *ours)
{
    struct outcome native = {b->native->state, b->native->vector, b->native->error};
    uint32_t undef = c->insn.row ? compare_mask_of(c->state.gpr, &c->insn).undef : 0;
    bool torn = may_be_torn(c, native.vector);
    bool bad = registers_differ(&native, ours, undef, torn, false);
    if (!torn && !pushes_flags(c))
        bad |= memory_differs(b, false);
    if (!bad)
        return true;
    if (b->shown++ < b->options.show) {
        show_case(c);
        registers_differ(&native, ours, undef, torn, true);
        if (!torn)
            memory_differs(b, true);
    }
    return false;
}

static bool run_case(struct bench *b, const struct segments_case *c)
{
    struct outcome ours = {.state = c->state};
    memcpy(b->native->region[ISA_CS] + c->state.eip, c->code, c->len);
    segments_pc_put(b->pc, ISA_CS, c->state.eip, c->code, c->len);
    b->native->state = c->state;
    if (!run_native(b)) {
        printf("the native side has ended\n");
        show_case(c);
        return false;
    }
    segments_pc_run(b->pc, &ours.state, &ours.vector, &ours.error);
    b->cases++;
    b->failed += !judge(b, c, &ours);
    restore(b);
    return true;
}

static bool run_rows(struct bench *b, bool selectors, struct rng *r)
{
    lay_ground(b, selectors, r);
    restore(b);
    for (unsigned i = 0; i < isa_row_count; i++) {
        const struct isa_row *row = &isa_rows[i];
        struct segments_case c;
        if (!segments_gen_knows(row) || segments_gen_loads(row) != selectors ||
            !options_select(&b->options, row))
            continue;
        for (uint64_t n = 0; n < b->options.count; n++) {
            rng_seed(r, b->options.seed * 0x100000001u + i * 0x100000u + n);
            if (segments_gen_case(&c, row, r) && !run_case(b, &c))
                return false;
        }
    }
    return true;
}

static void stop_native(struct bench *b)
{
    close(b->to_child);
    kill(b->pid, SIGKILL);
    waitpid(b->pid, NULL, 0);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct rng r;
    if (!options_parse(&b.options, 40, argc, argv))
        return 2;
    const char *engine = strcmp(b.options.runners, "dbt") ? "interp" : "dbt";
    b.ground = calloc(SEGMENTS_REGIONS, sizeof(*b.ground));
    b.pc = segments_pc_create(engine);
    if (!b.pc || !b.ground) {
        printf("SKIP: the engine %s runs no PC here\n", engine);
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    if (start_native(&b)) {
        printf("SKIP: no native side (insn/segments32: a compiler with -m32, modify_ldt)\n");
        return 77;
    }
    rng_seed(&r, b.options.seed);
    bool good = run_rows(&b, false, &r) && run_rows(&b, true, &r);
    printf("%s: %u cases, %u differ\n", engine, b.cases, b.failed);
    stop_native(&b);
    segments_pc_destroy(b.pc);
    free(b.ground);
    return !good || b.failed || !b.cases;
}
