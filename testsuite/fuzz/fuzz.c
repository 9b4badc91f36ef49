/* SPDX-License-Identifier: MIT */
#include "testsuite/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    abort();
}

const uint8_t *fuzz_bytes(struct fuzz_in *in, size_t len, size_t *got)
{
    const uint8_t *bytes = in->at;
    *got = len < in->left ? len : in->left;
    in->at += *got;
    in->left -= *got;
    return bytes;
}

static uint32_t take(struct fuzz_in *in, unsigned bytes)
{
    size_t got;
    uint32_t value = 0;
    const uint8_t *at = fuzz_bytes(in, bytes, &got);
    for (size_t i = 0; i < got; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

uint8_t fuzz_u8(struct fuzz_in *in)
{
    return (uint8_t)take(in, 1);
}

uint16_t fuzz_u16(struct fuzz_in *in)
{
    return (uint16_t)take(in, 2);
}

uint32_t fuzz_u32(struct fuzz_in *in)
{
    return take(in, 4);
}

uint8_t *fuzz_exact(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    FUZZ_REQUIRE(copy);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

char *fuzz_text(const uint8_t *data, size_t len)
{
    char *copy = malloc(len + 1);
    FUZZ_REQUIRE(copy);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void fuzz_file_set(int fd, const void *data, size_t len)
{
    FUZZ_REQUIRE(ftruncate(fd, 0) == 0);
    FUZZ_REQUIRE(pwrite(fd, data, len, 0) == (ssize_t)len);
}

int fuzz_file(const void *data, size_t len, char path[FUZZ_PATH])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0);
    fuzz_file_set(fd, data, len);
    snprintf(path, FUZZ_PATH, "/proc/self/fd/%d", fd);
    return fd;
}
