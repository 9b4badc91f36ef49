/* SPDX-License-Identifier: MIT */
/*
 * A Denali VM as the debugger's target. The VM is made with target_vm_hooks and
 * the target as their opaque:
 *
 *     target_vm_create, vm_create, target_vm_attach, ..., vm_destroy, target_vm_destroy
 */
#ifndef DENALI_TARGET_VM_H
#define DENALI_TARGET_VM_H

#include "denali/vm.h"
#include "emu/debug/target.h"

struct target_vm;

extern const struct vm_hooks target_vm_hooks;

/* `name` and the files' paths must outlive it. */
MUST_CHECK int target_vm_create(const char *name, struct target_vm **out, struct why *why);
/* From here on it can run and be looked at. */
void target_vm_attach(struct target_vm *t, struct vm *vm);
void target_vm_add_file(struct target_vm *t, const char *path, bool kernel);
/* The packed root that it has for its tree of files (pack_root.h); the path must outlive it. */
void target_vm_set_root(struct target_vm *t, const char *image);
void target_vm_destroy(struct target_vm *t); /* NULL is harmless */

/* Of a VM with a tape, a replay's: target->history from here on. */
void target_vm_keep_history(struct target_vm *t);
/* For vm_config.tape: the target's own, in memory. With it the VM's past is kept. NULL: no memory.
 */
struct tape *target_vm_tape(struct target_vm *t);

struct target *target_vm_target(struct target_vm *t);
struct vm *target_vm_vm(struct target_vm *t);

#endif
