/* SPDX-License-Identifier: MIT */
/* Invariant: `seen` is searched for the present step alone; what lies before its text is dropped
 * when that is found. */
#include "emu/test/script.h"

#include "emu/test/match.h"

#include <string.h>

void script_init(struct script *s, const struct spec *spec,
                 bool (*act)(void *opaque, const struct spec_step *step), void *opaque)
{
    *s = (struct script){.spec = spec, .act = act, .opaque = opaque};
}

void script_free(struct script *s)
{
    buffer_free(&s->seen);
}

static const struct spec_step *current(const struct script *s)
{
    return s->step < s->spec->steps ? &s->spec->step[s->step] : NULL;
}

static void drop_front(struct buffer *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

/* Looks for the step's output; what cannot be part of it any more is dropped. */
static void search(struct script *s, const struct spec_step *step, uint64_t now_ns)
{
    const struct spec_bytes *want = &step->after;
    if (s->heard || !want->data || !s->seen.len)
        return;
    const char *found = match_find(s->seen.data, s->seen.len, want);
    if (found) {
        s->heard = true;
        s->since_ns = now_ns;
        drop_front(&s->seen, (size_t)(found - s->seen.data) + want->len);
    } else if (s->seen.len >= want->len) {
        drop_front(&s->seen, s->seen.len - (want->len - 1));
    }
}

static uint64_t due_ns(const struct script *s, const struct spec_step *step)
{
    uint64_t due = s->since_ns + step->delay_ns;
    if (step->after.data && !s->heard)
        return SCRIPT_NEVER;
    return step->has_at && step->at_ns > due ? step->at_ns : due;
}

void script_run(struct script *s, uint64_t now_ns)
{
    const struct spec_step *step;
    while ((step = current(s)) != NULL) {
        search(s, step, now_ns);
        if (due_ns(s, step) > now_ns || (step->act && !s->act(s->opaque, step)))
            return;
        s->step++;
        s->heard = false;
        s->since_ns = now_ns;
    }
}

void script_listen(struct script *s, const void *text, size_t len)
{
    if (current(s))
        buffer_add(&s->seen, text, len);
}

void script_heard(struct script *s, const void *text, size_t len, uint64_t now_ns)
{
    script_listen(s, text, len);
    script_run(s, now_ns);
}

uint64_t script_next_ns(const struct script *s)
{
    const struct spec_step *step = current(s);
    return step ? due_ns(s, step) : SCRIPT_NEVER;
}

bool script_is_done(const struct script *s)
{
    return !current(s);
}

void script_tell(const struct script *s, struct buffer *out)
{
    const struct spec_step *step = current(s);
    if (!step)
        return;
    buffer_print(out, "step %u of input (of %u) ", s->step + 1, s->spec->steps);
    if (step->after.data && !s->heard) {
        buffer_text(out, "waits for the output ");
        match_quote(step->after.data, step->after.len, 100, out);
    } else {
        buffer_text(out, "was not done");
    }
}
