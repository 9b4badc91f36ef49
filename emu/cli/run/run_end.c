/* SPDX-License-Identifier: MIT */
/* What a VM's end means for this program's exit status, and what is said about it. */
#include "emu/cli/run/run_end.h"

#include "emu/cli/cli.h"

#include <stdio.h>

static int exit_status(uint32_t status)
{
    if (status <= CLI_GUEST_MAX)
        return (int)status;
    return cli_complain(CLI_GUEST_MAX, "the guest's exit status is %u; told as %d", status,
                        CLI_GUEST_MAX);
}

static int engine_failed(struct vm *vm, struct engine *engine, const char *what)
{
    engine->ops->report(engine, vm_cpu(vm), stderr);
    return cli_complain(CLI_FAILED, "%s; see above", what);
}

int run_end_status(struct vm *vm, struct engine *engine)
{
    const struct vm_end *end = vm_end(vm);
    switch (end->reason) {
    case VM_END_EXIT:
        return exit_status(end->status);
    case VM_END_FAULT:
        vm_report(vm, stderr);
        return CLI_FAULT;
    case VM_END_DIVERGED:
        return engine_failed(vm, engine, "the interpreter and the translator differ");
    case VM_END_REJECTED:
        return engine_failed(vm, engine,
                             "a translation was refused by the verifier, and the guest ended");
    default:
        return cli_complain(CLI_FAILED, "%s", end->why.text[0] ? end->why.text : "out of threads");
    }
}
