/* SPDX-License-Identifier: MIT */
/* What became of one test: plain data that goes from the process that ran it to the one that
 * tells. */
#ifndef DENALI_TEST_OUTCOME_H
#define DENALI_TEST_OUTCOME_H

#include "emu/test/buffer.h"
#include "emu/test/spec.h"

/* How the guest ended. */
enum outcome_end {
    END_NOT_RUN,      /* it could not be run at all: end_text says why */
    END_EXIT,         /* by itself: status (of a PC: powered off, or by its exit port) */
    END_SIGNAL,       /* a Linux program, of a signal: its number is the status */
    END_FAULT,        /* `report` tells of it */
    END_STOPPED,      /* by its script, as the test wants it */
    END_HANG,         /* it waits for what will never come */
    END_INSTRUCTIONS, /* max-instructions */
    END_SECONDS,      /* timeout */
    END_OUTPUT,       /* max-output */
    END_ENGINE,       /* the engines differ, or the verifier refused */
    END_HOST,         /* denali or the host failed */
};

enum outcome_verdict {
    VERDICT_PASSED,
    VERDICT_FAILED,
    VERDICT_SKIPPED,
    VERDICT_KNOWN,      /* failed, as xfail says */
    VERDICT_UNEXPECTED, /* passed, but xfail says that it fails: counts as failed */
    VERDICTS
};

struct outcome_golden {
    const char *path; /* the specification's, or `owned` */
    char *owned;
    struct buffer actual;
    bool picture; /* not text: `actual` is a PNG file */
};
#define OUTCOME_GOLDENS 16u

struct outcome {
    enum outcome_verdict verdict;
    enum outcome_end end;
    uint64_t status, signal;
    uint64_t instructions, guest_ns, host_ns;
    uint64_t sum;      /* over the machine's whole state at the end; 0: not taken */
    uint64_t world;    /* over frames that it sent and what it wrote to disks */
    uint64_t wrong_at; /* instructions, when stdout first was what it should not be; 0: not known */
    uint64_t failed;   /* expectations that did not come true */
    struct buffer end_text; /* one line */
    struct buffer why;      /* one line or more for each failure; or of skipping */
    struct buffer out, err, all, serial, screen; /* what it said; `all`: out and err as they came */
    struct buffer picture; /* of a PC that failed: its last screen, a PNG file */
    struct buffer report;  /* registers and stack at a fault */
    struct buffer story;   /* told after a failure */
    struct buffer folder;  /* of artifacts; empty: none */
    struct outcome_golden golden[OUTCOME_GOLDENS]; /* that differ */
    unsigned goldens;
    bool booted;       /* it went on from another test's boot, which saved time */
    bool only_goldens; /* failed, but by nothing else than these */
};

void outcome_free(struct outcome *outcome);
/* One more expectation did not come true: a line (or more). */
void outcome_fail(struct outcome *outcome, const char *fmt, ...) PRINTF_LIKE(2, 3);
void outcome_add_golden(struct outcome *outcome, const char *path, const void *actual, size_t len,
                        bool picture);

/* Between processes. False: it is not whole. */
void outcome_pack(const struct outcome *outcome, struct buffer *out);
bool outcome_unpack(struct buffer_reader *in, struct outcome *out);

/* Whether a guest did the same again; else what differs first, into `what`. */
bool outcome_same(const struct outcome *a, const struct outcome *b, struct buffer *what);
uint64_t outcome_sum(const struct outcome *outcome); /* equal for equal outcomes */

const char *outcome_verdict_name(enum outcome_verdict verdict);
const char *outcome_end_name(enum outcome_end end);
bool outcome_is_bad(const struct outcome *outcome);

#endif
