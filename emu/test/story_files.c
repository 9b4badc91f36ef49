/* SPDX-License-Identifier: MIT */
/* The folder of a failed test, and programs that write into it. */
#include "emu/test/story_private.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_SECONDS 120u

char *story_folder(const char *output, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", output, name) < 0)
        return NULL;
    for (char *at = path + strlen(output) + 1, before = '/'; *at; before = *at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || strchr("-_+=,[]", *at) ||
                     (*at == '.' && before != '/') || (*at == '/' && before != '/');
        if (!plain)
            *at = '_';
    }
    return path;
}

int story_make_folder(const char *path)
{
    char *copy = strdup(path);
    int err = copy ? 0 : -ENOMEM;
    for (char *at = copy ? copy + 1 : NULL; !err && at; at++) {
        char c = *at;
        if (c && c != '/')
            continue;
        *at = 0;
        err = mkdir(copy, 0777) && errno != EEXIST ? -errno : 0;
        *at = c;
        if (!c)
            break;
    }
    free(copy);
    return err;
}

char *story_path(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

void story_write(const char *folder, const char *name, const struct buffer *text)
{
    char *path = story_path(folder, name);
    FILE *file = path && text->len ? fopen(path, "wbe") : NULL;
    if (path && !text->len)
        unlink(path); /* an older run's */
    if (file) {
        fwrite(text->data, 1, text->len, file);
        fclose(file);
    }
    free(path);
}

/* An older run's recording, which the recorder would not overwrite. */
void story_forget_recording(const char *folder)
{
    static const char *const names[] = {"start.snapshot", "tape"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        char *path = story_path(folder, names[i]);
        if (path)
            unlink(path);
        free(path);
    }
}

NORETURN static void exec_self(const char *const argv[], int out)
{
    int null = open("/dev/null", O_RDONLY);
    host_signals_reset();
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0) {
        alarm(PROGRAM_SECONDS);
        execv("/proc/self/exe", (char *const *)argv);
    }
    _exit(127);
}

int story_run_self(const char *const argv[], struct buffer *out)
{
    FILE *file = buffer_open(out);
    int status = -1;
    if (!file)
        return -EIO;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        exec_self(argv, fileno(file));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    buffer_close(out, file);
    return status;
}
