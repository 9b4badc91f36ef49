/* SPDX-License-Identifier: MIT */
/* Command lines of insn and fuzz, and the runners they ask for. */
#ifndef DENALI_INSN_OPTIONS_H
#define DENALI_INSN_OPTIONS_H

#include "emu/isa/isa.h"
#include "testsuite/insn/runner.h"

struct options {
    const char *runners; /* comma-separated */
    const char *rows;    /* names or ids, or NULL: all */
    const char *native;  /* path of the helper, or NULL: beside the build folder */
    const char *build;
    uint64_t seed;
    uint64_t count;
    unsigned show;
    int64_t only;     /* fuzz: number of the one program, or -1 */
    unsigned classes; /* fuzz: mask of enum program_class */
};

/* Defaults (--count's is given), then argv. Prints what is wrong and returns false. */
bool options_parse(struct options *o, uint64_t count, int argc, char **argv);

/* Whether --rows names this row. */
bool options_select(const struct options *o, const struct isa_row *row);

#define RUNNERS_MAX 9

struct runners {
    struct runner *native;
    struct runner *engine[RUNNERS_MAX];
    unsigned engines;
};

/* Opens them all: 0; 77 without a native runner, 2 if an engine is wanted and missing. */
int runners_open(struct runners *r, const struct options *o);
void runners_close(struct runners *r);

#endif
