/* SPDX-License-Identifier: MIT */
/* Starting a program: its ELF file and interpreter into memory, its first stack. */
#ifndef ILWACO_EXEC_H
#define ILWACO_EXEC_H

#include "guests/ilwaco/kernel.h"

struct exec_image {
    uint32_t entry; /* where the processor begins: the interpreter's, if there is one */
    uint32_t program_entry, phdr, phnum;
    uint32_t base; /* of the interpreter; 0: none */
};

struct exec_strings {
    const char *const *list;
    uint32_t count;
};

/* The program's name and strings as the machine gave them; for /proc/self. */
struct exec_info {
    struct dentry *dentry;
    const char *path;
    uint32_t args_start, args_end, env_start, env_end; /* in the stack */
    uint32_t auxv_start, auxv_end;
};

/* Loads `dentry` (and what its PT_INTERP names) into the empty program part of memory. -ENOEXEC,
 * -ENOENT (no interpreter), -ENOMEM (does not fit: give the VM more memory), others. */
int exec_load(struct dentry *dentry, struct exec_image *image);
/*
 * Is `dentry` a script? Then 1, `*interpreter` is the program to run in its place, and `*args` are
 * that one's arguments; both last for ever. 0: no script. -ENOEXEC, -ENOMEM.
 */
int exec_script(struct dentry *dentry, const char *path, struct exec_strings *args,
                const char **interpreter);
/* Builds the first stack; the value of esp, or 0. */
uint32_t exec_stack(const struct exec_image *image, const char *path,
                    const struct exec_strings *args, const struct exec_strings *env);
struct exec_info *exec_info(void);

#endif
