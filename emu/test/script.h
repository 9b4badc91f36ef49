/* SPDX-License-Identifier: MIT */
/*
 * What a test does to its guest, step by step: waits for output and for moments of the guest's
 * time, then acts. Everything happens at moments that the guest's own instructions decide, so a
 * deterministic guest sees the same at the same places whatever the host does.
 */
#ifndef DENALI_TEST_SCRIPT_H
#define DENALI_TEST_SCRIPT_H

#include "emu/test/buffer.h"
#include "emu/test/spec.h"

#define SCRIPT_NEVER UINT64_MAX

struct script {
    const struct spec *spec;
    unsigned step;      /* the one that waits; spec->steps: all are done */
    bool heard;         /* its output came */
    uint64_t since_ns;  /* the step before was done, or this one's output came */
    struct buffer seen; /* output that no step has used up */
    /* Does the step to the guest. False: not yet; it is asked again. */
    bool (*act)(void *opaque, const struct spec_step *step);
    void *opaque;
};

void script_init(struct script *s, const struct spec *spec,
                 bool (*act)(void *opaque, const struct spec_step *step), void *opaque);
void script_free(struct script *s);
/* The guest said this; script_run looks at it. */
void script_listen(struct script *s, const void *text, size_t len);
/* The guest said this, at that time: what is due is done. */
void script_heard(struct script *s, const void *text, size_t len, uint64_t now_ns);
/* Does what is due. */
void script_run(struct script *s, uint64_t now_ns);
/* When script_run is wanted next; SCRIPT_NEVER: not before something is heard. */
uint64_t script_next_ns(const struct script *s);
bool script_is_done(const struct script *s);
/* What it waits for, for a message; "" if nothing. */
void script_tell(const struct script *s, struct buffer *out);

#endif
