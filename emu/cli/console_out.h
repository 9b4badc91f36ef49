/* SPDX-License-Identifier: MIT */
/* A console for one of several VMs on one terminal: it writes there, and its input has ended. */
#ifndef DENALI_CONSOLE_OUT_H
#define DENALI_CONSOLE_OUT_H

#include "devices/console.h"

/* `inner` outlives it. -ENOMEM. */
MUST_CHECK int console_out_create(struct console_backend *inner, struct console_backend **out);

#endif
