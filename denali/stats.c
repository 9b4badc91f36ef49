/* SPDX-License-Identifier: MIT */
/* What a VM did, for people or as one JSON object. Names in it were made printable when they came.
 */
#include "denali/vm_private.h"

#include <stdio.h>

typedef unsigned long long ull;

static const char *const exit_names[ENGINE_EXITS] = {
    [ENGINE_EXIT_BUDGET] = "budget",         [ENGINE_EXIT_HALT] = "halt",
    [ENGINE_EXIT_HYPERCALL] = "hypercall",   [ENGINE_EXIT_PORT] = "port",
    [ENGINE_EXIT_FAULT] = "fault",           [ENGINE_EXIT_STOP] = "stop",
    [ENGINE_EXIT_BREAKPOINT] = "breakpoint", [ENGINE_EXIT_WATCHPOINT] = "watchpoint",
    [ENGINE_EXIT_DIVERGED] = "diverged",     [ENGINE_EXIT_SHUTDOWN] = "shutdown",
    [ENGINE_EXIT_REJECTED] = "rejected",
};

static const char *const kinds[] = {"none", "console", "keyboard", "timer", "nic", "disk"};

struct pair {
    const char *name;
    uint64_t value;
};

static void print_pairs(FILE *out, const struct pair *pair, unsigned count, bool json)
{
    for (unsigned i = 0; i < count; i++) {
        if (json)
            fprintf(out, "%s\"%s\":%llu", i ? "," : "", pair[i].name, (ull)pair[i].value);
        else
            fprintf(out, "%s%llu %s", i ? ", " : "", (ull)pair[i].value, pair[i].name);
    }
}

static void print_exits(FILE *out, const struct vm *vm, bool json)
{
    struct pair pair[ENGINE_EXITS];
    unsigned n = 0;
    for (unsigned i = 0; i < ENGINE_EXITS; i++) {
        if (vm->counters.exits[i])
            pair[n++] = (struct pair){exit_names[i], vm->counters.exits[i]};
    }
    fputs(json ? ",\"exits\":{" : "  exits: ", out);
    print_pairs(out, pair, n, json);
    fputs(json ? "}" : "\n", out);
}

static void print_engine(FILE *out, const struct vm *vm, bool json)
{
    struct engine_counters c = {0};
    vm->engine->ops->counters(vm->engine, &c);
    const struct pair pair[] = {
        {"blocks", c.blocks},       {"guest_bytes", c.guest_bytes}, {"host_bytes", c.host_bytes},
        {"misses", c.misses},       {"interpreted", c.interpreted}, {"smc", c.smc},
        {"evictions", c.evictions}, {"signals", c.signals},
    };
    fprintf(out, json ? ",\"engine\":{\"name\":\"%s\"," : "  engine %s: ", vm->engine->ops->name);
    print_pairs(out, pair, ARRAY_LEN(pair), json);
    fputs(json ? "}" : "\n", out);
}

static void print_devices(FILE *out, const struct vm *vm, bool json)
{
    fputs(json ? ",\"devices\":[" : "", out);
    for (unsigned i = 0; i < vm->devices; i++) {
        const struct vdev *dev = vm->device[i];
        const char *kind = kinds[dev->ops->kind];
        fprintf(out, json ? "%s{\"name\":\"%s\",\"kind\":\"%s\"," : "%s  %s (%s): ",
                json && i ? "," : "", dev->name, kind);
        dev->ops->print(dev, out, json);
        fputs(json ? "}" : "\n", out);
    }
    fputs(json ? "]" : "", out);
}

static void print_unknown(FILE *out, const struct vm *vm, bool json)
{
    fputs(json ? ",\"unknown\":[" : "", out);
    for (unsigned i = 0; i < vm->unknowns; i++) {
        const struct vm_unknown *u = &vm->unknown[i];
        fprintf(out,
                json ? "%s{\"number\":%u,\"name\":\"%s\",\"count\":%llu}"
                     : "%s  not there: number %u (%s), asked %llu times\n",
                json && i ? "," : "", u->number, u->name, (ull)u->count);
    }
    if (!json && vm->counters.unknown_others)
        fprintf(out, "  not there: others, asked %llu times\n", (ull)vm->counters.unknown_others);
    fputs(json ? "]" : "", out);
}

void vm_print_stats(struct vm *vm, void *file, bool json)
{
    FILE *out = file;
    const struct vm_counters *c = &vm->counters;
    struct engine_counters engine;
    vm->engine->ops->counters(vm->engine, &engine);
    unsigned first = !engine.counted; /* a number that is not exact is left out */
    const struct pair pair[] = {
        {"instructions", vm->cpu->icount}, {"idles", c->idles},      {"upcalls", c->upcalls},
        {"faults_delivered", c->faults},   {"boot_ns", vm->boot_ns},
    };
    uint64_t ns = clock_now_ns(vm->clock);
    fprintf(out,
            json ? "{\"time_ns\":%llu,\"mem_bytes\":%llu," : "denali: %llu ns, %llu bytes of RAM, ",
            (ull)ns, (ull)vm->mem_bytes);
    print_pairs(out, pair + first, ARRAY_LEN(pair) - first, json);
    fputs(json ? "" : "\n", out);
    print_exits(out, vm, json);
    print_engine(out, vm, json);
    print_devices(out, vm, json);
    print_unknown(out, vm, json);
    fputs(json ? "}\n" : "", out);
    fflush(out);
}
