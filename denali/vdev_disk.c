/* SPDX-License-Identifier: MIT */
/*
 * The disk: requests of one block each, submitted many at a time. Neighbours in
 * an array (same operation, blocks in a row) become one host call.
 *
 * A read that the host can serve from its cache is served at once, straight into
 * the guest's memory. Everything else is a job on a thread of the pool, with a
 * buffer of its own: guest memory is touched only by the thread that runs the
 * VM, at a boundary of instructions, so contents arrive at one well-defined
 * point. Data first, then the status, then the interrupt.
 *
 * Behind `lock`: the list of finished jobs. Everything else belongs to the VM's
 * thread. `in_flight` counts requests whose status is still to be written.
 */
#include "denali/vm_private.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DENALI_BLOCK == DISK_BLOCK && DENALI_DISK_QUEUE <= DISK_MAX_RUN,
               "a whole queue fits one run");

struct disk_dev {
    struct vdev dev;
    struct disk *disk; /* NULL: of a replay */
    uint64_t blocks;
    bool readonly;
    struct host_lock lock;
    struct disk_job *finished;
    unsigned in_flight;
    struct io_queue queue;
    struct bucket blocks_per_s;
    struct disk_job *held, *held_last; /* over the rate, by when they may begin */
    struct clock_event *release;       /* of the first of them */
    uint64_t read, written, flushes, refused, jobs, cached, slowed;
};

/* A request as taken from the guest, and where its status goes. */
struct request {
    struct denali_disk_request r;
    uint32_t gpa;
    int result; /* negative errno; of jobs */
};

/* A run of requests on its way through the pool. */
struct disk_job {
    struct io_job job;
    struct disk_job *next;
    struct disk_dev *disk;
    uint32_t op;
    uint64_t block, due_ns;
    unsigned count;
    uint8_t *data;
    struct request request[];
};

static struct disk_dev *self(const struct vdev *dev)
{
    return CONTAINER_OF(dev, struct disk_dev, dev);
}

static int32_t status_of(int err)
{
    switch (err) {
    case 0:
        return 0;
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        return DENALI_FULL;
    case -EROFS:
        return DENALI_RO;
    case -EFAULT:
        return DENALI_FAULT;
    default:
        return DENALI_IO;
    }
}

/* The guest may have taken the request's memory away meanwhile; then nobody wants the status. */
static void end_request(struct disk_dev *d, const struct request *q, int32_t status)
{
    uint64_t at = (uint64_t)q->gpa + offsetof(struct denali_disk_request, status);
    int err = ram_write(d->dev.vm->ram, at, &status, sizeof(status));
    (void)err;
    vdev_interrupt(&d->dev, DENALI_IRQ_DISK);
}

/* What is wrong with a request, or 0. */
static int32_t check(const struct disk_dev *d, const struct denali_disk_request *r)
{
    if (r->status != DENALI_DISK_BUSY)
        return DENALI_INVAL;
    if (r->op == DENALI_DISK_FLUSH)
        return r->bytes ? DENALI_RANGE : 0;
    if (r->op != DENALI_DISK_READ && r->op != DENALI_DISK_WRITE)
        return DENALI_INVAL;
    if (r->op == DENALI_DISK_WRITE && d->readonly)
        return DENALI_RO;
    if (r->bytes != DENALI_BLOCK || r->buffer % DENALI_BLOCK || r->block >= d->blocks)
        return DENALI_RANGE;
    if (!vm_in_ram(d->dev.vm, r->buffer, DENALI_BLOCK) ||
        !ram_span(d->dev.vm->ram, r->buffer, DENALI_BLOCK))
        return DENALI_FAULT;
    return 0;
}

static void count(struct disk_dev *d, uint32_t op, unsigned n)
{
    if (op == DENALI_DISK_READ)
        d->read += n;
    else if (op == DENALI_DISK_WRITE)
        d->written += n;
    else
        d->flushes += n;
}

/* Reads a run into guest memory now; -EAGAIN: the host would wait (`nowait`). */
static int read_now(struct disk_dev *d, const struct request *q, unsigned n, bool nowait)
{
    struct iovec iov[DENALI_DISK_QUEUE];
    for (unsigned i = 0; i < n; i++) {
        iov[i].iov_base = ram_span_write(d->dev.vm->ram, q[i].r.buffer, DENALI_BLOCK);
        iov[i].iov_len = DENALI_BLOCK;
        if (!iov[i].iov_base)
            return -EFAULT;
    }
    return outside_disk(
        &d->dev, &(struct outside_disk){d->disk, DENALI_DISK_READ, q->r.block, iov, n, nowait});
}

