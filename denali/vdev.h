/* SPDX-License-Identifier: MIT */
/*
 * A virtual device: a private struct that begins with struct vdev, the
 * functions below, and one constructor. It sees the guest's registers through
 * the VM's processor and guest memory through ram_*; time comes from the VM's
 * clock, interrupts go through vdev_interrupt, host input and output through a backend.
 */
#ifndef DENALI_VDEV_H
#define DENALI_VDEV_H

#include "denali/abi.h"
#include "denali/vm.h"
#include "emu/machine/state.h"

#include <stdatomic.h>

struct vdev;

/* Port operations set EAX by vdev_result. */
enum vdev_status {
    VDEV_DONE,
    VDEV_NO_PORT, /* the device has no such port in that direction: the guest faults */
    VDEV_BLOCK,   /* not finished: `resume` goes on when the VM runs again; EAX is set then */
};

struct vdev_ops {
    uint16_t kind; /* enum denali_device_kind */
    enum vdev_status (*out)(struct vdev *dev, unsigned port);
    enum vdev_status (*in)(struct vdev *dev, unsigned port);
    enum vdev_status (*resume)(struct vdev *dev);
    /* At a boundary of instructions, before interrupts posted so far are delivered. */
    void (*collect)(struct vdev *dev);
    /* What to poll now: a descriptor and its events, or -1. Up to two (`which` 0, 1); from any
     * thread. */
    int (*poll_fd)(const struct vdev *dev, unsigned which, short *events);
    void (*ready)(struct vdev *dev, short revents);
    /* One line of counters: as text after the device's name, or as JSON members. To a FILE *. */
    void (*print)(const struct vdev *dev, void *out, bool json);
    void (*destroy)(struct vdev *dev);
    const struct state_list *state; /* of the whole private struct; NULL: none survives */
    /* May be NULL. Whether something is under way that `state` does not hold. */
    bool (*busy)(const struct vdev *dev);
    /* May be NULL. `state` has just been loaded. */
    void (*loaded)(struct vdev *dev);
};

struct vdev {
    const struct vdev_ops *ops;
    struct vm *vm;
    char name[DENALI_NAME_LEN];
};

/* Constructors fill in the device's own fields of its table entry. -ENOMEM and the like. */
MUST_CHECK int vdev_console_create(struct vm *vm, struct denali_device *entry, struct vdev **out);
MUST_CHECK int vdev_keyboard_create(struct vm *vm, struct denali_device *entry, struct vdev **out);
MUST_CHECK int vdev_timer_create(struct vm *vm, struct denali_device *entry, struct vdev **out);
MUST_CHECK int vdev_nic_create(struct vm *vm, const struct vm_resource *resource,
                               struct denali_device *entry, struct vdev **out);
MUST_CHECK int vdev_disk_create(struct vm *vm, const struct vm_resource *resource,
                                struct denali_device *entry, struct vdev **out);

/* No request is in flight. What the disk's entry in the device table says of it goes to `entry`. */
void vdev_disk_set(struct vdev *dev, struct disk *disk, struct denali_device *entry);

/* Rates; 0: none. */
void vdev_disk_limit(struct vdev *dev, uint64_t blocks_per_s);
void vdev_console_limit(struct vdev *dev, uint64_t bytes_per_s);

/* Guest registers of a port instruction. */
uint32_t vdev_reg(const struct vdev *dev, enum isa_reg reg);
void vdev_result(struct vdev *dev, int64_t value);

/* From the thread that runs the VM: pending at the next boundary. */
void vdev_interrupt(struct vdev *dev, uint32_t irq);

#endif
