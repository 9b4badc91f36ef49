/* SPDX-License-Identifier: MIT */
/* Input typed at the console, or read from standard input by a program under Ilwaco. */
#include "emu/fuzz/way.h"

#include <errno.h>
#include <stdlib.h>

static bool wants(struct fuzz_way *way, struct vm *vm, enum vm_slice slice)
{
    (void)vm;
    return way->console.asked && (slice == VM_BLOCKED || slice == VM_IDLE);
}

static int settle(struct fuzz_way *way, struct vm *vm, struct why *why)
{
    (void)way, (void)vm, (void)why;
    return 0;
}

static int put(struct fuzz_way *way, struct vm *vm, const uint8_t *input, size_t len)
{
    fuzz_console_give(&way->console, input, len);
    vm_post(vm, DENALI_IRQ_KEYBOARD);
    return 0;
}

static void destroy(struct fuzz_way *way)
{
    free(way);
}

static const struct fuzz_way_ops ops = {
    .name = "console", .wants = wants, .settle = settle, .put = put, .destroy = destroy};

int fuzz_console_way(struct fuzz_way **out)
{
    struct fuzz_way *way = calloc(1, sizeof(*way));
    if (!way)
        return -ENOMEM;
    way->ops = &ops;
    fuzz_console_init(&way->console);
    way->console.open = true;
    *out = way;
    return 0;
}
