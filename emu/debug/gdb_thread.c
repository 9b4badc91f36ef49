/* SPDX-License-Identifier: MIT */
/* Targets by gdb's thread-ids: pPID.TID with the multiprocess extension, TID without. */
#include "emu/debug/gdb_private.h"

/* A number, or -1 (all). */
static bool take_number(const char **at, uint64_t *out, bool *all)
{
    if ((*at)[0] == '-' && (*at)[1] == '1') {
        *at += 2;
        *all = true;
        return true;
    }
    bool good = gdb_take_hex(at, out);
    *all = good && !*out;
    return good;
}

bool gdb_take_thread(struct gdb *gdb, const char **at, struct target **out, bool *all)
{
    uint64_t pid = 0, tid = 0;
    bool any_thread = false;
    *out = NULL;
    if (gdb_take_char(at, 'p')) {
        if (!take_number(at, &pid, all))
            return false;
        if (gdb_take_char(at, '.') && !take_number(at, &tid, &any_thread))
            return false;
    } else if (!take_number(at, &pid, all)) {
        return false;
    }
    if (*all)
        return true;
    *out = pid <= UINT32_MAX ? loop_find(gdb->loop, (unsigned)pid) : NULL;
    return *out && (!tid || any_thread || tid == pid);
}

void gdb_put_thread(struct gdb *gdb, const struct target *target)
{
    if (gdb->multiprocess)
        gdb_put_format(gdb, "p%x.%x", target->id, target->id);
    else
        gdb_put_format(gdb, "%x", target->id);
}

struct target *gdb_live(struct gdb *gdb, struct target *wish)
{
    if (wish && !wish->ended)
        return wish;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        if (!loop_target(gdb->loop, n)->ended)
            return loop_target(gdb->loop, n);
    return NULL;
}
