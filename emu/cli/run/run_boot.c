/* SPDX-License-Identifier: MIT */
/*
 * A Linux program runs under Ilwaco, which lies beside this program
 * (guests/ilwaco) or where it was installed. With --root, a program that exists
 * in there (an absolute path, or a name found by the guest's PATH) is taken from
 * there; else it is a file of the host and becomes the disk "program".
 */
#include "emu/base/text.h"
#include "emu/cli/run/run_boot.h"

#include "config.h"
#include "emu/cli/boot_disk.h"
#include "emu/cli/pack/pack_root.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A Linux program's memory, unless -m says otherwise: the host gives it as it is used. */
#define LINUX_MEMORY (3 * GIB)

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Appends a string, which is taken over, to a NULL-ended list. */
static int append(char ***list, char *string)
{
    size_t n = 0;
    while (*list && (*list)[n])
        n++;
    char **bigger = string ? realloc(*list, (n + 2) * sizeof(*bigger)) : NULL;
    if (!bigger) {
        free(string);
        return -ENOMEM;
    }
    bigger[n] = string;
    bigger[n + 1] = NULL;
    *list = bigger;
    return 0;
}

/* Sets NAME=VALUE in place of an older value. */
static int set_env(char ***env, char *entry)
{
    size_t len = entry ? strcspn(entry, "=") + 1 : 0;
    for (size_t i = 0; entry && *env && (*env)[i]; i++) {
        if (!strncmp((*env)[i], entry, len)) {
            free((*env)[i]);
            (*env)[i] = entry;
            return 0;
        }
    }
    return append(env, entry);
}

/* "NAME" alone passes the host's value, if there is one. */
static int set_option(char ***env, const char *option)
{
    if (strchr(option, '='))
        return set_env(env, strdup(option));
    const char *value = getenv(option);
    return value ? set_env(env, text_format("%s=%s", option, value)) : 0;
}

/* What a Linux program expects to find. */
static int default_env(struct boot *boot)
{
    const char *term = getenv("TERM");
    int err = append(&boot->env, strdup("PATH=" DEFAULT_PATH));
    if (!err)
        err = append(&boot->env, strdup("HOME=/root"));
    if (!err)
        err = append(&boot->env, strdup("LANG=C.UTF-8"));
    if (!err && term && *term)
        err = append(&boot->env, text_format("TERM=%s", term));
    return err;
}

static int option_env(const struct run_options *o, struct boot *boot)
{
    int err = 0;
    for (unsigned i = 0; !err && i < o->envs; i++)
        err = set_option(&boot->env, o->env[i]);
    return err;
}

static int make_args(const struct run_options *o, struct boot *boot)
{
    int err = append(&boot->args, strdup(o->image));
    for (size_t i = 0; !err && o->args[i]; i++)
        err = append(&boot->args, strdup(o->args[i]));
    return err;
}

static const char *guest_path(const struct boot *boot)
{
    for (size_t i = 0; boot->env[i]; i++) {
        if (!strncmp(boot->env[i], "PATH=", 5))
            return boot->env[i] + 5;
    }
    return DEFAULT_PATH;
}

/* The first folder of the guest's PATH that has `name`; NULL: none, or no memory. */
static char *search_path(const struct boot *boot, const char *name)
{
    for (const char *at = guest_path(boot); *at;) {
        size_t len = strcspn(at, ":");
        char *path = len ? text_format("%.*s/%s", (int)len, at, name) : NULL;
        if (path && pack_root_has_program(boot->root, path))
            return path;
        free(path);
        at += len + (at[len] == ':');
    }
    return NULL;
}

/* Where the program lies in the root; NULL: it does not. */
static char *find_in_root(const struct boot *boot, const char *name)
{
    if (!boot->root)
        return NULL;
    if (*name == '/')
        return pack_root_has_program(boot->root, name) ? strdup(name) : NULL;
    return strchr(name, '/') ? NULL : search_path(boot, name);
}

static int set_program(struct boot *boot, const char *path)
{
    const char *base = strrchr(path, '/');
    char *entry = boot->program ? text_format(ILWACO_PARAM_PROGRAM "/%s", base ? base + 1 : path)
                                : text_format(ILWACO_PARAM_PROGRAM "%s", path);
    return append(&boot->env, entry);
}

