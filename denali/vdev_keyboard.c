/* SPDX-License-Identifier: MIT */
/*
 * The keyboard: bytes from the host's standard input, taken only when the guest
 * asks for them, so that nothing is buffered here and nothing is stolen from a
 * program that reads after us.
 *
 * `armed`: the guest looked since the last interrupt, so the next input is news.
 * A deterministic VM's input does not depend on when it comes: a read waits,
 * standing still, until its buffer is full or the input ends.
 */
#include "denali/vm_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct keyboard {
    struct vdev dev;
    _Atomic bool armed, reading; /* also read by the driver's watcher */
    bool ended;
    uint32_t gpa, room, done; /* of a waiting read */
    uint64_t bytes, reads;
};

static struct keyboard *self(const struct vdev *dev)
{
    return CONTAINER_OF(dev, struct keyboard, dev);
}

static void arm(struct keyboard *k)
{
    if (k->armed || k->ended || k->dev.vm->deterministic)
        return;
    k->armed = true;
    vm_rearm(k->dev.vm);
}

/* Bytes, or a negative enum denali_error; 0: none now. */
static int64_t fetch(struct keyboard *k, void *to, uint32_t room)
{
    bool ended;
    int64_t n = outside_read(k->dev.vm, to, room, &ended);
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return DENALI_IO;
    k->ended = ended;
    return n ? n : DENALI_EOF;
}

static enum vdev_status finish(struct keyboard *k, int64_t n)
{
    k->reading = false;
    if (n > 0)
        k->bytes += (uint64_t)n;
    arm(k);
    vdev_result(&k->dev, n);
    return VDEV_DONE;
}

static enum vdev_status go_on(struct vdev *dev)
{
    struct keyboard *k = self(dev);
    while (k->done < k->room) {
        uint32_t left = k->room - k->done < MIB ? k->room - k->done : (uint32_t)MIB;
        void *to = ram_span_write(dev->vm->ram, (uint64_t)k->gpa + k->done, left);
        if (!to)
            return finish(k, DENALI_FAULT);
        int64_t n = fetch(k, to, left);
        if (n == 0 && dev->vm->deterministic)
            return VDEV_BLOCK;
        if (n <= 0)
            return finish(k, k->done ? k->done : n);
        k->done += (uint32_t)n;
        if (!dev->vm->deterministic)
            break;
    }
    return finish(k, k->done);
}

static enum vdev_status keyboard_in(struct vdev *dev, unsigned port)
{
    struct keyboard *k = self(dev);
    if (port != DENALI_PORT_READ)
        return VDEV_NO_PORT;
    uint32_t gpa = vdev_reg(dev, ISA_EDI), room = vdev_reg(dev, ISA_ECX);
    k->gpa = gpa;
    k->done = 0;
    k->room = room < INT32_MAX ? room : INT32_MAX;
    if (!vm_in_ram(dev->vm, gpa, room))
        return finish(k, DENALI_FAULT);
    k->reads++;
    k->reading = true;
    return go_on(dev);
}

static enum vdev_status keyboard_out(struct vdev *dev, unsigned port)
{
    uint32_t mode = vdev_reg(dev, ISA_EAX);
    if (port != DENALI_PORT_MODE)
        return VDEV_NO_PORT;
    bool ok = !(mode & ~(uint32_t)DENALI_TTY_START) && outside_set_mode(dev->vm, mode) == 0;
    vdev_result(dev, ok ? 0 : DENALI_INVAL);
    return VDEV_DONE;
}

static int keyboard_poll_fd(const struct vdev *dev, unsigned which, short *events)
{
    const struct keyboard *k = self(dev);
    struct console_backend *backend = dev->vm->console;
    bool waits = dev->vm->deterministic ? k->reading : k->armed;
    if (which || !waits || !backend)
        return -1;
    *events = POLLIN;
    return backend->ops->in_fd(backend);
}

static void keyboard_ready(struct vdev *dev, short revents)
{
    struct keyboard *k = self(dev);
    (void)revents;
    if (k->armed)
        vdev_interrupt(dev, DENALI_IRQ_KEYBOARD);
    k->armed = false;
}

static void keyboard_print(const struct vdev *dev, void *out, bool json)
{
    const struct keyboard *k = self(dev);
    fprintf(out, json ? "\"reads\":%llu,\"bytes\":%llu" : "%llu reads, %llu bytes",
            (unsigned long long)k->reads, (unsigned long long)k->bytes);
}

static void keyboard_destroy(struct vdev *dev)
{
    free(self(dev));
}

static const struct state_field keyboard_fields[] = {
    STATE_U(struct keyboard, armed),   STATE_U(struct keyboard, ended),
    STATE_U(struct keyboard, reading), STATE_U(struct keyboard, gpa),
    STATE_U(struct keyboard, room),    STATE_U(struct keyboard, done),
};
static const struct state_list keyboard_state = {"keyboard", 1, ARRAY_LEN(keyboard_fields),
                                                 keyboard_fields};

static const struct vdev_ops keyboard_ops = {
    .kind = DENALI_DEV_KEYBOARD,
    .out = keyboard_out,
    .in = keyboard_in,
    .resume = go_on,
    .poll_fd = keyboard_poll_fd,
    .ready = keyboard_ready,
    .print = keyboard_print,
    .destroy = keyboard_destroy,
    .state = &keyboard_state,
};

int vdev_keyboard_create(struct vm *vm, struct denali_device *entry, struct vdev **out)
{
    struct keyboard *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->dev.ops = &keyboard_ops;
    if (vm->console && vm->console->ops->in_is_tty(vm->console))
        entry->flags |= DENALI_DEVF_TTY;
    /* There is news at the start: what waits already, or that there is nothing ever. */
    k->armed = vm->console && !vm->deterministic;
    if (!k->armed)
        vm_raise(vm, DENALI_IRQ_KEYBOARD);
    *out = &k->dev;
    return 0;
}
