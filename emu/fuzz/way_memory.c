/* SPDX-License-Identifier: MIT */
/*
 * Input written into the guest's memory, where a function that has just been
 * entered finds it. Bytes behind a short input keep what the snapshot has there.
 */
#include "emu/fuzz/way.h"

#include "emu/machine/ram.h"

#include <errno.h>
#include <stdlib.h>

struct memory_way {
    struct fuzz_way way;
    struct fuzz_place buffer, length;
    uint32_t max, at;
};

static struct memory_way *of(struct fuzz_way *way)
{
    return CONTAINER_OF(way, struct memory_way, way);
}

/* At a function's entry the return address is on top of the stack. */
static uint32_t argument_at(struct vm *vm, uint32_t number)
{
    return vm_cpu(vm)->gpr[ISA_ESP] + 4 * number;
}

static int read_place(struct vm *vm, const struct fuzz_place *place, uint32_t *out)
{
    switch (place->kind) {
    case FUZZ_REGISTER:
        *out = vm_cpu(vm)->gpr[place->value];
        return 0;
    case FUZZ_ARGUMENT:
        return ram_read(vm_ram(vm), argument_at(vm, place->value), out, 4);
    case FUZZ_ADDRESS:
        return ram_read(vm_ram(vm), place->value, out, 4);
    case FUZZ_NOWHERE:
        break;
    }
    return -ENOENT;
}

static int write_place(struct vm *vm, const struct fuzz_place *place, uint32_t value)
{
    switch (place->kind) {
    case FUZZ_REGISTER:
        vm_cpu(vm)->gpr[place->value] = value;
        return 0;
    case FUZZ_ARGUMENT:
        return ram_write(vm_ram(vm), argument_at(vm, place->value), &value, 4);
    case FUZZ_ADDRESS:
        return ram_write(vm_ram(vm), place->value, &value, 4);
    case FUZZ_NOWHERE:
        break;
    }
    return 0;
}

static int find_buffer(struct memory_way *m, struct vm *vm)
{
    if (m->buffer.kind != FUZZ_ADDRESS)
        return read_place(vm, &m->buffer, &m->at);
    m->at = m->buffer.value;
    return 0;
}

static int settle(struct fuzz_way *way, struct vm *vm, struct why *why)
{
    struct memory_way *m = of(way);
    uint32_t length = 0;
    if (find_buffer(m, vm))
        return why_fail(why, -EFAULT, "at the start, the place of the buffer cannot be read");
    if (!m->max && !read_place(vm, &m->length, &length) && length <= FUZZ_INPUT_MAX)
        m->max = length;
    if (!m->max)
        m->max = PAGE_SIZE;
    if (!ram_span_write(vm_ram(vm), m->at, m->max))
        return why_fail(why, -EFAULT, "the guest has no %u writable bytes at 0x%x; say max=N",
                        m->max, m->at);
    return 0;
}

static int put(struct fuzz_way *way, struct vm *vm, const uint8_t *input, size_t len)
{
    struct memory_way *m = of(way);
    uint32_t n = len < m->max ? (uint32_t)len : m->max;
    fuzz_console_give(&way->console, NULL, 0);
    int err = ram_write(vm_ram(vm), m->at, input, n);
    return err ? err : write_place(vm, &m->length, n);
}

static void destroy(struct fuzz_way *way)
{
    free(of(way));
}

static const struct fuzz_way_ops ops = {
    .name = "memory", .settle = settle, .put = put, .destroy = destroy};

int fuzz_memory_way(struct fuzz_place buffer, struct fuzz_place length, uint32_t max,
                    struct fuzz_way **out)
{
    struct memory_way *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    *m = (struct memory_way){.way.ops = &ops, .buffer = buffer, .length = length, .max = max};
    fuzz_console_init(&m->way.console);
    *out = &m->way;
    return 0;
}
