/* SPDX-License-Identifier: MIT */
/*
 * What happens to a block that the verifier refuses: it is never published, so
 * nothing can jump to it, and the processor's run ends with a report that says
 * what could not be shown and where. A refusal is a bug of ours, of the
 * translator or of the verifier; the guest may have looked for it.
 */
#include <stdio.h>
#include <string.h>

#include "dbt/engine_state.h"
#include "dbt/text.h"
#include "emu/machine/ram.h"

static void keep_guest(struct dbt_rejection *r, const struct ram *ram)
{
    r->guest_len = sizeof(r->guest);
    while (r->guest_len && ram_read(ram, r->guest_eip, r->guest, r->guest_len))
        r->guest_len--;
}

bool rejection_check(struct image *image, struct dbt_cpu *d, const struct block *block)
{
    struct dbt_rejection *r = &d->rejection;
    const struct verify_code code = {.cache = image->cache.rw,
                                     .body = {block->host, block->host_len},
                                     .exits = {block->stubs, block->stubs_len},
                                     .stubs = &image->stubs};
    struct verify_finding finding;
    if (verify_block(image->verifier, &code, &finding))
        return true;
    bool in_body = finding.at - block->host < block->host_len;
    uint32_t end = in_body ? block->host + block->host_len : block->stubs + block->stubs_len;
    uint32_t left = end - finding.at;
    r->finding = finding;
    r->eip = block->eip;
    r->guest_eip = in_body ? block_side_at(block, finding.at)->eip : block->eip;
    r->host_bytes = (uint8_t)(left < REJECTION_BYTES ? left : REJECTION_BYTES);
    memcpy(r->host, image->cache.rw + finding.at, r->host_bytes);
    keep_guest(r, d->cpu->ram);
    return false;
}

void rejection_print(const struct dbt_rejection *r, void *out)
{
    fprintf(out,
            "denali: the verifier refused the translation of the code at 0x%08x: %s\n"
            "  at 0x%x in the code cache; the guest's instruction and what became of it:\n",
            r->eip, r->finding.what, r->finding.at);
    text_print(32, r->guest, r->guest_len, r->guest_eip, 1, "    ", out);
    text_print(64, r->host, r->host_bytes, r->finding.at, 0, "    ", out);
}
