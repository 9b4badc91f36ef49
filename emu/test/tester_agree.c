/* SPDX-License-Identifier: MIT */
/*
 * A test under several engines, or with an older image beside the new one: what it did must be the
 * same. Of a native run only what a program shows is known: what it printed, and its status.
 */
#include "emu/test/match.h"
#include "emu/test/tester_private.h"

#include <string.h>

#define DIFF_LINES 20u

static bool shown_same(const struct outcome *a, const struct outcome *b, struct buffer *what)
{
    const struct buffer *x[] = {&a->out, &a->err}, *y[] = {&b->out, &b->err};
    static const char *const names[] = {"stdout", "stderr"};
    if (a->status != b->status) {
        buffer_print(what, "%s there, %s here\n", buffer_string(&a->end_text),
                     buffer_string(&b->end_text));
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (x[i]->len == y[i]->len && !(x[i]->len && memcmp(x[i]->data, y[i]->data, x[i]->len)))
            continue;
        buffer_print(what, "%s (- there, + here):\n", names[i]);
        match_diff(buffer_string(x[i]), x[i]->len, buffer_string(y[i]), y[i]->len, DIFF_LINES,
                   what);
        return false;
    }
    return true;
}

static bool is_native(const struct tester_case *c)
{
    return c->engine && !strcmp(c->engine, "native");
}

/* Images may take their own time; what a guest shows must be the same. */
static bool agree(const struct tester *t, const struct tester_case *a, const struct tester_case *b,
                  struct buffer *what)
{
    if (!shown_same(&a->first, &b->first, what))
        return false;
    if (is_native(a) || is_native(b) || a->image != b->image || t->options->real_time)
        return true;
    return outcome_same(&a->first, &b->first, what);
}

void tester_agree(struct tester *t, struct tester_case *c)
{
    struct tester_case *first = &t->cases[(c - t->cases) / t->variants * t->variants];
    struct buffer what = {0};
    if (c == first || c->first.verdict == VERDICT_SKIPPED ||
        first->first.verdict == VERDICT_SKIPPED)
        return;
    if (!agree(t, first, c, &what)) {
        outcome_fail(&c->first, "it does not do as %s: %s", first->name, buffer_string(&what));
        c->first.verdict = VERDICT_FAILED;
    }
    buffer_free(&what);
}
