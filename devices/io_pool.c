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
    struct io_job *first, **last;
    unsigned queued, idle, threads, max_threads;
    bool ending;
    struct host_thread thread[];
};

static struct io_job *take(struct io_pool *pool)
{
    struct io_job *job = pool->first;
    pool->first = job->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->queued--;
    return job;
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
    pool->last = &pool->first;
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

int io_pool_submit(struct io_pool *pool, struct io_job *job)
{
    host_lock_enter(&pool->lock);
    int err = make_thread(pool);
    if (!err) {
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->queued++;
        host_lock_wake(&pool->lock);
    }
    host_lock_leave(&pool->lock);
    return err;
}
