/* SPDX-License-Identifier: MIT */
/* Files come and go while AFL++ runs: one that has gone is no error in a folder. */
#include "emu/cli/fuzz/fuzz_inputs.h"

#include "emu/fuzz/way.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_file(const char *path, struct fuzz_seed *out, struct why *why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return why_fail(why, -errno, "%s: %s", path, strerror(errno));
    out->len = 0;
    bool fits = !fstat(fd, &st) && st.st_size <= FUZZ_INPUT_MAX;
    out->bytes = fits ? malloc(FUZZ_INPUT_MAX + 1) : NULL;
    ssize_t n = 1;
    while (out->bytes && n > 0 && out->len <= FUZZ_INPUT_MAX) {
        n = read(fd, out->bytes + out->len, FUZZ_INPUT_MAX + 1 - out->len);
        out->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (!out->bytes || n < 0 || out->len > FUZZ_INPUT_MAX) {
        free(out->bytes);
        return why_fail(why, -EINVAL, "%s: an input is a file of at most %u bytes", path,
                        FUZZ_INPUT_MAX);
    }
    return 0;
}

static int call(const char *path, fuzz_input_fn fn, void *opaque, struct why *why)
{
    struct fuzz_seed seed = {NULL, 0};
    int err = read_file(path, &seed, why);
    if (err)
        return err;
    err = fn(opaque, path, seed.bytes, seed.len);
    free(seed.bytes);
    return err ? why_fail(why, err, "%s: %s", path, strerror(-err)) : 0;
}

static int is_input(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "README.txt") != 0 &&
           !(len > 5 && !strcmp(entry->d_name + len - 5, ".toml")) &&
           !(len > 3 && !strcmp(entry->d_name + len - 3, ".sh"));
}

static int each_of_folder(const char *path, fuzz_input_fn fn, void *opaque, struct why *why)
{
    struct dirent **entry;
    int n = scandir(path, &entry, is_input, alphasort), err = 0;
    if (n < 0)
        return why_fail(why, -errno, "%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char name[4096];
        struct stat st;
        bool ok = snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name) < (int)sizeof(name);
        if (!err && ok && !stat(name, &st) && S_ISREG(st.st_mode))
            err = call(name, fn, opaque, why);
        free(entry[i]);
    }
    free(entry);
    return err;
}

int fuzz_each_input(const char *path, fuzz_input_fn fn, void *opaque, struct why *why)
{
    struct stat st;
    if (stat(path, &st))
        return why_fail(why, -errno, "%s: %s", path, strerror(errno));
    return S_ISDIR(st.st_mode) ? each_of_folder(path, fn, opaque, why)
                               : call(path, fn, opaque, why);
}

int fuzz_write_file(const char *path, const void *bytes, size_t len, struct why *why)
{
    FILE *file = fopen(path, "wbe");
    bool ok = file && fwrite(bytes, 1, len, file) == len;
    int err = errno;
    if (file && fclose(file)) {
        ok = false;
        err = errno;
    }
    return ok ? 0 : why_fail(why, -err, "cannot write %s: %s", path, strerror(err));
}