static void slices(struct iovec *iov, uint8_t *data, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        iov[i] = (struct iovec){data + (size_t)i * DENALI_BLOCK, DENALI_BLOCK};
}

static int perform(struct disk *disk, uint32_t op, uint64_t block, uint8_t *data, unsigned n)
{
    struct iovec iov[DENALI_DISK_QUEUE];
    if (op == DENALI_DISK_FLUSH)
        return disk_flush(disk);
    slices(iov, data, n);
    return op == DENALI_DISK_READ ? disk_read(disk, block, iov, n, false)
                                  : disk_write(disk, block, iov, n);
}

/* A run failed: which of its blocks did? */
static int perform_one(const struct disk_job *job, unsigned i)
{
    return perform(job->disk->disk, job->op, job->block + i, job->data + (size_t)i * DENALI_BLOCK,
                   1);
}

/* On a thread of the pool. */
static void run_job(struct io_job *io)
{
    struct disk_job *job = CONTAINER_OF(io, struct disk_job, job);
    struct disk_dev *d = job->disk;
    struct vm *vm = d->dev.vm;
    int err = perform(d->disk, job->op, job->block, job->data, job->count);
    for (unsigned i = 0; i < job->count; i++)
        job->request[i].result = err && job->count > 1 ? perform_one(job, i) : err;
    host_lock_enter(&d->lock);
    job->next = d->finished;
    d->finished = job;
    /* Inside the lock: once it is left, the VM may be gone. */
    vm_post(vm, DENALI_IRQ_DISK);
    host_lock_wake(&d->lock);
    host_lock_leave(&d->lock);
}

static void free_job(struct disk_job *job)
{
    free(job->data);
    free(job);
}

/* The data of a run comes from, or goes to, the guest. -EFAULT as soon as a buffer is out of reach.
 */
static int copy_block(struct disk_dev *d, struct disk_job *job, unsigned i)
{
    uint8_t *at = job->data + (size_t)i * DENALI_BLOCK;
    uint32_t gpa = job->request[i].r.buffer;
    if (job->op == DENALI_DISK_READ)
        return ram_write(d->dev.vm->ram, gpa, at, DENALI_BLOCK);
    return ram_read(d->dev.vm->ram, gpa, at, DENALI_BLOCK);
}

static struct disk_job *make_job(struct disk_dev *d, const struct request *q, unsigned n)
{
    struct disk_job *job = calloc(1, sizeof(*job) + n * sizeof(job->request[0]));
    if (!job)
        return NULL;
    job->job.run = run_job;
    job->disk = d;
    job->op = q->r.op;
    job->block = q->r.block;
    job->count = n;
    memcpy(job->request, q, n * sizeof(*q));
    if (job->op == DENALI_DISK_FLUSH)
        return job;
    job->data = malloc((size_t)n * DENALI_BLOCK);
    int err = job->data ? 0 : -ENOMEM;
    for (unsigned i = 0; !err && job->op == DENALI_DISK_WRITE && i < n; i++)
        err = copy_block(d, job, i);
    if (!err)
        return job;
    free_job(job);
    return NULL;
}

/* At a boundary of instructions, on the VM's thread. */
static void end_job(struct disk_dev *d, struct disk_job *job)
{
    for (unsigned i = 0; i < job->count; i++) {
        int err = job->request[i].result;
        if (!err && job->op == DENALI_DISK_READ)
            err = copy_block(d, job, i);
        end_request(d, &job->request[i], status_of(err));
    }
    d->in_flight -= job->count;
    free_job(job);
}

static void disk_collect(struct vdev *dev)
{
    struct disk_dev *d = self(dev);
    host_lock_enter(&d->lock);
    struct disk_job *job = d->finished;
    d->finished = NULL;
    host_lock_leave(&d->lock);
    while (job) {
        struct disk_job *next = job->next;
        end_job(d, job);
        job = next;
    }
}

