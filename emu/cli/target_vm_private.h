/* SPDX-License-Identifier: MIT */
/* What target_vm.c and target_vm_history.c share. */
#ifndef DENALI_TARGET_VM_PRIVATE_H
#define DENALI_TARGET_VM_PRIVATE_H

#include "denali/record/history.h"
#include "denali/record/tape.h"
#include "emu/cli/target_vm.h"

#include <stdatomic.h>

struct target_vm {
    struct target target;
    struct vm *vm;
    struct tape *tape;       /* NULL, or the VM's */
    struct history *history; /* NULL: none is kept */
    const char *root;        /* packed; NULL: it has none */
    int waker;
    _Atomic bool running;
    unsigned catches; /* enum target_catch */
};

/* A caught fault that nobody asked for and that the guest can take. */
bool target_vm_goes_on(struct target_vm *t, enum vm_slice slice);
/* What a slice means for the debugger; *stop is filled in unless it went on or is idle. */
enum target_slice target_vm_tell(struct target_vm *t, enum vm_slice slice,
                                 struct target_stop *stop);

#endif
