/* SPDX-License-Identifier: MIT */
/* Who can write where a socket lies can put another in its place, so the folder is checked. */
#include "emu/base/text.h"
#include "denali/host/place.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

char *place_default_socket(void)
{
    const char *given = getenv("DENALI_HOST"), *run = getenv("XDG_RUNTIME_DIR");
    if (given && *given)
        return strdup(given);
    if (run && *run == '/')
        return text_format("%s/denali/host.sock", run);
    return text_format("/tmp/denali-%u/host.sock", (unsigned)getuid());
}

char *place_default_state(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state == '/')
        return text_format("%s/denali", state);
    return text_format("%s/.local/state/denali", home && *home == '/' ? home : "/tmp");
}

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int err = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
        *slash = '/';
        if (err)
            return err;
    }
    return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int place_private_folder(const char *path, struct why *why)
{
    struct stat st;
    char *copy = strdup(path);
    int err = copy ? make_folders(copy) : -ENOMEM;
    free(copy);
    if (!err && lstat(path, &st))
        err = -errno;
    if (err)
        return why_fail(why, err, "cannot make the folder %s: %s", path, strerror(-err));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return why_fail(why, -EACCES,
                        "%s must be a folder of yours that nobody else can write (chmod 700)",
                        path);
    return 0;
}

static int address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out->sun_path))
        return -ENAMETOOLONG;
    strcpy(out->sun_path, path);
    return 0;
}

int place_connect(const char *path)
{
    struct sockaddr_un address;
    int err = address_of(path, &address);
    int fd = err ? err : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err ? err : -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
    umask(before);
    return !err && listen(fd, BACKLOG) ? -errno : err;
}

int place_take_over(int listener)
{
    return listen(listener, BACKLOG) ? -errno : 0;
}

pid_t place_peer(int fd)
{
#ifdef SO_PEERCRED
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
        return peer.pid;
#endif
    (void)fd;
    return 0;
}

/* The folder of the socket: made, if it is missing; a private one, or one where nobody can replace
 * what is another's, as /tmp. */
static int check_folder(const char *path, struct why *why)
{
    struct stat st;
    char *copy = strdup(path);
    if (!copy)
        return why_fail(why, -ENOMEM, "no memory");
    const char *folder = dirname(copy);
    bool sticky = !stat(folder, &st) && S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX);
    int err = sticky ? 0 : place_private_folder(folder, why);
    free(copy);
    return err;
}

int place_listen(const char *path, struct why *why)
{
    struct sockaddr_un address;
    int err = address_of(path, &address);
    if (err)
        return why_fail(why, err, "the socket's path is longer than %zu bytes: %s",
                        sizeof(address.sun_path) - 1, path);
    err = check_folder(path, why);
    if (err)
        return err;
    int other = place_connect(path);
    if (other >= 0) {
        close(other);
        return why_fail(why, -EADDRINUSE, "somebody serves %s already", path);
    }
    if (other == -ECONNREFUSED)
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    err = fd < 0 ? -errno : bind_private(fd, &address);
    if (err && fd >= 0)
        close(fd);
    return err ? why_fail(why, err, "cannot listen at %s: %s", path, strerror(-err)) : fd;
}