static int perform_here(struct disk_dev *d, const struct disk_job *job, unsigned first, unsigned n)
{
    struct iovec iov[DENALI_DISK_QUEUE];
    unsigned count = job->op == DENALI_DISK_FLUSH ? 0 : n;
    if (count)
        slices(iov, job->data + (size_t)first * DENALI_BLOCK, count);
    return outside_disk(
        &d->dev, &(struct outside_disk){d->disk, job->op, job->block + first, iov, count, false});
}

/* Without a pool, or where it cannot take more. */
static void run_here(struct disk_dev *d, struct disk_job *job)
{
    int err = perform_here(d, job, 0, job->count);
    for (unsigned i = 0; i < job->count; i++)
        job->request[i].result = err && job->count > 1 ? perform_here(d, job, i, 1) : err;
    end_job(d, job);
}

static void end_run(struct disk_dev *d, const struct request *q, unsigned n, int32_t status)
{
    for (unsigned i = 0; i < n; i++)
        end_request(d, &q[i], status);
}

static void start_job(struct disk_dev *d, struct disk_job *job)
{
    struct io_pool *pool = d->dev.vm->pool;
    d->jobs++;
    if (!pool || io_pool_submit(pool, &d->queue, &job->job))
        run_here(d, job);
}

static void arm_release(struct disk_dev *d, uint64_t when_ns)
{
    struct vm *vm = d->dev.vm;
    clock_event_arm(d->release, when_ns);
    if (when_ns < vm->next_event_ns) {
        vm->next_event_ns = when_ns;
        vm_rearm(vm);
    }
}

static void hold(struct disk_dev *d, struct disk_job *job, uint64_t due_ns)
{
    job->due_ns = due_ns;
    job->next = NULL;
    d->slowed++;
    if (d->held)
        d->held_last->next = job;
    else
        arm_release(d, due_ns);
    if (!d->held)
        d->held = job;
    d->held_last = job;
}

/* An event of the VM's clock. */
static void release_held(void *opaque, uint64_t now_ns)
{
    struct disk_dev *d = opaque;
    struct disk_job *job;
    while ((job = d->held) && job->due_ns <= now_ns) {
        d->held = job->next;
        start_job(d, job);
    }
    if (d->held)
        arm_release(d, d->held->due_ns);
}

/* A run of valid requests with one operation and blocks in a row. */
static void start_run(struct disk_dev *d, const struct request *q, unsigned n)
{
    struct io_pool *pool = d->dev.vm->pool;
    uint64_t now = clock_now_ns(d->dev.vm->clock);
    uint64_t due = bucket_take(&d->blocks_per_s, n, now);
    count(d, q->r.op, n);
    if (q->r.op == DENALI_DISK_READ && due <= now) {
        int err = read_now(d, q, n, pool != NULL);
        if (err != -EAGAIN && (!err || n == 1)) {
            d->cached += n;
            end_run(d, q, n, status_of(err));
            return;
        }
    }
    struct disk_job *job = make_job(d, q, n);
    if (!job) {
        end_run(d, q, n, DENALI_IO);
        return;
    }
    d->in_flight += n;
    if (due <= now)
        start_job(d, job);
    else
        hold(d, job, due);
}

/* How many requests from the first on make one run. */
static unsigned run_length(const struct disk_dev *d, const struct request *q, unsigned n)
{
    unsigned len = 1;
    if (q->r.op == DENALI_DISK_FLUSH)
        return 1;
    while (len < n && q[len].r.op == q->r.op && q[len].r.block == q->r.block + len &&
           check(d, &q[len].r) == 0)
        len++;
    return len;
}

static void start_all(struct disk_dev *d, const struct request *q, unsigned n)
{
    while (n) {
        unsigned len = 1;
        int32_t err = check(d, &q->r);
        if (err) {
            d->refused++;
            end_request(d, q, err);
        } else {
            len = run_length(d, q, n);
            start_run(d, q, len);
        }
        q += len;
        n -= len;
    }
}

