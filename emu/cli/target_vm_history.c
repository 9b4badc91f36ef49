/* SPDX-License-Identifier: MIT */
/* The past of a VM for the debugger: every move ends with a stop that says where it stands. */
#include "emu/cli/target_vm_private.h"

#include <errno.h>
#include <string.h>

static struct target_vm *of(struct target *target)
{
    return CONTAINER_OF(target, struct target_vm, target);
}

static uint64_t now(struct target *target)
{
    return target_cpu(target)->icount;
}

static uint64_t first(struct target *target)
{
    return history_first(of(target)->history);
}

static uint64_t last(struct target *target)
{
    return history_last(of(target)->history);
}

static int stands(struct target *target, enum target_stop_kind kind, struct target_stop *stop)
{
    if (now(target) == first(target))
        kind = TARGET_STOP_HISTORY;
    *stop = (struct target_stop){.kind = kind, .icount = now(target), .eip = target_eip(target)};
    return 0;
}

static int interrupted(struct why *why)
{
    return why_fail(why, -EINTR, "interrupted: it stands where it stood");
}

static int seek(struct target *target, uint64_t icount, struct target_stop *stop, struct why *why)
{
    int err = history_seek(of(target)->history, icount, why);
    if (err == -EINTR)
        return interrupted(why);
    return err ? err : stands(target, TARGET_STOP_STEP, stop);
}

static int step_back(struct target *target, struct target_stop *stop, struct why *why)
{
    if (now(target) == first(target))
        return stands(target, TARGET_STOP_HISTORY, stop);
    return seek(target, now(target) - 1, stop, why);
}

static int continue_back(struct target *target, struct target_stop *stop, struct why *why)
{
    struct target_vm *t = of(target);
    enum vm_slice slice = history_continue_back(t->history);
    if (slice == VM_ENDED)
        return why_fail(why, -EIO, "cannot go back: %s", vm_end(t->vm)->why.text);
    if (slice == VM_STOPPED)
        return interrupted(why);
    if (slice == VM_REPLAYED)
        return stands(target, TARGET_STOP_HISTORY, stop);
    target_vm_tell(t, slice, stop);
    return 0;
}

static int save(struct target *target, const char *name, struct why *why)
{
    return history_save(of(target)->history, name, why);
}

static int restore(struct target *target, const char *name, struct target_stop *stop,
                   struct why *why)
{
    int err = history_restore(of(target)->history, name, why);
    return err ? err : stands(target, TARGET_STOP_STEP, stop);
}

static int forget(struct target *target, const char *name, struct why *why)
{
    return history_forget(of(target)->history, name, why);
}

static bool saved(struct target *target, unsigned n, const char **name, uint64_t *icount)
{
    struct history_saved one;
    if (!history_saved(of(target)->history, n, &one))
        return false;
    *name = one.name;
    *icount = one.icount;
    return true;
}

static int read_saved(struct target *target, const char *name, uint64_t addr, void *out,
                      uint64_t len)
{
    return history_read(of(target)->history, name, addr, out, len);
}

static int saved_cpu(struct target *target, const char *name, struct cpu *out)
{
    return history_read_cpu(of(target)->history, name, out);
}

static int differs(struct target *target, const char *name, uint64_t *page)
{
    return history_diff(of(target)->history, name, page);
}

static int last_write(struct target *target, uint32_t linear, uint32_t len,
                      struct target_stop *stop, struct why *why)
{
    struct target_vm *t = of(target);
    enum vm_slice slice = history_last_write(t->history, linear, len);
    if (slice == VM_ENDED)
        return why_fail(why, -EIO, "cannot go back: %s", vm_end(t->vm)->why.text);
    if (slice == VM_STOPPED)
        return interrupted(why);
    if (slice == VM_REPLAYED) {
        stands(target, TARGET_STOP_HISTORY, stop);
        stop->kind = TARGET_STOP_HISTORY;
        return 0;
    }
    target_vm_tell(t, slice, stop);
    return 0;
}

static const struct target_history_ops ops = {
    .now = now,
    .first = first,
    .last = last,
    .seek = seek,
    .step_back = step_back,
    .continue_back = continue_back,
    .save = save,
    .restore = restore,
    .forget = forget,
    .saved = saved,
    .read_saved = read_saved,
    .saved_cpu = saved_cpu,
    .differs = differs,
    .last_write = last_write,
};

static bool counts_as_stop(void *opaque, enum vm_slice slice)
{
    return !target_vm_goes_on(opaque, slice);
}

static bool is_asked(void *opaque)
{
    const struct target_vm *t = opaque;
    return target_is_asked(&t->target);
}

/* Without memory for it the session goes on without a past. */
void target_vm_keep_history(struct target_vm *t)
{
    struct why why;
    if (history_create(t->vm, 0, &t->history, &why))
        return;
    history_set_filter(t->history, counts_as_stop, t);
    history_set_asked(t->history, is_asked, t);
    t->target.history = &ops;
}
