/* SPDX-License-Identifier: MIT */
/* Names of what a guest asks for by number. */
#ifndef DENALI_DEBUG_NAMES_H
#define DENALI_DEBUG_NAMES_H

#include "emu/base/base.h"

enum names_kind {
    NAMES_SYSCALL,   /* Linux's calls on i386 */
    NAMES_HYPERCALL, /* virtual instructions */
    NAMES_INTERRUPT, /* bits of the interrupts of a Denali VM */
};

/* NULL: that number has no name. */
const char *names_of(enum names_kind kind, uint32_t number);
bool names_find(enum names_kind kind, const char *name, uint32_t *number);

#endif
