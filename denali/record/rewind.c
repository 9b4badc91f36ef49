/* SPDX-License-Identifier: MIT */
/*
 * What the VM wrote is found by asking the host which pages are no longer the
 * snapshot's (ram_find_changed). They stay the VM's own after they were copied
 * back: the next run will write most of them again, and a copy costs far less
 * than giving a page up and having it again.
 */
#include "denali/record/rewind.h"

#include "denali/vm_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rewind {
    const struct snapshot *snapshot;
    struct vm *vm;
    uint8_t *changed; /* a bit for each page */
    size_t changed_bytes;
    uint64_t access_changes; /* of the RAM, when it had the snapshot's rights */
    uint32_t pages;
};

int rewind_create(const struct vm_config *config, struct rewind **out, struct why *why)
{
    BUG_ON(!config->snapshot, "there is nothing to go back to");
    struct rewind *r = calloc(1, sizeof(*r));
    if (!r)
        return why_fail(why, -ENOMEM, "no memory");
    r->snapshot = config->snapshot;
    r->changed_bytes = ((snapshot_mem_bytes(r->snapshot) >> PAGE_BITS) / 64 + 1) * sizeof(uint64_t);
    r->changed = malloc(r->changed_bytes);
    int err = r->changed ? vm_create(config, &r->vm, why) : why_fail(why, -ENOMEM, "no memory");
    if (err) {
        rewind_destroy(r);
        return err;
    }
    r->access_changes = ram_access_changes(r->vm->ram);
    *out = r;
    return 0;
}

void rewind_destroy(struct rewind *r)
{
    if (!r)
        return;
    vm_destroy(r->vm);
    free(r->changed);
    free(r);
}

struct vm *rewind_vm(struct rewind *r)
{
    return r->vm;
}

uint32_t rewind_pages(const struct rewind *r)
{
    return r->pages;
}

static uint32_t count_changed(const struct rewind *r)
{
    uint32_t n = 0;
    for (size_t i = 0; i < r->changed_bytes; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, r->changed + i, sizeof(word));
        n += word ? (unsigned)__builtin_popcountll(word) : 0;
    }
    return n;
}

static int give_rights_back(struct rewind *r)
{
    struct ram *ram = r->vm->ram;
    if (ram_access_changes(ram) == r->access_changes)
        return 0;
    int err = ram_reset_rights(ram);
    r->access_changes = ram_access_changes(ram);
    return err;
}

int rewind_go(struct rewind *r)
{
    struct ram *ram = r->vm->ram;
    memset(r->changed, 0, r->changed_bytes);
    int err = ram_find_changed(ram, r->changed);
    if (err)
        return err;
    r->pages = count_changed(r);
    err = ram_reset(ram, r->changed, UINT32_MAX);
    if (!err)
        err = give_rights_back(r);
    return err ? err : snapshot_load_state(r->snapshot, r->vm, VM_TIME_SAVED);
}
