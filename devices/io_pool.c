/* SPDX-License-Identifier: MIT */
/*
 * A queue and its threads. Everything in struct io_pool is behind the lock;
 * `idle` counts the threads that wait, so a job that finds none makes one.
 */
#include "devices/io_pool.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>

struct io_pool {
    struct host_lock lock;
    struct io_queue *first, *last; /* those that have jobs */
    unsigned queued, idle, threads, max_threads;
    bool ending;
    struct host_thread thread[];
};

static void append_queue(struct io_pool *pool, struct io_queue *queue)
{
    queue->next = NULL;
    if (pool->first)
        pool->last->next = queue;
    else
        pool->first = queue;
    pool->last = queue;
}

/* The next queue's first job; what is left of the queue goes behind the others. */
static struct io_job *take(struct io_pool *pool)
{
    struct io_queue *queue = pool->first;
    struct io_job *job = queue->first;
    pool->first = queue->next;
    queue->first = job->next;
    if (queue->first)
        append_queue(pool, queue);
    pool->queued--;
    return job;
}

static void append_job(struct io_pool *pool, struct io_queue *queue, struct io_job *job)
{
    job->next = NULL;
    if (queue->first)
        queue->last->next = job;
    else
        append_queue(pool, queue);
    if (!queue->first)
        queue->first = job;
    queue->last = job;
    pool->queued++;
}

static void work(void *opaque)
{
    struct io_pool *pool = opaque;
    host_lock_enter(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->ending) {
            pool->idle++;
            host_lock_wait(&pool->lock);
            pool->idle--;
        }
        if (!pool->first)
            break;
        struct io_job *job = take(pool);
        host_lock_leave(&pool->lock);
        job->run(job);
        host_lock_enter(&pool->lock);
    }
    host_lock_leave(&pool->lock);
}

int io_pool_create(unsigned max_threads, struct io_pool **out)
{
    struct io_pool *pool = calloc(1, sizeof(*pool) + max_threads * sizeof(pool->thread[0]));
    if (!pool)
        return -ENOMEM;
    int err = host_lock_init(&pool->lock);
    if (err) {
        free(pool);
        return err;
    }
    pool->max_threads = max_threads;
    *out = pool;
    return 0;
}

void io_pool_destroy(struct io_pool *pool)
{
    if (!pool)
        return;
    host_lock_enter(&pool->lock);
    pool->ending = true;
    host_lock_wake(&pool->lock);
    host_lock_leave(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++)
        host_thread_join(&pool->thread[i]);
    host_lock_fini(&pool->lock);
    free(pool);
}

/* Inside the lock. Fails only if there is no thread at all. */
static int make_thread(struct io_pool *pool)
{
    if (pool->idle > pool->queued || pool->threads == pool->max_threads)
        return 0;
    int err = host_thread_start(&pool->thread[pool->threads], "denali-io", work, pool);
    if (!err)
        pool->threads++;
    return pool->threads ? 0 : err;
}

int io_pool_submit(struct io_pool *pool, struct io_queue *queue, struct io_job *job)
{
    host_lock_enter(&pool->lock);
    int err = make_thread(pool);
    if (!err) {
        append_job(pool, queue, job);
        host_lock_wake(&pool->lock);
    }
    host_lock_leave(&pool->lock);
    return err;
}
