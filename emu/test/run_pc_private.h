/* SPDX-License-Identifier: MIT */
/* What the files that run a PC under test share. */
#ifndef DENALI_TEST_RUN_PC_PRIVATE_H
#define DENALI_TEST_RUN_PC_PRIVATE_H

#include "devices/pc/machine_pc.h"
#include "emu/cli/pc/pc_resources.h"
#include "emu/test/run_private.h"

/* What the guest says on one line. */
struct run_pc_line {
    int fd; /* memory that the guest's output goes to */
    size_t seen;
    struct serial_backend *serial;
    struct buffer *text;
};

struct run_pc {
    struct pc_options options;
    struct pc_resources resources;
    char memory[32];
    const char *engine_name;
    struct engine *engine;
    struct pc *pc;
    struct run_pc_line com, debugcon;
    int input[2]; /* of the serial line */
    char *screen; /* as last told to the script */
    enum pc_state state;
    unsigned turns;
    size_t typed;
    unsigned key;  /* of a step's keys: the next */
    unsigned held; /* a key that was typed and is still down; 0: none */
    uint64_t next_key_ns;
    bool stopped;
    /* run_pc_booted.c */
    unsigned boot_step; /* at the first thing that this step does the machine has booted */
    bool is_booted;     /* it was there */
};

/* run_pc_booted.c: the machine goes on where another one with the same boot had got to, if there is
 * such a one. 0, or a negative errno and the run's `why`: it is of no use any more. */
MUST_CHECK int run_pc_resume(struct run *run);
/* Before a step acts: it may be where others could go on. */
void run_pc_keep(struct run *run);

/* run_pc_disks.c: what was written to them, for a machine with the same ones. */
MUST_CHECK int run_pc_save_disks(const struct run *run, struct buffer *to);
MUST_CHECK int run_pc_load_disks(const struct run *run, struct buffer_reader *from);
uint64_t run_pc_sum_disks(const struct run *run);

#endif
