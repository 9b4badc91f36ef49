/* SPDX-License-Identifier: MIT */
/* denali disk: images and layers, made and looked at. */
#include "devices/disk.h"
#include "emu/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct disk_call {
    bool json;
    const char *base;
    const char *word[3];
    unsigned words;
};

/* "64M"; 0: wrong. */
static uint64_t read_size(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (*text < '0' || *text > '9' || errno || (*end && (!unit || end[1])))
        return 0;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    return n << shift >> shift == n ? n << shift : 0;
}

static int create(const struct disk_call *c, struct why *why)
{
    const char *layer[] = {c->word[0]};
    struct disk *disk;
    if (c->words != (c->base ? 1 : 2))
        return why_fail(why, -EINVAL, "say: denali disk create FILE SIZE, or LAYER --base FILE");
    if (!c->base) {
        uint64_t size = read_size(c->word[1]);
        if (!size)
            return why_fail(why, -EINVAL, "%s is no size; say 64M or 4G", c->word[1]);
        return disk_create(c->word[0], size, why);
    }
    struct disk_layer_info info;
    struct why ignored;
    if (disk_layer_info(c->word[0], &info, &ignored) != -ENOENT)
        return why_fail(why, -EEXIST, "%s exists", c->word[0]);
    int err = disk_open_layers(c->base, layer, 1, false, &disk, why);
    if (!err)
        disk_close(disk);
    return err;
}

static void print_json(bool checked, const struct disk_layer_info *i)
{
    printf("{\"bytes\":%llu,\"blocks\":%llu,\"used_blocks\":%llu,\"free_blocks\":%llu,"
           "\"host_bytes\":%llu,\"state\":\"%s\",\"base_state\":\"%s\"",
           (unsigned long long)i->bytes, (unsigned long long)i->blocks, (unsigned long long)i->used,
           (unsigned long long)i->free, (unsigned long long)i->host_bytes, i->state, i->below);
    if (checked)
        printf(",\"checked\":%llu,\"damaged\":%llu", (unsigned long long)i->checked,
               (unsigned long long)i->damaged);
    puts("}");
}

static void print_text(const struct disk_layer_info *i)
{
    printf("disk of %llu bytes in %llu blocks\n%llu blocks are here, room for %llu more; %llu "
           "bytes on the host\nstate %s, on %s\n",
           (unsigned long long)i->bytes, (unsigned long long)i->blocks, (unsigned long long)i->used,
           (unsigned long long)i->free, (unsigned long long)i->host_bytes, i->state, i->below);
}

static int look(const struct disk_call *c, bool check, struct why *why)
{
    struct disk_layer_info info;
    if (c->words != 1)
        return why_fail(why, -EINVAL, "say which layer, and nothing else");
    int err =
        check ? disk_layer_check(c->word[0], &info, why) : disk_layer_info(c->word[0], &info, why);
    if (err)
        return err;
    if (c->json)
        print_json(check, &info);
    else
        print_text(&info);
    if (check && !c->json)
        printf("%llu blocks read, %llu damaged\n", (unsigned long long)info.checked,
               (unsigned long long)info.damaged);
    return info.damaged ? why_fail(why, -EIO, "layer %s is damaged", c->word[0]) : 0;
}

static int commit(const struct disk_call *c, struct why *why)
{
    if (c->words != 1 || !c->base)
        return why_fail(why, -EINVAL, "say: denali disk commit LAYER --base FILE");
    return disk_layer_commit(c->base, c->word[0], why);
}

static int read_words(int argc, char **argv, struct disk_call *c, struct why *why)
{
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            c->json = true;
        else if (!strcmp(argv[i], "--base") && i + 1 < argc)
            c->base = argv[++i];
        else if (argv[i][0] == '-' || c->words == ARRAY_LEN(c->word))
            return why_fail(why, -EINVAL, "%s: not understood; see denali help disk", argv[i]);
        else
            c->word[c->words++] = argv[i];
    }
    return 0;
}

static int run_disk(int argc, char **argv)
{
    struct disk_call c = {.json = false};
    struct why why = {""};
    const char *what = argc > 1 ? argv[1] : "";
    int err = read_words(argc, argv, &c, &why);
    if (err)
        return cli_complain(CLI_FAILED, "%s", why.text);
    if (!strcmp(what, "create"))
        err = create(&c, &why);
    else if (!strcmp(what, "info") || !strcmp(what, "check"))
        err = look(&c, what[0] == 'c', &why);
    else if (!strcmp(what, "commit"))
        err = commit(&c, &why);
    else
        err = why_fail(&why, -EINVAL, "say denali disk create, info, check or commit");
    if (err)
        return cli_complain(err == -EIO ? 1 : CLI_FAILED, "%s", why.text);
    return CLI_OK;
}

const struct cli_verb cli_disk = {
    .name = "disk",
    .summary = "make disk images and copy-on-write layers, and look at them",
    .help =
        "usage: denali disk create FILE SIZE         a raw image of zeroes\n"
        "       denali disk create LAYER --base FILE an empty layer on an image\n"
        "       denali disk info LAYER [--json]      what it holds\n"
        "       denali disk check LAYER [--json]     the same, and reads every block of it;\n"
        "                                            status 1: some are damaged\n"
        "       denali disk commit LAYER --base FILE its blocks go into the image, it is empty\n"
        "\n"
        "An image is a file or a block device as it is. A layer is a file that keeps what is\n"
        "written to a disk, while the image below it is only read: any number of VMs can have\n"
        "layers on one image, as in\n"
        "  denali run --disk data=image,cow=mine GUEST\n"
        "An image must not change while there are layers on it.\n",
    .run = run_disk,
};
