/* SPDX-License-Identifier: MIT */
/* Standard input as the debugger's reader of commands, in the guest's place. */
#ifndef DENALI_CLI_DEBUG_INPUT_H
#define DENALI_CLI_DEBUG_INPUT_H

#include "emu/base/why.h"

#include <stdio.h>

/* Standard input becomes *out, and /dev/null takes its place. For the begin, before anything reads
 * from it. *out is the caller's to close. */
MUST_CHECK int debug_input_take(FILE **out, struct why *why);

#endif
