/* SPDX-License-Identifier: MIT */
/* What a debugger shows of a VM. Fields of the register page are those of abi.h, at their offsets.
 */
#include "denali/vm_private.h"

#define REG(member) STATE_U(struct denali_regs, member)

static const struct state_field regs_fields[] = {
    REG(magic),
    REG(version),
    REG(cpu_hz),
    REG(mem_bytes),
    REG(wall_base_ns),
    REG(time_seq),
    REG(tsc_mul),
    REG(time_ns),
    REG(time_tsc),
    REG(intr_enabled),
    REG(pending),
    REG(upcall_entry),
    REG(upcall_stack),
    REG(delivered),
    REG(signals),
    REG(fault_entry),
    REG(fault_stack),
    REG(fault_active),
    REG(fault_vector),
    REG(fault_error),
    REG(fault_address),
    REG(trap_entry),
    REG(trap_eip),
    REG(trap_number),
    REG(trap_enabled),
    REG(fs_base),
    REG(gs_base),
    REG(args_addr),
    REG(args_len),
    REG(args_count),
    REG(env_addr),
    REG(env_len),
    REG(env_count),
    REG(console_columns),
    REG(console_rows),
    REG(device_count),
    REG(intr_context.eip),
    REG(intr_context.esp),
    REG(intr_context.intr_enabled),
    REG(fault_context.eip),
    REG(fault_context.esp),
    REG(fault_context.intr_enabled),
    REG(identity_count),
};
static const struct state_list regs_list = {"regs", 1, ARRAY_LEN(regs_fields), regs_fields};

bool vm_describe(struct vm *vm, unsigned n, struct vm_group *out)
{
    if (!n) {
        *out = (struct vm_group){"regs", &regs_list, ram_base(vm->ram) + vm->regs_addr, true};
        return true;
    }
    for (unsigned i = 0; i < vm->devices; i++) {
        struct vdev *dev = vm->device[i];
        if (!dev->ops->state || --n)
            continue;
        *out = (struct vm_group){dev->name, dev->ops->state, dev, false};
        return true;
    }
    return false;
}
