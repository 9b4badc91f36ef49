/* SPDX-License-Identifier: MIT */
/*
 * Which files of the host the VM's code comes from. A Linux program lies where
 * its own headers say, or, if it is position-independent, where Ilwaco puts it.
 */
#include "emu/cli/run/run_files.h"

#include "guests/ilwaco/boot_params.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t lowest_segment(FILE *file, const Elf32_Ehdr *h)
{
    uint32_t low = UINT32_MAX;
    Elf32_Phdr ph;
    for (unsigned i = 0; i < h->e_phnum; i++) {
        if (fseek(file, (long)(h->e_phoff + i * sizeof(ph)), SEEK_SET) ||
            fread(&ph, sizeof(ph), 1, file) != 1)
            break;
        if (ph.p_type == PT_LOAD && ph.p_vaddr < low)
            low = ph.p_vaddr & ~PAGE_MASK;
    }
    return low == UINT32_MAX ? 0 : low;
}

/* What is added to the addresses of a program under Ilwaco. */
static uint32_t load_offset(const char *path)
{
    Elf32_Ehdr h;
    uint32_t offset = 0;
    FILE *file = fopen(path, "rb");
    if (file && fread(&h, sizeof(h), 1, file) == 1 && h.e_type == ET_DYN &&
        h.e_phentsize == sizeof(Elf32_Phdr))
        offset = ILWACO_PIE_BASE - lowest_segment(file, &h);
    if (file)
        fclose(file);
    return offset;
}

/* Takes the path over. */
static int add(struct run_files *f, char *path, bool kernel, bool program, struct why *why)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    if (!path)
        return why_fail(why, -ENOMEM, "no memory");
    free(path);
    if (whole && f->count < TARGET_FILES)
        f->file[f->count++] = (struct target_file){
            .path = whole, .kernel = kernel, .offset = program ? load_offset(whole) : 0};
    else
        free(whole);
    return 0;
}

/* The program of a root, by its path in there; NULL: it is not known. */
static const char *root_program(const struct boot *boot)
{
    size_t len = strlen(ILWACO_PARAM_PROGRAM);
    for (size_t i = 0; boot->env && boot->env[i]; i++)
        if (!strncmp(boot->env[i], ILWACO_PARAM_PROGRAM, len))
            return boot->env[i] + len;
    return NULL;
}

static int add_program(const struct run_options *o, const struct boot *boot, struct run_files *f,
                       struct why *why)
{
    const char *inside = root_program(boot);
    char *path = NULL;
    if (boot->program)
        return add(f, strdup(boot->program), false, true, why);
    if (!o->root || !inside)
        return 0;
    return add(f, asprintf(&path, "%s/%s", o->root, inside) < 0 ? NULL : path, false, true, why);
}

int run_files_find(const struct run_options *o, const struct boot *boot, struct run_files *out,
                   struct why *why)
{
    const char *slash = strrchr(o->image, '/');
    *out = (struct run_files){.name = slash ? slash + 1 : o->image};
    int err = boot->linux_program ? add_program(o, boot, out, why) : 0;
    if (!err)
        err = add(out, strdup(image_path(boot->image)), boot->linux_program, false, why);
    return err;
}

int run_files_of_recording(const struct record_info *info, struct run_files *out, struct why *why)
{
    int err = 0;
    *out = (struct run_files){.name = "replay"};
    if (info->program[0])
        err = add(out, strdup(info->program), false, true, why);
    if (!err && info->image[0])
        err = add(out, strdup(info->image), info->program[0] != 0, false, why);
    return err;
}

void run_files_free(struct run_files *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free((char *)f->file[i].path);
    f->count = 0;
}
