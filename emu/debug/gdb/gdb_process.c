/* SPDX-License-Identifier: MIT */
/*
 * Processes come and go: attach, kill, run. A target that has ended, or was
 * killed, runs again by going back to the beginning of its past and forgetting
 * what came after; without a past there is no second run.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct target *take_process(struct gdb *gdb, const char *packet, const char *name)
{
    const char *at = packet + strlen(name);
    uint64_t id;
    bool good = gdb_take_hex(&at, &id) && id <= UINT32_MAX;
    return good ? loop_find(gdb->loop, (unsigned)id) : NULL;
}

void gdb_handle_attach(struct gdb *gdb, const char *packet)
{
    struct target *target = take_process(gdb, packet, "vAttach;");
    if (!target || target->ended) {
        gdb_put_error(gdb, -ESRCH);
        return;
    }
    loop_halt(gdb->loop); /* it may have been let go before */
    gdb_forget_threads(gdb);
    gdb_watch_signals(gdb, target);
    gdb_put_stop(gdb, target);
}

void gdb_handle_kill(struct gdb *gdb, const char *packet)
{
    struct target *target = take_process(gdb, packet, "vKill;");
    if (!target) {
        gdb_put_error(gdb, -ESRCH);
        return;
    }
    gdb_remove_points(gdb, target);
    gdb_ignore_signals(gdb, target);
    loop_kill(gdb->loop, target);
    gdb_put(gdb, "OK");
}

/* Whose time is up: the selected one, if it is. */
static struct target *ended(struct gdb *gdb)
{
    if (gdb->general.target->ended)
        return gdb->general.target;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        if (loop_target(gdb->loop, n)->ended)
            return loop_target(gdb->loop, n);
    return NULL;
}

/* Memory that is written, even with what is there already, ends the future that was known. */
static int begin_new_future(struct target *target)
{
    uint8_t byte;
    int err = target->ops->read(target, TARGET_PHYSICAL, 0, &byte, 1);
    return err ? err : target->ops->write(target, TARGET_PHYSICAL, 0, &byte, 1);
}

/* What a vRun names behind its file: texts in hex, each behind a semicolon. */
struct arguments {
    char *text;
    const char **list; /* NULL-ended, into `text` */
};

static void free_arguments(struct arguments *args)
{
    free(args->text);
    free(args->list);
}

static int take_arguments(const char *at, struct arguments *out)
{
    size_t len = strlen(at) + 1, count = 0, used = 0;
    *out = (struct arguments){.text = calloc(1, len), .list = calloc(len, sizeof(*out->list))};
    if (!out->text || !out->list)
        return -ENOMEM;
    while (gdb_take_char(&at, ';')) {
        char *text = out->text + used;
        if (*at && *at != ';' && !gdb_take_text(&at, text, len - used))
            return -EINVAL;
        out->list[count++] = text;
        used += strlen(text) + 1;
    }
    return *at ? -EINVAL : 0;
}

static int restart(struct gdb *gdb, struct target *target, const char *const *args)
{
    struct target_stop stop = {.kind = TARGET_STOP_NONE};
    struct why why;
    if (!target_goes_back(target) || target->history->first(target))
        return -ENOTSUP;
    int err = target->history->seek(target, 0, &stop, &why);
    if (!err && args[0])
        err = target->ops->set_args ? target->ops->set_args(target, args, &why) : -ENOTSUP;
    if (!err)
        err = begin_new_future(target);
    if (err)
        return err;
    gdb_remove_points(gdb, target); /* gdb takes out none of what has ended */
    loop_revive(gdb->loop, target);
    stop.kind = TARGET_STOP_START;
    target->stop = stop;
    gdb->signals.dies = NULL;
    gdb_forget_threads(gdb);
    gdb_run_to_program(gdb, target);
    gdb_watch_signals(gdb, target);
    return 0;
}

/* vRun;FILE;ARGUMENT...: the same program, whatever the file is called; with the same arguments
 * where none are named. */
void gdb_handle_vrun(struct gdb *gdb, const char *packet)
{
    struct target *target = ended(gdb);
    const char *behind = strchr(packet + strlen("vRun;"), ';');
    struct arguments args;
    int err = take_arguments(behind ? behind : "", &args);
    if (!err)
        err = target ? restart(gdb, target, args.list) : -ESRCH;
    free_arguments(&args);
    if (err)
        gdb_put_error(gdb, err);
    else
        gdb_put_stop(gdb, target);
}
