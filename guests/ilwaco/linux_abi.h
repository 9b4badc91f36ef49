/* SPDX-License-Identifier: MIT */
/* Numbers and layouts of the Linux i386 system-call interface, shared by several rooms. */
#ifndef ILWACO_LINUX_ABI_H
#define ILWACO_LINUX_ABI_H

#include <stdint.h>

enum ioctl_number {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,
    FIONBIO = 0x5421,
    TCSBRKP = 0x5425,
    TIOCGSID = 0x5429,
    FIONCLEX = 0x5450,
    FIOCLEX = 0x5451,
    FIOASYNC = 0x5452,
    FIOQSIZE = 0x5460,
};
#define TCGETS2 0x802c542au
#define TCSETS2 0x402c542bu
#define TCSETSW2 0x402c542cu
#define TCSETSF2 0x402c542du
#define BLKGETSIZE64 0x80041272u
#define BLKSSZGET 0x1268u

struct termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line, cc[19];
};
_Static_assert(sizeof(struct termios) == 36, "termios");
enum termios_bits {
    TTY_ICRNL = 0x100,
    TTY_IXON = 0x400,
    TTY_OPOST = 1,
    TTY_ONLCR = 4,
    TTY_ISIG = 1,
    TTY_ICANON = 2,
    TTY_ECHO = 8,
    TTY_VTIME = 5,
    TTY_VMIN = 6,
};

struct winsize {
    uint16_t rows, columns, x_pixels, y_pixels;
};

enum at_flags {
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_SYMLINK_FOLLOW = 0x400,
    AT_EMPTY_PATH = 0x1000,
};

struct stat_old { /* i386's struct stat */
    uint32_t dev, ino;
    uint16_t mode, nlink, uid, gid;
    uint32_t rdev, size, blksize, blocks;
    uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct stat_old) == 64, "stat");

struct stat64 {
    uint64_t dev;
    uint32_t pad0, ino_low, mode, nlink, uid, gid;
    uint64_t rdev;
    uint32_t pad1;
    uint64_t size;
    uint32_t blksize;
    uint64_t blocks;
    uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    uint64_t ino;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct stat64) == 96, "stat64");

struct statx_time {
    int64_t sec;
    uint32_t nsec;
    int32_t reserved;
};
struct statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint64_t spare[13];
};
_Static_assert(sizeof(struct statx) == 256, "statx");
#define STATX_BASIC 0x7ffu

struct statfs64 {
    uint32_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    uint32_t fsid[2], namelen, frsize, flags, spare[4];
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct statfs64) == 84, "statfs64");

struct statfs {
    uint32_t type, bsize, blocks, bfree, bavail, files, ffree;
    uint32_t fsid[2], namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct statfs) == 64, "statfs");

struct rusage {
    uint32_t utime[2], stime[2];
    uint32_t maxrss, rest[13];
};
_Static_assert(sizeof(struct rusage) == 72, "rusage");

struct sysinfo {
    uint32_t uptime, loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t totalhigh, freehigh, mem_unit;
    uint8_t rest[8];
};
_Static_assert(sizeof(struct sysinfo) == 64, "sysinfo");

enum auxv_type {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
};

#endif
