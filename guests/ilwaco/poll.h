/* SPDX-License-Identifier: MIT */
/* poll, select and epoll: waiting for many files at once. */
#ifndef ILWACO_POLL_H
#define ILWACO_POLL_H

#include "guests/ilwaco/kernel.h"

/* Collects the queues that a poll visits; poll_add puts a waiter on each. */
struct poll_set {
    void (*add)(struct poll_set *set, struct wait_queue *queue);
};

/* The events of `file` that hold now; a file without the operation is always ready. */
uint32_t file_poll(struct file *file, struct poll_set *set);

/* The file is about to go: epoll sets that watch it let go of it. */
void epoll_forget_file(struct file *file);

#endif
