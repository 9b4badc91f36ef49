/* SPDX-License-Identifier: MIT */
/* The console of a guest that is fuzzed: its input is given whole, the end of its output is kept.
 */
#ifndef DENALI_FUZZ_CONSOLE_H
#define DENALI_FUZZ_CONSOLE_H

#include "devices/console.h"

#define FUZZ_TAIL 4096u

struct fuzz_console {
    struct console_backend base;
    const uint8_t *in;
    size_t in_len, in_at;
    bool open;  /* more may come: a read that finds nothing waits */
    bool asked; /* the guest has read what there was, and asked for more */
    char tail[FUZZ_TAIL];
    uint64_t written; /* bytes in all; the last FUZZ_TAIL are in `tail`, which is a ring */
};

/* Without input: at its end. */
void fuzz_console_init(struct fuzz_console *console);
/* The output is forgotten, and the input is this, which is not copied, and then its end. */
void fuzz_console_give(struct fuzz_console *console, const uint8_t *in, size_t len);
/* The end of the output as a string, in `out`. */
void fuzz_console_tail(const struct fuzz_console *console, char out[FUZZ_TAIL + 1]);

#endif