static enum vdev_status disk_out(struct vdev *dev, unsigned port)
{
    struct disk_dev *d = self(dev);
    struct request q[DENALI_DISK_QUEUE];
    uint32_t gpa = vdev_reg(dev, ISA_EAX), n = vdev_reg(dev, ISA_ECX);
    if (port != DENALI_PORT_SUBMIT)
        return VDEV_NO_PORT;
    if (n > DENALI_DISK_QUEUE - d->in_flight)
        n = DENALI_DISK_QUEUE - d->in_flight;
    if (!vm_in_ram(dev->vm, gpa, (uint64_t)n * sizeof(q[0].r))) {
        vdev_result(dev, DENALI_FAULT);
        return VDEV_DONE;
    }
    for (uint32_t i = 0; i < n; i++) {
        q[i].gpa = gpa + i * (uint32_t)sizeof(q[i].r);
        if (ram_read(dev->vm->ram, q[i].gpa, &q[i].r, sizeof(q[i].r))) {
            vdev_result(dev, DENALI_FAULT);
            return VDEV_DONE;
        }
    }
    start_all(d, q, n);
    vdev_result(dev, n);
    return VDEV_DONE;
}

static void disk_print(const struct vdev *dev, void *out, bool json)
{
    const struct disk_dev *d = self(dev);
    fprintf(
        out,
        json ? "\"read\":%llu,\"written\":%llu,\"flushes\":%llu,\"refused\":%llu,\"cached\":%llu,"
               "\"jobs\":%llu,\"slowed\":%llu"
             : "%llu blocks read, %llu written, %llu flushes, %llu refused; %llu from the host's "
               "cache, %llu jobs, %llu slowed",
        (unsigned long long)d->read, (unsigned long long)d->written, (unsigned long long)d->flushes,
        (unsigned long long)d->refused, (unsigned long long)d->cached, (unsigned long long)d->jobs,
        (unsigned long long)d->slowed);
}

/* Jobs in flight hold this device: they are waited for, and what they read is dropped. */
static void disk_destroy(struct vdev *dev)
{
    struct disk_dev *d = self(dev);
    struct disk_job *held;
    while ((held = d->held)) {
        d->held = held->next;
        d->in_flight -= held->count;
        free_job(held);
    }
    clock_event_destroy(d->release);
    host_lock_enter(&d->lock);
    while (d->in_flight) {
        while (!d->finished)
            host_lock_wait(&d->lock);
        struct disk_job *job = d->finished;
        d->finished = job->next;
        d->in_flight -= job->count;
        free_job(job);
    }
    host_lock_leave(&d->lock);
    host_lock_fini(&d->lock);
    free(d);
}

static bool disk_busy(const struct vdev *dev)
{
    return self(dev)->in_flight != 0;
}

static const struct vdev_ops disk_ops = {
    .kind = DENALI_DEV_DISK,
    .out = disk_out,
    .collect = disk_collect,
    .print = disk_print,
    .destroy = disk_destroy,
    .busy = disk_busy,
};

static void tell(const struct disk_dev *d, uint64_t bytes, struct denali_device *entry)
{
    entry->blocks = d->blocks;
    entry->bytes = bytes;
    entry->flags &= (uint16_t)~DENALI_DEVF_READONLY;
    entry->flags |= d->readonly ? DENALI_DEVF_READONLY : 0;
}

void vdev_disk_set(struct vdev *dev, struct disk *disk, struct denali_device *entry)
{
    struct disk_dev *d = self(dev);
    d->disk = disk;
    d->blocks = disk_blocks(disk);
    d->readonly = disk_is_readonly(disk);
    tell(d, disk_bytes(disk), entry);
}

void vdev_disk_limit(struct vdev *dev, uint64_t blocks_per_s)
{
    self(dev)->blocks_per_s = bucket_of(blocks_per_s, BUCKET_BURST_NS);
}

int vdev_disk_create(struct vm *vm, const struct vm_resource *resource, struct denali_device *entry,
                     struct vdev **out)
{
    struct disk_dev *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    int err = host_lock_init(&d->lock);
    if (err) {
        free(d);
        return err;
    }
    err = clock_event_create(vm->clock, "disk", 1, release_held, d, &d->release);
    if (err) {
        host_lock_fini(&d->lock);
        free(d);
        return err;
    }
    d->dev.ops = &disk_ops;
    if (resource->disk) {
        vdev_disk_set(&d->dev, resource->disk, entry);
    } else {
        d->readonly = resource->disk_readonly;
        d->blocks = (resource->disk_bytes + DENALI_BLOCK - 1) / DENALI_BLOCK;
        tell(d, resource->disk_bytes, entry);
    }
    *out = &d->dev;
    return 0;
}