static int try_ilwaco(char *path, struct image **out, struct why *why)
{
    int err = path ? image_open(path, out, why) : why_fail(why, -ENOMEM, "no memory");
    free(path);
    return err;
}

static int open_ilwaco(struct image **out, struct why *why)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash = n > 0 ? (self[n] = 0, strrchr(self, '/')) : NULL;
    int err = -ENOENT;
    if (slash)
        err = try_ilwaco(text_format("%.*s/guests/ilwaco", (int)(slash - self), self), out, why);
    if (err == -ENOENT)
        err = try_ilwaco(strdup(DENALI_LIBDIR "/ilwaco"), out, why);
    if (err == -ENOENT)
        return why_fail(why, -EINVAL,
                        "Ilwaco, which runs Linux programs, is not beside this program "
                        "(guests/ilwaco) nor in " DENALI_LIBDIR "; build or install it");
    return err;
}

static int plan_linux(const struct run_options *o, struct boot *boot, struct why *why)
{
    boot->linux_program = true;
    boot->mem_bytes = LINUX_MEMORY;
    if (o->cwd && append(&boot->env, text_format(ILWACO_PARAM_CWD "%s", o->cwd)))
        return why_fail(why, -ENOMEM, "no memory");
    return open_ilwaco(&boot->image, why);
}

/* A program of the root. 1: done; 0: it is not there. */
static int plan_root_program(const struct run_options *o, struct boot *boot, struct why *why)
{
    char *path = find_in_root(boot, o->image);
    if (!path)
        return 0;
    int err = set_program(boot, path);
    free(path);
    err = err ? why_fail(why, err, "no memory") : plan_linux(o, boot, why);
    return err ? err : 1;
}

static int not_anywhere(const struct run_options *o, int err, struct why *why)
{
    if (err != -ENOENT)
        return err;
    if (o->root)
        return why_fail(why, -ENOEXEC, "%s is neither a program in %s nor a file here", o->image,
                        o->root);
    return why_fail(why, -ENOEXEC, "there is no file %s%s", o->image,
                    strchr(o->image, '/') ? "" : " (a name alone is looked up only with --root)");
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

/* A Denali image gets the environment that was asked for and nothing else. */
static int plan_denali(const struct run_options *o, struct boot *boot, struct why *why)
{
    if (o->root || o->cwd)
        return why_fail(why, -EINVAL,
                        "%s is a Denali image: --root and --cwd are for Linux programs", o->image);
    free_list(boot->env);
    boot->env = NULL;
    int err = option_env(o, boot);
    return err ? why_fail(why, err, "no memory") : 0;
}

static int plan_host_program(const struct run_options *o, struct boot *boot, struct why *why)
{
    int err = image_open(o->image, &boot->image, why);
    if (err)
        return not_anywhere(o, err, why);
    if (image_kind(boot->image) == IMAGE_DENALI)
        return plan_denali(o, boot, why);
    image_close(boot->image);
    boot->image = NULL;
    boot->program = strdup(o->image);
    if (!boot->program || set_program(boot, o->image))
        return why_fail(why, -ENOMEM, "no memory");
    return plan_linux(o, boot, why);
}

static int plan_disk(const struct run_options *o, struct boot *boot, struct why *why)
{
    int err = boot_from_disk(o, &boot->image, why);
    return err ? err : plan_denali(o, boot, why);
}

static int plan(const struct run_options *o, struct boot *boot, struct why *why)
{
    int err = make_args(o, boot);
    if (!err)
        err = default_env(boot);
    if (!err)
        err = option_env(o, boot);
    if (err)
        return why_fail(why, err, "no memory");
    if (boot_is_disk(o))
        return plan_disk(o, boot, why);
    if (o->root)
        err = pack_root(o->root, &boot->root, why);
    if (!err)
        err = plan_root_program(o, boot, why);
    return err ? err : plan_host_program(o, boot, why);
}

int boot_plan(const struct run_options *o, struct boot *boot, struct why *why)
{
    memset(boot, 0, sizeof(*boot));
    int err = plan(o, boot, why);
    if (err < 0)
        boot_fini(boot);
    return err < 0 ? err : 0;
}

void boot_fini(struct boot *boot)
{
    image_close(boot->image);
    free(boot->program);
    free(boot->root);
    free_list(boot->args);
    free_list(boot->env);
    memset(boot, 0, sizeof(*boot));
}
