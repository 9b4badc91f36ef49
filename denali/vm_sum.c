/* SPDX-License-Identifier: MIT */
/*
 * A number for a whole machine. Pages are looked at only where something may be,
 * but it does not show in the sum which those were: zero pages count as nothing, whether
 * touched or not.
 */
#include "denali/vm_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was touched, what the image was mapped to, what the VM's own snapshot holds. */
int vm_find_pages(struct vm *vm, uint8_t *bits)
{
    uint32_t pages = (uint32_t)(vm->mem_bytes >> PAGE_BITS);
    uint64_t end = vm->snapshot ? 0 : (image_end(vm->image) + PAGE_MASK) >> PAGE_BITS;
    memset(bits, 0, vm_page_bits(vm));
    int err = ram_find_changed(vm->ram, bits);
    if (err == -ENOTSUP)
        memset(bits, 0xff, pages / 8);
    for (uint32_t page = 0; page < pages; page++) {
        if (page < end || err == -ENOTSUP ||
            (vm->snapshot && ram_source_filled(snapshot_source(vm->snapshot), page)))
            bits[page >> 3] |= (uint8_t)(1u << (page & 7));
    }
    return err == -ENOTSUP ? 0 : err;
}

/* Each page's sum is bound to its place; the order of adding does not matter. */
static int sum_pages(struct vm *vm, const uint8_t *bits, uint64_t *sum)
{
    uint8_t copy[PAGE_SIZE];
    for (uint32_t page = 0; page < vm->mem_bytes >> PAGE_BITS; page++) {
        if (!bits[page >> 3]) {
            page |= 7;
            continue;
        }
        if (!(bits[page >> 3] >> (page & 7) & 1))
            continue;
        const uint8_t *at = ram_peek(vm->ram, (gpa_t)page << PAGE_BITS, copy);
        if (!at)
            return -ENOMEM;
        if (at[0] || memcmp(at, at + 1, PAGE_SIZE - 1)) {
            uint64_t pair[2] = {page, tape_sum(at, PAGE_SIZE)};
            *sum += tape_sum(pair, sizeof(pair));
        }
    }
    return 0;
}

static void sum_rights(struct vm *vm, uint64_t *sum)
{
    for (uint32_t page = 0; page < vm->mem_bytes >> PAGE_BITS; page++) {
        uint64_t pair[2] = {page, ram_access(vm->ram, (gpa_t)page << PAGE_BITS)};
        if (pair[1] != (HOST_R | HOST_W))
            *sum += tape_sum(pair, sizeof(pair));
    }
}

int vm_state_sum(struct vm *vm, uint64_t *out)
{
    size_t size = vm_state_size(vm);
    uint8_t *state = malloc(size), *bits = malloc(vm_page_bits(vm));
    int err = state && bits ? vm_find_pages(vm, bits) : -ENOMEM;
    if (!err) {
        vm_state_strict(vm, state);
        *out = tape_sum(state, size);
        err = sum_pages(vm, bits, out);
    }
    if (!err)
        sum_rights(vm, out);
    free(state);
    free(bits);
    return err;
}
