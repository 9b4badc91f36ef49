/* SPDX-License-Identifier: MIT */
/* The translator as an engine: construction, attachment, stop, counters. */
#include "dbt/dbt.h"

#include <errno.h>
#include <stdlib.h>

#include "dbt/engine_state.h"
#include "dbt/paged/paged.h"
#include "emu/machine/ram.h"

#if defined(__x86_64__)

static struct dbt *of_engine(struct engine *engine)
{
    return CONTAINER_OF(engine, struct dbt, engine);
}

static void on_code_write(void *opaque, gpa_t gpa, uint64_t len)
{
    smc_forget(opaque, gpa, len);
}

/* The words of the flat machine are reached by a 32-bit displacement from the window. */
static bool is_reachable(const struct cpu_flat *flat)
{
    const uint32_t word[] = {flat->fs_base,      flat->gs_base,     flat->trap_entry,
                             flat->trap_eip,     flat->trap_number, flat->trap_enabled,
                             flat->intr_enabled, flat->pending};
    for (size_t i = 0; i < ARRAY_LEN(word); i++)
        if (word[i] > INT32_MAX && word[i] != CPU_FLAT_NONE)
            return false;
    return true;
}

static int attach_paged(struct dbt *dbt, struct cpu *cpu)
{
    struct paged *paged;
    if (dbt->options.verify)
        return -ENOTSUP; /* the verifier knows the window's forms only */
    int err = paged_create(cpu, &dbt->options, &paged);
    if (err)
        return err;
    host_lock_enter(&dbt->lock);
    paged->next = dbt->paged;
    dbt->paged = paged;
    host_lock_leave(&dbt->lock);
    cpu->engine = &dbt->engine;
    cpu->engine_state = paged;
    return 0;
}

static void detach_paged(struct dbt *dbt, struct cpu *cpu)
{
    struct paged *paged = cpu->engine_state, **at = &dbt->paged;
    host_lock_enter(&dbt->lock);
    paged_add_counters(paged, &dbt->retired);
    while (*at != paged)
        at = &(*at)->next;
    *at = paged->next;
    host_lock_leave(&dbt->lock);
    cpu->engine = NULL;
    cpu->engine_state = NULL;
    paged_destroy(paged);
}

static int dbt_attach(struct engine *engine, struct cpu *cpu, uint64_t image)
{
    if (!cpu->flat)
        return attach_paged(of_engine(engine), cpu);
    if (!is_reachable(cpu->flat))
        return -EINVAL;
    int err = host_signal_prepare();
    if (err)
        return err;
    struct dbt_cpu *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    *d = (struct dbt_cpu){
        .scope = {.on_trap = fault_on_trap}, .dbt = of_engine(engine), .cpu = cpu, .key = image};
    err = member_join(d, image);
    if (err) {
        free(d);
        return err;
    }
    cpu->engine = engine;
    cpu->engine_state = d;
    ram_on_code_write(cpu->ram, on_code_write, d);
    return 0;
}

static void dbt_detach(struct engine *engine, struct cpu *cpu)
{
    struct dbt *dbt = of_engine(engine);
    struct dbt_cpu *d = cpu->engine_state;
    if (!cpu->flat) {
        detach_paged(dbt, cpu);
        return;
    }
    ram_on_code_write(cpu->ram, NULL, NULL);
    member_leave(d);
    host_lock_enter(&dbt->lock);
    dbt->retired.misses += d->misses;
    dbt->retired.exits += d->exits;
    dbt->retired.interpreted += d->interpreted;
    dbt->retired.signals += d->signals;
    host_lock_leave(&dbt->lock);
    cpu->engine = NULL;
    cpu->engine_state = NULL;
    free(d);
}

static enum engine_exit dbt_run(struct engine *engine, struct cpu *cpu, uint64_t budget)
{
    (void)engine;
    return cpu->flat ? run_cpu(cpu->engine_state, budget) : paged_run(cpu->engine_state, budget);
}

static void dbt_forget(struct engine *engine, struct cpu *cpu, gpa_t gpa, uint64_t len)
{
    (void)engine;
    if (cpu->flat)
        smc_forget(cpu->engine_state, gpa, len);
    else
        paged_forget(cpu->engine_state, gpa, len);
}

