/* SPDX-License-Identifier: MIT */
/* A VM that is made to be debugged: what `denali run` would make, as a target of the loop. */
#ifndef DENALI_DEBUG_VM_H
#define DENALI_DEBUG_VM_H

#include "emu/cli/run/run_options.h"
#include "emu/cli/target_vm.h"

struct debug_vm;

/* 0, or a negative errno (as boot_plan's) and `why`. Options, engine and console outlive it. */
MUST_CHECK int debug_vm_create(const struct run_options *options, struct engine *engine,
                               struct console_backend *console, struct debug_vm **out,
                               struct why *why);
void debug_vm_destroy(struct debug_vm *d); /* NULL is harmless */

struct target *debug_vm_target(struct debug_vm *d);
struct vm *debug_vm_vm(struct debug_vm *d);

#endif
