/* SPDX-License-Identifier: MIT */
/* Files and directories: in a folder of its own, from making to removing. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static void show_stat(const char *path)
{
    struct stat st;
    if (lstat(path, &st)) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    printf("%s: mode %o nlink %u size %lld\n", path, st.st_mode, (unsigned)st.st_nlink,
           S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
    char *names[100];
    int n = 0;
    DIR *dir = opendir(path);
    MUST(dir);
    for (struct dirent *d; (d = readdir(dir)) && n < 100;) {
        char text[300];
        snprintf(text, sizeof text, "%s/%d", d->d_name, d->d_type);
        names[n++] = strdup(text);
    }
    closedir(dir);
    qsort(names, (size_t)n, sizeof *names, by_name);
    printf("list %s:", path);
    for (int i = 0; i < n; i++)
        printf(" %s", names[i]);
    printf("\n");
}

static void basic(void)
{
    char *volatile nowhere = (char *)16;
    char buf[64] = {0};
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
    MUST(fd >= 0);
    SHOW(write(fd, "hello world", 11));
    SHOW(lseek(fd, 6, SEEK_SET));
    SHOW(read(fd, buf, sizeof buf));
    printf("%s\n", buf);
    SHOW(pread(fd, buf, 5, 0));
    SHOW(pwrite(fd, "WORLD", 5, 6));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, -100, SEEK_SET));
    SHOW(lseek(fd, 100000, SEEK_SET));
    SHOW(write(fd, "far", 3));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(pread(fd, buf, 16, 50000));
    MUST(!memcmp(buf, "\0\0\0\0\0\0\0\0", 8));
    SHOW(ftruncate(fd, 20));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(ftruncate(fd, 40));
    SHOW(pread(fd, buf, 40, 0));
    MUST(buf[15] == 0 && buf[39] == 0);
    SHOW(close(fd));
    SHOW(close(fd));
    SHOW(read(fd, buf, 1));
    show_stat("a");
    SHOW(open("a", O_RDWR | O_CREAT | O_EXCL, 0640));
    SHOW(open("nope", O_RDONLY));
    SHOW(open("a/b", O_RDONLY));
    SHOW(open("a/", O_RDONLY));
    SHOW(open(".", O_WRONLY));
    SHOW(open("a", O_RDONLY | O_DIRECTORY));
    SHOW(open("", O_RDONLY));
    SHOW(open(nowhere, O_RDONLY));
    fd = open("a", O_WRONLY | O_APPEND);
    SHOW(write(fd, "tail", 4));
    SHOW(read(fd, buf, 1));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(write(fd, nowhere, 4));
    SHOW(close(fd));
    fd = open("a", O_RDONLY);
    SHOW(write(fd, "x", 1));
    SHOW(ftruncate(fd, 0));
    SHOW(close(fd));
    SHOW(truncate("a", 3));
    show_stat("a");
    SHOW(close(open("a", O_WRONLY | O_TRUNC)));
    show_stat("a");
}

static void vectors(void)
{
    char a[4] = {0}, b[8] = {0};
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"twothree", 8}};
    struct iovec in[2] = {{a, 3}, {b, 7}};
    volatile int too_many = 2000;
    int fd = open("v", O_RDWR | O_CREAT, 0600);
    SHOW(writev(fd, out, 3));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(readv(fd, in, 2));
    printf("%s %s\n", a, b);
    SHOW(preadv(fd, in, 2, 1));
    printf("%s %s\n", a, b);
    SHOW(pwritev(fd, out, 3, 100));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(writev(fd, out, too_many));
    int to = open("w", O_RDWR | O_CREAT, 0600);
    off_t from = 3;
    SHOW(sendfile(to, fd, &from, 50));
    printf("%lld\n", (long long)from);
    SHOW(copy_file_range(fd, &(off64_t){0}, to, &(off64_t){60}, 11, 0));
    show_stat("w");
    SHOW(fallocate(to, 0, 0, 8192));
    SHOW(posix_fallocate(to, 10000, 1));
    show_stat("w");
    SHOW(fsync(to));
    SHOW(fdatasync(to));
    SHOW(flock(to, LOCK_EX));
    close(fd);
    close(to);
}

static void names(void)
{
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d/e", 0700));
    SHOW(mkdir("x/y", 0700));
    SHOW(close(open("d/e/f", O_CREAT | O_WRONLY, 0600)));
    SHOW(link("d/e/f", "d/g"));
    show_stat("d/g");
    SHOW(symlink("e/f", "d/link"));
    SHOW(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    show_stat("d/link");
    char target[20] = {0};
    SHOW(readlink("d/link", target, sizeof target));
    SHOW(readlink("d/link", target, 2));
    printf("%s\n", target);
    SHOW(readlink("d/g", target, 20));
    SHOW(access("d/link", R_OK | W_OK));
    SHOW(access("d/link2", F_OK));
    SHOW(rmdir("d"));
    SHOW(rmdir("d/g"));
    SHOW(unlink("d"));
    SHOW(rename("d/g", "d/h"));
    SHOW(rename("d/nothing", "d/h"));
    SHOW(rename("d", "d/e/sub"));
    SHOW(rename("d/e", "d/e2"));
    show_stat("d/e2/f");
    SHOW(rename("d/h", "d/e2"));
    SHOW(rename("d/e2", "d/h"));
    SHOW(rename("d/h", "d/e2/f"));
    list("d");
    list("d/e2");
    SHOW(chmod("d/e2/f", 0400));
    show_stat("d/e2/f");
    SHOW(close(open("d/link", O_RDONLY)));
    SHOW(unlink("d/link"));
    SHOW(unlink("d/e2/f"));
    SHOW(rmdir("d/e2"));
    show_stat("d");
    list("d");
    SHOW(unlink("d/e2/f"));
    SHOW(rmdir("d"));
    SHOW(rmdir("d"));
    SHOW(unlink("loop"));
}

static void open_but_gone(void)
{
    char buf[8] = {0};
    int fd = open("gone", O_RDWR | O_CREAT, 0600);
    SHOW(write(fd, "still", 5));
    SHOW(unlink("gone"));
    SHOW(pread(fd, buf, 8, 0));
    printf("%s\n", buf);
    struct stat st;
    SHOW(fstat(fd, &st));
    printf("nlink %u\n", (unsigned)st.st_nlink);
    close(fd);
}

static void descriptors(void)
{
    int fd = open("v", O_RDONLY);
    int copy = dup(fd);
    MUST(copy > fd);
    SHOW(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(copy, 0, SEEK_CUR));
    SHOW(dup2(fd, 100) - 100);
    SHOW(dup2(fd, fd) - fd);
    SHOW(dup2(200, 201));
    SHOW(fcntl(100, F_GETFD));
    SHOW(fcntl(100, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(100, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 150) - 150);
    SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
    SHOW(!!(fcntl(copy, F_GETFL) & O_NONBLOCK));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    SHOW(fcntl(fd, F_GETLK, &lock));
    SHOW(lock.l_type == F_UNLCK);
    close(100);
    close(150);
    close(copy);
    close(fd);
}

static void directories(void)
{
    char cwd[200], again[200];
    MUST(getcwd(cwd, sizeof cwd));
    SHOW(mkdir("sub", 0755));
    SHOW(chdir("sub"));
    MUST(getcwd(again, sizeof again));
    printf("%s\n", again + strlen(cwd));
    SHOW(getcwd(again, 3) != NULL);
    SHOW(chdir(".."));
    int dir = open("sub", O_RDONLY | O_DIRECTORY);
    SHOW(mkdirat(dir, "inner", 0755));
    SHOW(close(openat(dir, "file", O_CREAT | O_WRONLY, 0644)));
    SHOW(faccessat(dir, "file", R_OK, 0));
    SHOW(renameat(dir, "file", dir, "file2"));
    SHOW(unlinkat(dir, "file2", 0));
    SHOW(unlinkat(dir, "inner", AT_REMOVEDIR));
    SHOW(fchdir(dir));
    SHOW(chdir(cwd));
    char name[30];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        int fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);
        MUST(fd >= 0);
        close(fd);
    }
    DIR *stream = fdopendir(dir);
    int n = 0, removed = 0;
    for (struct dirent *d; (d = readdir(stream)); n++)
        if (d->d_name[0] != '.')
            removed += unlinkat(dirfd(stream), d->d_name, 0) == 0;
    printf("%d entries, %d removed\n", n, removed);
    rewinddir(stream);
    for (n = 0; readdir(stream); n++)
        ;
    printf("%d left\n", n);
    closedir(stream);
    SHOW(rmdir("sub"));
}

static void times(void)
{
    struct stat st;
    struct timespec set[2] = {{1000, 500}, {2000, 600}};
    SHOW(utimensat(AT_FDCWD, "v", set, 0));
    SHOW(stat("v", &st));
    printf("%ld.%ld %ld.%ld\n", (long)st.st_atime, st.st_atim.tv_nsec, (long)st.st_mtime,
           st.st_mtim.tv_nsec);
    set[0].tv_nsec = UTIME_OMIT;
    set[1].tv_nsec = UTIME_NOW;
    SHOW(utimensat(AT_FDCWD, "v", set, 0));
    SHOW(stat("v", &st));
    printf("%ld %d\n", (long)st.st_atime, st.st_mtime > 1000000000);
    struct statx sx;
    SHOW(statx(AT_FDCWD, "v", 0, STATX_BASIC_STATS, &sx));
    printf("%o %u %lld\n", sx.stx_mode, sx.stx_nlink, (long long)sx.stx_size);
}

static void others(void)
{
    struct statfs fs;
    SHOW(statfs(".", &fs));
    SHOW(fs.f_bsize);
    int fd = memfd_create("m", MFD_CLOEXEC);
    SHOW(write(fd, "abc", 3));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fcntl(fd, F_GETFD));
    close(fd);
    fd = open("/dev/null", O_RDWR);
    char buf[16] = "unchanged";
    SHOW(read(fd, buf, 16));
    SHOW(write(fd, buf, 16));
    close(fd);
    fd = open("/dev/zero", O_RDONLY);
    SHOW(read(fd, buf, 16));
    MUST(!buf[0] && !buf[15]);
    close(fd);
    fd = open("/dev/full", O_WRONLY);
    SHOW(write(fd, buf, 16));
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    SHOW(read(fd, buf, 16));
    close(fd);
    SHOW(umask(027));
    SHOW(close(open("masked", O_CREAT | O_WRONLY, 0666)));
    show_stat("masked");
    SHOW(umask(022));
    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    SHOW(write(fd, "tmp", 3));
    close(fd);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *dir = argc > 1 ? argv[1] : "/tmp/ilwaco-files";
    MUST(mkdir(dir, 0755) == 0 && chdir(dir) == 0);
    umask(022);
    basic();
    vectors();
    names();
    open_but_gone();
    descriptors();
    directories();
    times();
    others();
    const char *const left[] = {"a", "v", "w", "masked"};
    for (int i = 0; i < 4; i++)
        SHOW(unlink(left[i]));
    list(".");
    SHOW(chdir("/"));
    SHOW(rmdir(dir));
    return 0;
}
