/* SPDX-License-Identifier: MIT */
/*
 * --bless: the difference is shown first, then the golden file becomes what came. A test that
 * failed by anything else, too, blesses nothing: what it printed is not to be trusted.
 */
#include "emu/test/story_private.h"
#include "emu/test/tester_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int make_parent(const char *path)
{
    char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    int err = copy ? 0 : -ENOMEM;
    if (slash && slash != copy) {
        *slash = 0;
        err = story_make_folder(copy);
    }
    free(copy);
    return err;
}

/* Whole or not at all. */
static int write_golden(const struct outcome_golden *g)
{
    char *path = NULL;
    int err = make_parent(g->path);
    if (err || asprintf(&path, "%s.new", g->path) < 0)
        return err ? err : -ENOMEM;
    FILE *file = fopen(path, "wbe");
    err = file ? 0 : -errno;
    if (file && fwrite(buffer_string(&g->actual), 1, g->actual.len, file) != g->actual.len)
        err = -EIO;
    if (file && fclose(file) && !err)
        err = -errno;
    if (!err && rename(path, g->path))
        err = -errno;
    if (err)
        unlink(path);
    free(path);
    return err;
}

void tester_bless(struct tester *t, struct tester_case *c)
{
    struct outcome *o = &c->first;
    int err = 0;
    (void)t;
    if (!o->only_goldens || c->flaky) {
        buffer_text(&o->why, "not blessed: it fails by more than its golden files\n");
        return;
    }
    fprintf(stderr, "%s\n%s", c->name, buffer_string(&o->why));
    for (unsigned i = 0; !err && i < o->goldens; i++) {
        err = write_golden(&o->golden[i]);
        if (err)
            outcome_fail(o, "%s cannot be written: %s", o->golden[i].path, strerror(-err));
        else
            fprintf(stderr, "blessed: %s\n", o->golden[i].path);
    }
    if (err)
        return;
    buffer_clear(&o->why);
    o->failed = 0;
    o->verdict = VERDICT_PASSED;
}