static void dbt_debug(struct engine *engine, struct cpu *cpu, uint32_t linear, uint32_t len)
{
    (void)engine;
    if (cpu->flat)
        debug_changed(cpu->engine_state, linear, len);
    else if (len)
        paged_drop_linear(cpu->engine_state, linear, len);
}

static void dbt_stop(struct engine *engine, struct cpu *cpu)
{
    (void)engine;
    __atomic_store_n(&cpu->stop_request, 1, __ATOMIC_SEQ_CST);
    if (cpu->flat)
        host_signal_kick(&((struct dbt_cpu *)cpu->engine_state)->scope);
    else
        host_signal_kick(&((struct paged *)cpu->engine_state)->scope);
}

static void add_image(struct engine_counters *sum, const struct image *image)
{
    const struct engine_counters *more = &image->counters;
    sum->blocks += more->blocks;
    sum->guest_bytes += more->guest_bytes;
    sum->host_bytes += more->host_bytes;
    sum->smc += more->smc;
    sum->evictions += more->evictions;
    for (const struct dbt_cpu *d = image->members; d; d = d->next) {
        sum->misses += d->misses;
        sum->exits += d->exits;
        sum->interpreted += d->interpreted;
        sum->signals += d->signals;
    }
}

static void dbt_counters(const struct engine *engine, struct engine_counters *out)
{
    struct dbt *dbt = CONTAINER_OF((struct engine *)(uintptr_t)engine, struct dbt, engine);
    host_lock_enter(&dbt->lock);
    *out = dbt->retired;
    out->counted = dbt->options.count;
    for (const struct image *image = dbt->images; image; image = image->next)
        add_image(out, image);
    for (const struct paged *paged = dbt->paged; paged; paged = paged->next)
        paged_add_counters(paged, out);
    host_lock_leave(&dbt->lock);
}

uint8_t *dbt_hits(struct engine *engine, struct cpu *cpu)
{
    const struct dbt_cpu *d = cpu->engine_state;
    (void)engine;
    return d->image ? d->image->hits : NULL;
}

static void dbt_report(struct engine *engine, struct cpu *cpu, void *out)
{
    const struct dbt_cpu *d = cpu->engine_state;
    if (!cpu->flat)
        return; /* never diverges, and nothing is verified */
    if (d->rejection.finding.what)
        rejection_print(&d->rejection, out);
    else
        dbt_dump_block(engine, cpu, cpu->eip,
                       out); /* lockstep leaves eip at the block that differs */
}

static void dbt_destroy(struct engine *engine)
{
    struct dbt *dbt = of_engine(engine);
    BUG_ON(dbt->images, "an engine is destroyed after its processors are detached");
    host_lock_fini(&dbt->lock);
    free(dbt);
}

static const struct engine_ops dbt_ops = {
    .name = "dbt",
    .attach = dbt_attach,
    .detach = dbt_detach,
    .run = dbt_run,
    .forget = dbt_forget,
    .debug = dbt_debug,
    .stop = dbt_stop,
    .counters = dbt_counters,
    .report = dbt_report,
    .destroy = dbt_destroy,
};

/* Whoever asks for verification gets it or an error, at once. */
static int try_verifier(const struct engine_options *options)
{
    struct verifier *verifier;
    if (!options || !options->verify)
        return 0;
    int err = verifier_create(&verifier);
    if (!err)
        verifier_destroy(verifier);
    return err;
}

int dbt_create(const struct engine_options *options, struct engine **out)
{
    struct dbt *dbt = calloc(1, sizeof(*dbt));
    if (!dbt)
        return -ENOMEM;
    int err = try_verifier(options);
    if (!err)
        err = host_lock_init(&dbt->lock);
    if (err) {
        free(dbt);
        return err;
    }
    if (options)
        dbt->options = *options;
    dbt->engine.ops = &dbt_ops;
    *out = &dbt->engine;
    return 0;
}

#else

int dbt_create(const struct engine_options *options, struct engine **out)
{
    (void)options, (void)out;
    return -ENOTSUP;
}

uint8_t *dbt_hits(struct engine *engine, struct cpu *cpu)
{
    (void)engine, (void)cpu;
    return NULL;
}

#endif
