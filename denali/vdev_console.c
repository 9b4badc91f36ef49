/* SPDX-License-Identifier: MIT */
/*
 * The console. A write is taken whole: what the host does not take at once is
 * written from the guest's memory when the host is ready again, while the VM
 * stands still in the middle of its OUT. So no byte is buffered here. A VM that is
 * over its rate stands still in the same way, until the rate lets it go on.
 */
#include "denali/vm_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct console {
    struct vdev dev;
    _Atomic bool writing; /* both also read by the driver's watcher */
    _Atomic uint32_t stream;
    uint32_t gpa, len, done;
    struct bucket bytes_per_s;
    uint64_t bytes, writes, slowed;
};

static struct console *self(const struct vdev *dev)
{
    return CONTAINER_OF(dev, struct console, dev);
}

static enum vdev_status finish(struct console *c, int64_t result)
{
    c->writing = false;
    c->bytes += c->done;
    vdev_result(&c->dev, result);
    return VDEV_DONE;
}

static int32_t error_of(int64_t err)
{
    if (err == -EFAULT)
        return DENALI_FAULT;
    if (err == -EPIPE)
        return DENALI_EOF;
    return err == -ENOSPC || err == -EDQUOT || err == -EFBIG ? DENALI_FULL : DENALI_IO;
}

/* What is written before the driver is asked again whether the VM's time is up. */
#define PART (uint32_t) MIB
/* The same where there is a rate. */
#define LIMITED_PART 4096u

/* Bytes that went out, -EFAULT, or the host's error. */
static int64_t write_part(struct console *c)
{
    uint32_t most = c->bytes_per_s.per_s ? LIMITED_PART : PART;
    uint32_t len = c->len - c->done < most ? c->len - c->done : most;
    const void *from = ram_span(c->dev.vm->ram, (uint64_t)c->gpa + c->done, len);
    if (!from)
        return -EFAULT;
    return outside_write(c->dev.vm, c->stream, from, len);
}

static enum vdev_status block(struct console *c, uint64_t until_ns)
{
    c->dev.vm->blocked_until_ns = until_ns;
    c->slowed += until_ns && until_ns != CLOCK_NEVER;
    return VDEV_BLOCK;
}

static enum vdev_status go_on(struct vdev *dev)
{
    struct console *c = self(dev);
    for (uint32_t begin = c->done; c->done < c->len;) {
        if (c->done - begin >= PART)
            return block(c, 0);
        uint64_t free_ns = bucket_free_at(&c->bytes_per_s);
        if (free_ns > clock_now_ns(dev->vm->clock))
            return block(c, free_ns);
        int64_t n = write_part(c);
        if (n == -EAGAIN)
            return block(c, CLOCK_NEVER);
        if (n < 0)
            return finish(c, error_of(n));
        c->done += (uint32_t)n;
        bucket_take(&c->bytes_per_s, (uint64_t)n, clock_now_ns(dev->vm->clock));
    }
    return finish(c, c->len);
}

static enum vdev_status console_out(struct vdev *dev, unsigned port)
{
    struct console *c = self(dev);
    if (port != DENALI_PORT_WRITE)
        return VDEV_NO_PORT;
    uint32_t stream = vdev_reg(dev, ISA_EBX), gpa = vdev_reg(dev, ISA_EAX);
    uint32_t len = vdev_reg(dev, ISA_ECX);
    c->stream = stream;
    c->gpa = gpa;
    c->len = len;
    c->done = 0;
    if (stream != CONSOLE_OUT && stream != CONSOLE_ERR)
        return finish(c, DENALI_INVAL);
    if (!vm_in_ram(dev->vm, gpa, len))
        return finish(c, DENALI_FAULT);
    if (len > INT32_MAX)
        return finish(c, DENALI_RANGE);
    c->writes++;
    c->writing = true;
    return go_on(dev);
}

static int console_poll_fd(const struct vdev *dev, unsigned which, short *events)
{
    const struct console *c = self(dev);
    struct console_backend *backend = dev->vm->console;
    if (which || !c->writing || !backend)
        return -1;
    *events = POLLOUT;
    return backend->ops->out_fd(backend, c->stream);
}

/* The VM runs again and tries. */
static void console_ready(struct vdev *dev, short revents)
{
    (void)dev, (void)revents;
}

static void console_print(const struct vdev *dev, void *out, bool json)
{
    const struct console *c = self(dev);
    fprintf(out,
            json ? "\"writes\":%llu,\"bytes\":%llu,\"slowed\":%llu"
                 : "%llu writes, %llu bytes, %llu slowed",
            (unsigned long long)c->writes, (unsigned long long)c->bytes,
            (unsigned long long)c->slowed);
}

static void console_destroy(struct vdev *dev)
{
    free(self(dev));
}

static const struct state_field console_fields[] = {
    STATE_U(struct console, writing), STATE_U(struct console, stream), STATE_U(struct console, gpa),
    STATE_U(struct console, len),     STATE_U(struct console, done),
};
static const struct state_list console_state = {"console", 1, ARRAY_LEN(console_fields),
                                                console_fields};

static const struct vdev_ops console_ops = {
    .kind = DENALI_DEV_CONSOLE,
    .out = console_out,
    .resume = go_on,
    .poll_fd = console_poll_fd,
    .ready = console_ready,
    .print = console_print,
    .destroy = console_destroy,
    .state = &console_state,
};

void vdev_console_limit(struct vdev *dev, uint64_t bytes_per_s)
{
    self(dev)->bytes_per_s = bucket_of(bytes_per_s, BUCKET_BURST_NS);
}

int vdev_console_create(struct vm *vm, struct denali_device *entry, struct vdev **out)
{
    struct console *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->dev.ops = &console_ops;
    if (vm->console && vm->console->ops->out_is_tty(vm->console))
        entry->flags |= DENALI_DEVF_TTY;
    *out = &c->dev;
    return 0;
}
