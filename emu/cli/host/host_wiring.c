/* SPDX-License-Identifier: MIT */
/* What a worker needs of the floors above it: engines, and machines from command lines. */
#include "emu/cli/host/host_wiring.h"

#include "emu/cli/run/run_engine.h"
#include "emu/cli/run/run_resources.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct machine {
    char **words; /* the options point into them */
    struct run_options options;
    struct run_options bare; /* without a NIC; resources point into it */
    struct boot boot;
    struct run_resources resources;
    struct vm_resource disk[RUN_MAX_DISKS + 3];
    const char *file[RUN_MAX_DISKS + 3];
    unsigned disks;
};

static int make_engine(bool verify, struct engine **out, struct why *why)
{
    const struct run_options options = {.verify = verify};
    return run_engine_create(&options, out, why);
}

static void close_machine(struct worker_machine *out)
{
    struct machine *m = out->opaque;
    if (!m)
        return;
    run_resources_close(&m->resources);
    boot_fini(&m->boot);
    run_options_fini(&m->options);
    for (char **word = m->words; word && *word; word++)
        free(*word);
    free(m->words);
    free(m);
    out->opaque = NULL;
}

/* The words live as long as the machine. */
static char **copy_words(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    for (int i = 0; copy && i < argc; i++)
        copy[i] = strdup(argv[i]);
    return copy;
}

static void collect_disks(struct machine *m)
{
    for (unsigned i = 0; i < m->resources.count; i++) {
        if (m->resources.list[i].kind != DENALI_DEV_DISK)
            continue;
        m->file[m->disks] = m->resources.path[i];
        m->disk[m->disks++] = m->resources.list[i];
    }
}

static bool has_nic(const struct image *image)
{
    const struct image_manifest *manifest = image_manifest(image);
    for (unsigned i = 0; i < manifest->wishes; i++) {
        if (manifest->wish[i].kind == DENALI_DEV_NIC)
            return true;
    }
    return false;
}

/* The pool has the NIC; what is asked of it here is only kept from being opened. */
static int open_resources(struct machine *m, struct why *why)
{
    m->bare = m->options;
    m->bare.net = has_nic(m->boot.image) ? "none" : NULL;
    m->bare.publishes = 0;
    m->bare.pcap = NULL;
    int err = run_resources_open(&m->bare, &m->boot, &m->resources, why);
    if (!err)
        collect_disks(m);
    return err;
}

static int open_machine(int argc, char **argv, struct worker_machine *out, struct why *why)
{
    struct machine *m = calloc(1, sizeof(*m));
    *out = (struct worker_machine){.opaque = m};
    if (!m || !(m->words = copy_words(argc, argv))) {
        close_machine(out);
        return why_fail(why, -ENOMEM, "no memory");
    }
    int err = run_options_parse(argc, m->words, &m->options, why);
    if (!err)
        err = boot_plan(&m->options, &m->boot, why);
    if (!err)
        err = open_resources(m, why);
    if (err) {
        close_machine(out);
        return err;
    }
    out->image = m->boot.image;
    out->mem_bytes = m->options.memory ? m->options.memory : m->boot.mem_bytes;
    out->args = (const char *const *)m->boot.args;
    out->env = (const char *const *)m->boot.env;
    out->disk = m->disk;
    out->disks = m->disks;
    out->disk_file = m->file;
    return 0;
}

const struct worker_wiring host_wiring = {
    .engine = make_engine,
    .open = open_machine,
    .close = close_machine,
    .net_param = ILWACO_PARAM_NET,
    .hostname_param = ILWACO_PARAM_HOSTNAME,
};
