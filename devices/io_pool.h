/* SPDX-License-Identifier: MIT */
/*
 * A few host threads that do what may block (file input and output), so that
 * no virtual processor waits for it. Threads are made when work comes and no
 * thread is free, up to the bound. One pool may serve any number of VMs: each has
 * queues of its own, and queues are served in turns, a job at a time, so that a
 * hundred jobs of one do not keep one job of another waiting.
 */
#ifndef DENALI_IO_POOL_H
#define DENALI_IO_POOL_H

#include "emu/base/base.h"

struct io_pool;

/* The submitter's memory; its own again once `run` was called (on a thread of the pool). */
struct io_job {
    void (*run)(struct io_job *job);
    struct io_job *next;
};

/* All zero at first. Empty again, it may be forgotten. */
struct io_queue {
    struct io_job *first, *last;
    struct io_queue *next;
};

MUST_CHECK int io_pool_create(unsigned max_threads, struct io_pool **out);
/* Returns when everything submitted has run. NULL is harmless. */
void io_pool_destroy(struct io_pool *pool);

/* From any thread. 0, or a negative errno: no thread could be started, and the job will not run. */
MUST_CHECK int io_pool_submit(struct io_pool *pool, struct io_queue *queue, struct io_job *job);

#endif
