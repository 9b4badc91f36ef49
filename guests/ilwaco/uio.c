/* SPDX-License-Identifier: MIT */
/* Copies between kernel and program. */
#include "guests/ilwaco/memory.h"

int copy_from_user(void *dst, uint32_t src, size_t n)
{
    return !n || (user_range(src, n) && !user_copy(dst, (const void *)src, n)) ? 0 : -EFAULT;
}

int copy_to_user(uint32_t dst, const void *src, size_t n)
{
    return !n || (user_range(dst, n) && !user_copy((void *)dst, src, n)) ? 0 : -EFAULT;
}

int clear_user(uint32_t dst, size_t n)
{
    return !n || (user_range(dst, n) && !user_zero((void *)dst, n)) ? 0 : -EFAULT;
}

int copy_string_from_user(char *dst, uint32_t src, size_t room)
{
    int32_t len = user_range(src, 1) ? user_string(dst, (const char *)src, room) : -1;
    return len == -1 ? -EFAULT : len == -2 ? -ENAMETOOLONG : len;
}

void uio_init(struct uio *uio, struct uio_part *part, uint32_t base, uint32_t len, bool kernel)
{
    *part = (struct uio_part){base, len};
    *uio = (struct uio){.part = part, .parts = 1, .left = len, .kernel = kernel};
}

int uio_from_user(struct uio *uio, uint32_t iov, uint32_t count, struct uio_part **heap)
{
    *heap = NULL;
    *uio = (struct uio){0};
    if (count > UIO_MAX_PARTS)
        return -EINVAL;
    if (!count)
        return 0;
    struct uio_part *part = kmalloc(count * sizeof *part);
    if (!part)
        return -ENOMEM;
    int err = copy_from_user(part, iov, count * sizeof *part);
    for (uint32_t i = 0; !err && i < count; i++) {
        if (part[i].len > INT32_MAX - uio->left)
            err = -EINVAL;
        else
            uio->left += part[i].len;
    }
    if (err) {
        kfree(part);
        return err;
    }
    uio->part = *heap = part;
    uio->parts = count;
    return 0;
}

enum direction { PUT, GET, ZERO };

static int move(const struct uio *uio, uint32_t user, char *kernel, uint32_t n, enum direction dir)
{
    if (uio->kernel) {
        if (dir == GET)
            memcpy(kernel, (const void *)user, n);
        else if (dir == PUT)
            memcpy((void *)user, kernel, n);
        else
            memset((void *)user, 0, n);
        return 0;
    }
    if (dir == GET)
        return copy_from_user(kernel, user, n);
    return dir == PUT ? copy_to_user(user, kernel, n) : clear_user(user, n);
}

static int walk(struct uio *uio, char *kernel, uint32_t n, enum direction dir)
{
    BUG_ON(n > uio->left, "uio: more than is left");
    while (n) {
        uint32_t room = uio->part->len - uio->offset, part = room < n ? room : n;
        if (move(uio, uio->part->base + uio->offset, kernel, part, dir))
            return -EFAULT;
        kernel = dir == ZERO ? kernel : kernel + part;
        uio->offset += part;
        uio->left -= part;
        n -= part;
        if (uio->offset == uio->part->len && uio->parts > 1) {
            uio->part++;
            uio->parts--;
            uio->offset = 0;
        }
    }
    return 0;
}

int uio_put(struct uio *uio, const void *src, uint32_t n)
{
    if (uio->sink)
        return uio->sink(uio, src, n);
    return walk(uio, (char *)src, n, PUT);
}

int uio_get(struct uio *uio, void *dst, uint32_t n)
{
    return walk(uio, dst, n, GET);
}

int uio_zero(struct uio *uio, uint32_t n)
{
    static const char zeroes[512];
    int err = 0;
    for (uint32_t part; uio->sink && !err && n; n -= part) {
        part = n < sizeof zeroes ? n : sizeof zeroes;
        err = uio->sink(uio, zeroes, part);
    }
    return uio->sink ? err : walk(uio, NULL, n, ZERO);
}
