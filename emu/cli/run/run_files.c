/* SPDX-License-Identifier: MIT */
/*
 * Which files of the host the VM's code comes from. A Linux program lies where
 * its own headers say, or, if it is position-independent, where Ilwaco puts it.
 */
#include "emu/cli/run/run_files.h"

#include "emu/base/host.h"
#include "emu/base/text.h"
#include "emu/cli/pack/pack_root.h"
#include "guests/ilwaco/boot_params.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    FILE *file = fopen(path, "rbe");
    if (file && fread(&h, sizeof(h), 1, file) == 1 && h.e_type == ET_DYN &&
        h.e_phentsize == sizeof(Elf32_Phdr))
        offset = ILWACO_PIE_BASE - lowest_segment(file, &h);
    if (file)
        fclose(file);
    return offset;
}

static int no_memory(struct why *why)
{
    return why_fail(why, -ENOMEM, "no memory");
}

/* Takes the path over. The file lies there, or a copy behind `fd`, which is taken over too. */
static void append(struct run_files *f, char *path, int fd, bool kernel, bool program)
{
    struct target_file *file = &f->file[f->count];
    char *copy = NULL;
    bool good =
        f->count < TARGET_FILES && path && (fd < 0 || (copy = text_format("/proc/self/fd/%d", fd)));
    if (!good) {
        free(path);
        if (fd >= 0)
            close(fd);
        return;
    }
    *file = (struct target_file){.path = path, .copy = copy, .kernel = kernel};
    file->offset = program ? load_offset(target_file_place(file)) : 0;
    f->copy[f->count++] = fd;
}

/* Takes the path over. One that is gone is left out. */
static int add(struct run_files *f, char *path, bool kernel, bool program, struct why *why)
{
    if (!path)
        return no_memory(why);
    append(f, realpath(path, NULL), -1, kernel, program);
    free(path);
    return 0;
}

/* A copy of a file of the packed root, in memory; -1: there is no such file. */
static int copy_from_root(const char *root, const char *path)
{
    uint64_t offset, size;
    int from = root ? pack_root_open(root, path, &offset, &size) : -1;
    int to = from >= 0 && size <= SIZE_MAX ? host_memobj_create("program", size) : -1;
    for (uint64_t done = 0; to >= 0 && done < size;) {
        char bytes[65536];
        uint64_t most = size - done < sizeof(bytes) ? size - done : sizeof(bytes);
        ssize_t n = pread(from, bytes, most, (off_t)(offset + done));
        if (n <= 0 || pwrite(to, bytes, (size_t)n, (off_t)done) != n) {
            close(to);
            to = -1;
        }
        done += (uint64_t)n;
    }
    if (from >= 0)
        close(from);
    return to;
}

/* A program of the packed root, by its path in there. */
static int add_inside(struct run_files *f, const char *path, struct why *why)
{
    int fd = copy_from_root(f->root, path);
    char *name = fd >= 0 ? strdup(path) : NULL;
    if (fd >= 0 && !name) {
        close(fd);
        return no_memory(why);
    }
    if (name)
        append(f, name, fd, false, true);
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

/* The file itself where the root is a folder here, so that its path can be opened. */
static int add_program(const struct run_options *o, const struct boot *boot, struct run_files *f,
                       struct why *why)
{
    const char *inside = root_program(boot);
    if (boot->program)
        return add(f, strdup(boot->program), false, true, why);
    if (!o->root || !inside)
        return 0;
    unsigned before = f->count;
    int err = add(f, text_format("%s/%s", o->root, inside), false, true, why);
    return err || f->count > before ? err : add_inside(f, inside, why);
}

int run_files_find(const struct run_options *o, const struct boot *boot, struct run_files *out,
                   struct why *why)
{
    const char *slash = strrchr(o->image, '/');
    *out = (struct run_files){.name = slash ? slash + 1 : o->image, .root = boot->root};
    int err = boot->linux_program ? add_program(o, boot, out, why) : 0;
    if (!err)
        err = add(out, strdup(image_path(boot->image)), boot->linux_program, false, why);
    return err;
}

/* The packed root that the recorder's VM had for a disk. */
static const char *recorded_root(const struct record_info *info)
{
    for (unsigned i = 0; i < info->devices; i++)
        if (!strcmp(info->device[i].name, "root") && info->device[i].path[0])
            return info->device[i].path;
    return NULL;
}

int run_files_of_recording(const struct record_info *info, struct run_files *out, struct why *why)
{
    int err = 0;
    *out = (struct run_files){.name = "replay", .root = recorded_root(info)};
    if (info->program[0])
        err = add(out, strdup(info->program), false, true, why);
    if (!err && info->program[0] && !out->count)
        err = add_inside(out, info->program, why);
    if (!err && info->image[0])
        err = add(out, strdup(info->image), info->program[0] != 0, false, why);
    return err;
}

int run_files_copy(const struct run_files *from, struct run_files *to)
{
    *to = (struct run_files){.name = from->name};
    for (unsigned i = 0; i < from->count; i++) {
        const struct target_file *file = &from->file[i];
        int fd = file->copy ? fcntl(from->copy[i], F_DUPFD_CLOEXEC, 0) : -1;
        append(to, strdup(file->path), fd, file->kernel, false);
        if (to->count == i) {
            run_files_free(to);
            return -ENOMEM;
        }
        to->file[i].offset = file->offset;
    }
    return 0;
}

/* Copies of one name may be of different roots: they count as different. */
bool run_files_are_same(const struct run_files *a, const struct run_files *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = !strcmp(a->file[i].path, b->file[i].path) && !a->file[i].copy && !b->file[i].copy;
    return same;
}

void run_files_free(struct run_files *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->file[i].copy)
            close(f->copy[i]);
        free((char *)f->file[i].path);
        free((char *)f->file[i].copy);
    }
    f->count = 0;
}
