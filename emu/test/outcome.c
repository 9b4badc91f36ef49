/* SPDX-License-Identifier: MIT */
/* Outcomes as bytes, and one against another. */
#include "emu/test/outcome.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Every number and every text that goes to the other process. */
#define NUMBERS(o)                                                                                 \
    {                                                                                              \
        &(o)->status, &(o)->signal, &(o)->instructions, &(o)->guest_ns, &(o)->host_ns, &(o)->sum,  \
            &(o)->world, &(o)->wrong_at, &(o)->failed                                              \
    }
#define TEXTS(o)                                                                                   \
    {                                                                                              \
        &(o)->end_text, &(o)->why, &(o)->out, &(o)->err, &(o)->all, &(o)->serial, &(o)->screen,    \
            &(o)->report, &(o)->story, &(o)->folder, &(o)->picture                                 \
    }

void outcome_free(struct outcome *o)
{
    struct buffer *texts[] = TEXTS(o);
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        buffer_free(texts[i]);
    for (unsigned i = 0; i < o->goldens; i++) {
        free(o->golden[i].owned);
        buffer_free(&o->golden[i].actual);
    }
    memset(o, 0, sizeof(*o));
}

void outcome_fail(struct outcome *o, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    o->failed++;
    if (len < 0)
        return;
    buffer_add(&o->why, text, (size_t)len);
    if (!len || text[len - 1] != '\n')
        buffer_text(&o->why, "\n");
    free(text);
}

void outcome_add_golden(struct outcome *o, const char *path, const void *actual, size_t len,
                        bool picture)
{
    if (o->goldens == OUTCOME_GOLDENS)
        return;
    struct outcome_golden *g = &o->golden[o->goldens++];
    g->owned = strdup(path);
    g->path = g->owned ? g->owned : "";
    g->picture = picture;
    buffer_add(&g->actual, actual, len);
}

void outcome_pack(const struct outcome *o, struct buffer *out)
{
    const uint64_t *numbers[] = NUMBERS(o);
    const struct buffer *texts[] = TEXTS(o);
    buffer_put_number(out, o->verdict);
    buffer_put_number(out, o->end);
    buffer_put_number(out, o->booted);
    buffer_put_number(out, o->only_goldens);
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
        buffer_put_number(out, *numbers[i]);
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        buffer_put_bytes(out, texts[i]->data, texts[i]->len);
    buffer_put_number(out, o->goldens);
    for (unsigned i = 0; i < o->goldens; i++) {
        buffer_put_bytes(out, o->golden[i].path, strlen(o->golden[i].path));
        buffer_put_bytes(out, o->golden[i].actual.data, o->golden[i].actual.len);
        buffer_put_number(out, o->golden[i].picture);
    }
}

bool outcome_unpack(struct buffer_reader *in, struct outcome *o)
{
    uint64_t *numbers[] = NUMBERS(o);
    struct buffer *texts[] = TEXTS(o), path = {0};
    o->verdict = (enum outcome_verdict)(buffer_get_number(in) % VERDICTS);
    o->end = (enum outcome_end)(buffer_get_number(in) % (END_HOST + 1));
    o->booted = buffer_get_number(in);
    o->only_goldens = buffer_get_number(in);
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
        *numbers[i] = buffer_get_number(in);
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        buffer_get_bytes(in, texts[i]);
    uint64_t goldens = buffer_get_number(in);
    for (uint64_t i = 0; !in->bad && i < goldens && i < OUTCOME_GOLDENS; i++) {
        struct buffer actual = {0};
        buffer_clear(&path);
        buffer_get_bytes(in, &path);
        buffer_get_bytes(in, &actual);
        bool picture = buffer_get_number(in);
        outcome_add_golden(o, buffer_string(&path), actual.data, actual.len, picture);
        buffer_free(&actual);
    }
    buffer_free(&path);
    return !in->bad;
}

/* ---- one against another ---- */

static bool same_text(const struct buffer *a, const struct buffer *b, const char *name,
                      struct buffer *what)
{
    size_t i = 0;
    if (a->len == b->len && !(a->len && memcmp(a->data, b->data, a->len)))
        return true;
    while (i < a->len && i < b->len && a->data[i] == b->data[i])
        i++;
    buffer_print(what, "%s differs from byte %zu on (%zu bytes, then %zu)", name, i, a->len,
                 b->len);
    return false;
}

static bool same_number(uint64_t a, uint64_t b, const char *name, struct buffer *what)
{
    if (a != b)
        buffer_print(what, "%s: %llu, then %llu", name, (unsigned long long)a,
                     (unsigned long long)b);
    return a == b;
}

bool outcome_same(const struct outcome *a, const struct outcome *b, struct buffer *what)
{
    if (a->end != b->end) {
        buffer_print(what, "it ended otherwise: %s, then %s", buffer_string(&a->end_text),
                     buffer_string(&b->end_text));
        return false;
    }
    if (a->end == END_SECONDS)
        return true; /* where the host's clock ended it tells nothing */
    return same_number(a->status, b->status, "status", what) &&
           same_text(&a->out, &b->out, "stdout", what) &&
           same_text(&a->err, &b->err, "stderr", what) &&
           same_text(&a->all, &b->all, "console", what) &&
           same_text(&a->serial, &b->serial, "serial", what) &&
           same_text(&a->screen, &b->screen, "screen", what) &&
           same_number(a->instructions, b->instructions, "instructions", what) &&
           same_number(a->guest_ns, b->guest_ns, "the guest's time", what) &&
           same_number(a->world, b->world, "frames and disks", what) &&
           same_number(a->sum, b->sum, "the sum of the whole state", what);
}

static uint64_t mix(uint64_t sum, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ p[i]) * 0x100000001b3u;
    return sum ^ (sum >> 29) ^ len;
}

uint64_t outcome_sum(const struct outcome *o)
{
    const uint64_t numbers[] = {o->end,      o->status, o->signal, o->instructions,
                                o->guest_ns, o->sum,    o->world};
    const struct buffer *texts[] = {&o->out, &o->err, &o->all, &o->serial, &o->screen};
    uint64_t sum = mix(0xcbf29ce484222325u, numbers, sizeof(numbers));
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        sum = mix(sum, texts[i]->data, texts[i]->len);
    return sum;
}

const char *outcome_verdict_name(enum outcome_verdict verdict)
{
    static const char *const names[VERDICTS] = {"passed", "failed", "skipped", "known",
                                                "unexpected"};
    return names[verdict];
}

const char *outcome_end_name(enum outcome_end end)
{
    static const char *const names[] = {
        "not-run",          "exit",    "signal",     "fault",  "stopped", "hang",
        "max-instructions", "timeout", "max-output", "engine", "host"};
    return names[end];
}

bool outcome_is_bad(const struct outcome *o)
{
    return o->verdict == VERDICT_FAILED || o->verdict == VERDICT_UNEXPECTED;
}
