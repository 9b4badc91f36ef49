/* SPDX-License-Identifier: MIT */
/* What the files that run a test share. */
#ifndef DENALI_TEST_RUN_PRIVATE_H
#define DENALI_TEST_RUN_PRIVATE_H

#include "denali/record/record.h"
#include "emu/cli/run/run_boot.h"
#include "emu/cli/run/run_files.h"
#include "emu/debug/symbols/symbols.h"
#include "emu/test/booted.h"
#include "emu/test/cover.h"
#include "emu/test/net.h"
#include "emu/test/run.h"
#include "emu/test/script.h"
#include "emu/test/test_console.h"

#define RUN_DISKS (RUN_MAX_DISKS + 3)

struct runner {
    struct cover *cover;        /* NULL: nothing was covered yet */
    struct engine *engine[3];   /* enum engine_kind; made when first asked for */
    struct booted_shelf booted; /* PCs */
};

/* The engine of that name, with counted instructions. */
MUST_CHECK int runner_engine(struct runner *runner, const char *name, struct engine **out,
                             struct why *why);

/* A place that a test asks about: its address, and what was found when control first came there. */
struct run_place {
    const char *text;
    uint32_t address;
    bool known, reached;
};
#define RUN_PLACES 64u

/* One run of a guest of the Denali machine. */
struct run {
    struct runner *runner;
    const struct spec *spec;
    const struct run_wish *wish;
    struct outcome *out;

    struct run_options options;
    struct boot boot;
    char **argv;
    char *root; /* a folder that was made for it; NULL */
    struct vm_resource resource[RUN_DISKS];
    int memory_fd[RUN_DISKS]; /* of disks that are made here; -1 */
    unsigned resources;
    struct run_files files;
    struct symbols *symbols;
    struct engine *engine;
    struct record *record;
    struct vm *vm;
    struct run_pc *pc; /* or a PC */
    struct cpu *cpu;
    /* Bytes at a linear address; false: there is no such memory. */
    bool (*read)(struct run *run, uint32_t address, void *out, size_t len);

    struct test_net *net; /* NULL: it has no NIC */
    struct script script;
    struct test_console console;
    bool skipped; /* it cannot be had here: `why` tells */
    bool stopped; /* by a step of the script */
    struct run_place place[RUN_PLACES];
    unsigned places;
    uint64_t start_ns; /* of the guest's time */
    uint64_t began_ns; /* of the host's */
    struct why why;
};

/* run_disks.c */
MUST_CHECK int run_open_disks(struct run *run);
void run_close_disks(struct run *run);
/* Bytes of a disk as it is now. -ENOENT; -EFBIG: more than RUN_LOOK_MOST. */
#define RUN_LOOK_MOST (256 * MIB)
MUST_CHECK int run_read_disk(struct run *run, const char *name, uint64_t at, uint64_t len,
                             struct buffer *out);
/* A sum over all disks that the guest could write. */
uint64_t run_sum_disks(struct run *run);

/* run_pc.c: a PC, from power-on to what was expected of it. */
void run_pc(struct run *run);
/* Bytes of its disk ("hda", "fdb", "cdrom") as it is now. -ENOENT. */
MUST_CHECK int run_pc_read_disk(const struct run *run, const char *name, uint64_t at, uint64_t len,
                                struct buffer *out);

struct vga;
/* picture.c: the screen against a golden picture; it is kept if the test failed. */
void run_check_picture(struct run *run, const struct vga *vga);

/* run_files_root.c: the files that the test gives its program. */
MUST_CHECK int run_make_root(struct run *run);
MUST_CHECK int run_settle_root(struct run *run); /* once it is packed */
void run_drop_root(struct run *run);

/* run_loop.c: to the guest's end, or what else ends the test. */
void run_loop(struct run *run);

/* run_place.c: addresses, and the values there. */
void run_find_places(struct run *run);
void run_arrived(struct run *run); /* at a breakpoint */
bool run_find_address(struct run *run, const char *text, uint32_t *out);
void run_check_value(struct run *run, const struct spec_value *value);

/* run_check.c: the guest has ended: what was expected of it. */
void run_check(struct run *run);
void run_check_pc(struct run *run);
/* A Linux program's status that Ilwaco could only tell in words, or its signal. */
void run_read_status(struct run *run);
/* The end by itself (an exit status) is told in words. */
void run_tell_end(struct outcome *out, enum outcome_end end, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
