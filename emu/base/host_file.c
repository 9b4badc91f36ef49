/* SPDX-License-Identifier: MIT */
/* Files that somebody else may have made. */
#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int host_open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &st)                               ? -errno
              : S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0
              : S_ISDIR(st.st_mode)                        ? -EISDIR
                                                           : -ESPIPE;
    if (!err)
        return fd;
    close(fd);
    return err;
}
