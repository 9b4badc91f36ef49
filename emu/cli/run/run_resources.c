/* SPDX-License-Identifier: MIT */
/* Opens what the options name and the image's manifest wishes. */
#include "emu/cli/run/run_resources.h"
#include "emu/cli/boot_disk.h"

#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sys/random.h>

#define DISK_THREADS 4u

static int add_layered(struct run_resources *r, const char *name, const struct run_disk *disk,
                       struct why *why)
{
    struct vm_resource *res = &r->list[r->count];
    int err =
        disk_open_layers(disk->file, disk->layer, disk->layers, disk->readonly, &res->disk, why);
    if (err)
        return err;
    res->kind = DENALI_DEV_DISK;
    res->name = name;
    r->path[r->count++] = disk->layers ? "" : disk->file; /* a base alone is another disk */
    if (!r->pool && io_pool_create(DISK_THREADS, &r->pool))
        return why_fail(why, -ENOMEM, "no memory");
    return 0;
}

static int add_disk(struct run_resources *r, const char *name, const char *file, bool readonly,
                    struct why *why)
{
    return add_layered(r, name, &(struct run_disk){.file = file, .readonly = readonly}, why);
}

/*
 * A program's standard input that is a regular file, from its start: it becomes a
 * disk as well, so that the program finds a file there, which has a size and can be
 * sought in, as it would natively. If that fails it stays a stream.
 */
static void add_stdin(const struct run_options *o, struct run_resources *r)
{
    struct stat st;
    struct why why;
    if (o->deterministic || fstat(STDIN_FILENO, &st) || !S_ISREG(st.st_mode) || !st.st_size ||
        lseek(STDIN_FILENO, 0, SEEK_CUR) != 0 || r->count >= ARRAY_LEN(r->list) - 1)
        return;
    if (add_disk(r, ILWACO_DISK_STDIN, "/proc/self/fd/0", true, &why))
        memset(&r->list[r->count], 0, sizeof(r->list[0]));
}

static int add_disks(const struct run_options *o, const struct boot *boot, struct run_resources *r,
                     struct why *why)
{
    int err = 0;
    if (boot->root)
        err = add_disk(r, ILWACO_DISK_ROOT, boot->root, true, why);
    if (!err && boot->program)
        err = add_disk(r, ILWACO_DISK_PROGRAM, boot->program, true, why);
    for (unsigned i = 0; !err && i < o->disks; i++) {
        if (!boot_disk_is_needless(o, boot->image, i))
            err = add_layered(r, o->disk[i].name, &o->disk[i], why);
    }
    if (!err && boot->linux_program)
        add_stdin(o, r);
    return err;
}

static const struct image_wish *nic_wish(const struct image *image)
{
    const struct image_manifest *m = image_manifest(image);
    for (unsigned i = 0; i < m->wishes; i++) {
        if (m->wish[i].kind == DENALI_DEV_NIC)
            return &m->wish[i];
    }
    return NULL;
}

/* Locally administered; different in every run, so that VMs on one wire do not meet themselves. */
static void make_mac(uint8_t mac[6], bool fixed)
{
    static const uint8_t base[6] = {0x02, 0x44, 0x6e, 0x6c, 0x69, 0x01};
    memcpy(mac, base, 6);
    if (!fixed && getrandom(mac + 3, 3, GRND_NONBLOCK) != 3)
        memcpy(mac, base, 6);
}

static int wrap_pcap(const struct run_options *o, struct run_resources *r, struct net_error *error)
{
    struct net_backend *outer;
    if (!o->pcap)
        return 0;
    int err = net_pcap_create(r->net, o->pcap, &outer, error);
    if (!err)
        r->net = outer;
    return err;
}

static int add_nic(const struct run_options *o, struct run_resources *r, struct why *why)
{
    const struct net_user_config user = {.publish = o->publish, .publish_count = o->publishes};
    struct net_error error = {""};
    int err = net_backend_create(o->net ? o->net : "user", &user, &r->net, &error);
    if (!err)
        err = wrap_pcap(o, r, &error);
    if (err)
        return why_fail(why, err, "%s", error.text);
    struct vm_resource *res = &r->list[r->count++];
    *res = (struct vm_resource){.kind = DENALI_DEV_NIC, .net = r->net};
    make_mac(res->mac, o->deterministic);
    return 0;
}

/* No NIC where the image does without and nobody asked for a network. */
static int add_network(const struct run_options *o, const struct boot *boot,
                       struct run_resources *r, struct why *why)
{
    const struct image_wish *wish = nic_wish(boot->image);
    if (!wish && (o->publishes || o->pcap || (o->net && strcmp(o->net, "none"))))
        return why_fail(why, -EINVAL, "%s has no NIC: --net, --publish and --pcap are not for it",
                        image_path(boot->image));
    if (!wish)
        return 0;
    bool none = o->net && !strcmp(o->net, "none");
    if (wish->optional && none && !o->publishes && !o->pcap)
        return 0;
    int err = add_nic(o, r, why);
    /* A build without NAT costs only the network of those who ask for it. */
    if (err == -ENOENT && wish->optional && !o->net && !o->publishes && !o->pcap)
        return 0;
    return err;
}

int run_resources_open(const struct run_options *o, const struct boot *boot,
                       struct run_resources *r, struct why *why)
{
    memset(r, 0, sizeof(*r));
    int err = add_disks(o, boot, r, why);
    if (!err)
        err = add_network(o, boot, r, why);
    if (err)
        run_resources_close(r);
    return err;
}

void run_resources_close(struct run_resources *r)
{
    io_pool_destroy(r->pool);
    for (unsigned i = 0; i < r->count; i++) {
        if (r->list[i].kind == DENALI_DEV_DISK)
            disk_close(r->list[i].disk);
    }
    if (r->net)
        r->net->ops->destroy(r->net);
    memset(r, 0, sizeof(*r));
}
