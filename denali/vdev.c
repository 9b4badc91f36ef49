/* SPDX-License-Identifier: MIT */
/* What all virtual devices use. */
#include "denali/vm_private.h"

uint32_t vdev_reg(const struct vdev *dev, enum isa_reg reg)
{
    return dev->vm->cpu->gpr[reg];
}

void vdev_result(struct vdev *dev, int64_t value)
{
    dev->vm->cpu->gpr[ISA_EAX] = (uint32_t)value;
}

void vdev_interrupt(struct vdev *dev, uint32_t irq)
{
    vm_raise(dev->vm, irq);
}
