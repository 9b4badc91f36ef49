/* SPDX-License-Identifier: MIT */
/* The mirror takes memory only for pages that are not all zero. */
#include "dbt/lockstep/lockstep_mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/base/host.h"

/* Comparing takes a nanosecond for so many bytes, an instruction in lockstep 20 times as long. */
#define BYTES_PER_INSTRUCTION 4u
#define BYTES_PER_INSTRUCTION_AT_END 16u

int lockstep_mirror_init(struct lockstep_mirror *m, struct ram *ram)
{
    uint64_t pages = ram_size(ram) >> PAGE_BITS;
    void *bytes = NULL;
    *m = (struct lockstep_mirror){.ram = ram};
    m->expected = calloc(pages, 1);
    m->list = malloc(pages * sizeof(*m->list));
    int err = m->expected && m->list ? host_reserve(ram_size(ram), PAGE_SIZE, &bytes) : -ENOMEM;
    if (!err) {
        m->bytes = bytes;
        err = host_commit(bytes, ram_size(ram), HOST_R | HOST_W);
    }
    if (err)
        lockstep_mirror_fini(m);
    for (uint64_t page = 0; !err && page < pages; page++) {
        m->expected[page] = 1;
        m->list[m->count++] = (uint32_t)page;
    }
    return err;
}

void lockstep_mirror_fini(struct lockstep_mirror *m)
{
    if (m->bytes)
        host_release(m->bytes, ram_size(m->ram));
    free(m->expected);
    free(m->list);
    *m = (struct lockstep_mirror){0};
}

void lockstep_mirror_expect(struct lockstep_mirror *m, gpa_t gpa, uint64_t len)
{
    uint64_t size = m->bytes ? ram_size(m->ram) : 0;
    if (!len || gpa >= size)
        return;
    uint64_t end = len < size - gpa ? gpa + len : size;
    for (uint64_t page = gpa >> PAGE_BITS; page <= (end - 1) >> PAGE_BITS; page++) {
        if (m->expected[page])
            continue;
        lockstep_mirror_look(m, page << PAGE_BITS);
        m->expected[page] = 1;
        m->list[m->count++] = (uint32_t)page;
    }
}

void lockstep_mirror_take(struct lockstep_mirror *m, gpa_t page)
{
    if (m->bytes && memcmp(m->bytes + page, ram_base(m->ram) + page, PAGE_SIZE))
        memcpy(m->bytes + page, ram_base(m->ram) + page, PAGE_SIZE);
}

void lockstep_mirror_begin(struct lockstep_mirror *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        m->expected[m->list[i]] = 0;
        lockstep_mirror_take(m, (gpa_t)m->list[i] << PAGE_BITS);
    }
    m->count = 0;
}

void lockstep_mirror_look(struct lockstep_mirror *m, gpa_t page)
{
    if (!m->bytes || m->found || m->expected[page >> PAGE_BITS])
        return;
    const uint8_t *want = m->bytes + page, *have = ram_base(m->ram) + page;
    if (!memcmp(want, have, PAGE_SIZE))
        return;
    uint32_t at = 0;
    while (want[at] == have[at])
        at++;
    m->found = true;
    m->at = page + at;
    m->was = want[at];
    m->is = have[at];
}

void lockstep_mirror_check(struct lockstep_mirror *m, uint64_t icount, bool end)
{
    if (!m->bytes)
        return;
    uint64_t size = ram_size(m->ram);
    uint64_t period = size / (end ? BYTES_PER_INSTRUCTION_AT_END : BYTES_PER_INSTRUCTION);
    if (icount - m->checked_at < period)
        return;
    for (gpa_t page = 0; page < size && !m->found; page += PAGE_SIZE)
        lockstep_mirror_look(m, page);
    if (!m->found)
        m->checked_at = icount;
}
