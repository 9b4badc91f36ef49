/* SPDX-License-Identifier: MIT */
/*
 * The NIC: one port instruction sends a frame, one receives. Frames wait in the
 * backend (a socket, a tap, a switch's port), whose queue is bounded and which
 * counts what it drops; there is no second queue here.
 *
 * `rx_armed`: the guest looked since the last interrupt, so the next frame is
 * news. `tx_armed`: a frame was refused, so room is news.
 */
#include "denali/vm_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MIN 14u
#define MTU 1500u

struct nic {
    struct vdev dev;
    struct net_backend *net;
    /* Also read by the driver's watcher. `gone`: the other side; what is sent is lost. */
    _Atomic bool rx_armed, tx_armed, gone;
    uint64_t sent, received, sent_bytes, received_bytes, refused, lost;
};

static struct nic *self(const struct vdev *dev)
{
    return CONTAINER_OF(dev, struct nic, dev);
}

static void arm(struct nic *nic, _Atomic bool *flag)
{
    if (*flag || nic->gone)
        return;
    *flag = true;
    vm_rearm(nic->dev.vm);
}

static int32_t send_frame(struct nic *nic, const void *frame, uint32_t len)
{
    int err = nic->gone ? -EPIPE : outside_send(&nic->dev, nic->net, frame, len);
    if (err == -EAGAIN) {
        nic->refused++;
        arm(nic, &nic->tx_armed);
        return DENALI_AGAIN;
    }
    if (err) {
        nic->gone = nic->gone || err == -EPIPE;
        nic->lost++;
        return 0; /* a wire does not tell */
    }
    nic->sent++;
    nic->sent_bytes += len;
    return 0;
}

static enum vdev_status nic_out(struct vdev *dev, unsigned port)
{
    uint32_t gpa = vdev_reg(dev, ISA_EAX), len = vdev_reg(dev, ISA_ECX);
    if (port != DENALI_PORT_SEND)
        return VDEV_NO_PORT;
    const void *frame = NULL;
    if (len < FRAME_MIN || len > NET_FRAME_MAX)
        vdev_result(dev, DENALI_RANGE);
    else if (!vm_in_ram(dev->vm, gpa, len) || !(frame = ram_span(dev->vm->ram, gpa, len)))
        vdev_result(dev, DENALI_FAULT);
    else
        vdev_result(dev, send_frame(self(dev), frame, len));
    return VDEV_DONE;
}

/* A backend may want room for a whole frame, so a short buffer gets its part from a copy. */
static int receive_frame(struct nic *nic, uint8_t *to, uint32_t room)
{
    uint8_t frame[NET_FRAME_MAX];
    if (room >= NET_FRAME_MAX)
        return outside_receive(&nic->dev, nic->net, to, room);
    int n = outside_receive(&nic->dev, nic->net, frame, sizeof(frame));
    if (n > (int)room)
        n = (int)room;
    if (n > 0)
        memcpy(to, frame, (size_t)n);
    return n;
}

static int32_t take_frame(struct nic *nic, uint8_t *to, uint32_t room)
{
    int n = nic->gone ? -EPIPE : receive_frame(nic, to, room);
    if (n > 0) {
        nic->received++;
        nic->received_bytes += (uint64_t)n;
    } else if (n != -EAGAIN) {
        nic->gone = nic->gone || n == -EPIPE;
    }
    arm(nic, &nic->rx_armed);
    return n > 0 ? n : 0;
}

static enum vdev_status nic_in(struct vdev *dev, unsigned port)
{
    uint32_t gpa = vdev_reg(dev, ISA_EDI), room = vdev_reg(dev, ISA_ECX);
    if (port != DENALI_PORT_RECEIVE)
        return VDEV_NO_PORT;
    uint8_t *to = NULL;
    if (room > NET_FRAME_MAX && vm_in_ram(dev->vm, gpa, room))
        room = NET_FRAME_MAX;
    if (room < FRAME_MIN)
        vdev_result(dev, DENALI_RANGE);
    else if (!vm_in_ram(dev->vm, gpa, room) || !(to = ram_span_write(dev->vm->ram, gpa, room)))
        vdev_result(dev, DENALI_FAULT);
    else
        vdev_result(dev, take_frame(self(dev), to, room));
    return VDEV_DONE;
}

static int nic_poll_fd(const struct vdev *dev, unsigned which, short *events)
{
    const struct nic *nic = self(dev);
    bool rx = nic->rx_armed, tx = nic->tx_armed;
    if (which || nic->gone || !nic->net || (!rx && !tx))
        return -1;
    *events = (short)((rx ? POLLIN : 0) | (tx ? POLLOUT : 0));
    return nic->net->ops->fd(nic->net);
}

static void nic_ready(struct vdev *dev, short revents)
{
    struct nic *nic = self(dev);
    if (revents & ~POLLOUT)
        nic->rx_armed = false;
    if (revents & ~POLLIN)
        nic->tx_armed = false;
    vdev_interrupt(dev, DENALI_IRQ_NIC);
}

static void nic_print(const struct vdev *dev, void *out, bool json)
{
    const struct nic *n = self(dev);
    fprintf(out,
            json ? "\"sent\":%llu,\"sent_bytes\":%llu,\"received\":%llu,\"received_bytes\":%llu,"
                   "\"refused\":%llu,\"lost\":%llu"
                 : "sent %llu frames (%llu bytes), received %llu (%llu bytes), refused %llu, lost "
                   "%llu",
            (unsigned long long)n->sent, (unsigned long long)n->sent_bytes,
            (unsigned long long)n->received, (unsigned long long)n->received_bytes,
            (unsigned long long)n->refused, (unsigned long long)n->lost);
}

static void nic_destroy(struct vdev *dev)
{
    free(self(dev));
}

static const struct state_field nic_fields[] = {
    STATE_U(struct nic, rx_armed), STATE_U(struct nic, tx_armed), STATE_U(struct nic, gone)};
static const struct state_list nic_state = {"nic", 2, ARRAY_LEN(nic_fields), nic_fields};

static const struct vdev_ops nic_ops = {
    .kind = DENALI_DEV_NIC,
    .out = nic_out,
    .in = nic_in,
    .poll_fd = nic_poll_fd,
    .ready = nic_ready,
    .print = nic_print,
    .destroy = nic_destroy,
    .state = &nic_state,
};

int vdev_nic_create(struct vm *vm, const struct vm_resource *resource, struct denali_device *entry,
                    struct vdev **out)
{
    struct nic *nic = calloc(1, sizeof(*nic));
    (void)vm;
    if (!nic)
        return -ENOMEM;
    nic->dev.ops = &nic_ops;
    nic->net = resource->net;
    nic->rx_armed = true;
    memcpy(entry->mac, resource->mac, sizeof(entry->mac));
    entry->mtu = MTU;
    *out = &nic->dev;
    return 0;
}
