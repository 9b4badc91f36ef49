/* SPDX-License-Identifier: MIT */
/*
 * A driver for fuzz targets where libFuzzer is not: gives a target every input of a corpus, then
 * mutations of them for a while. It is blind, but it needs no other compiler; what libFuzzer has
 * found lies in the corpus and is the ground it starts from.
 *
 *   fuzz/NAME [--seconds N] [--runs N] [--seed N] [--max-len N] FILE|FOLDER...
 *
 * A child does the work. The input that it is at lies in memory that both see, so that one that
 * ends the child, or keeps it longer than HANG_S, is written to ./crash-NAME by the parent.
 * Exit: 0, or 1 after a finding.
 */
#include "testsuite/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)
#define HANG_S 60

struct input {
    uint8_t *bytes;
    size_t len;
};

struct shared {
    uint64_t runs;
    uint32_t len;
    uint8_t bytes[INPUT_MAX];
};

struct driver {
    const char *name;
    double seconds;
    uint64_t runs, random;
    size_t max_len;
    struct input *input;
    size_t inputs, room;
    struct shared *shared;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* xorshift64*: repeatable, and good enough to throw dice with. */
static uint32_t dice(struct driver *d, size_t sides)
{
    d->random ^= d->random >> 12;
    d->random ^= d->random << 25;
    d->random ^= d->random >> 27;
    return (uint32_t)((d->random * 0x2545f4914f6cdd1dull >> 32) % sides);
}

/* The corpus. */

static void input_add(struct driver *d, uint8_t *bytes, size_t len)
{
    if (d->inputs == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->input = realloc(d->input, d->room * sizeof(*d->input));
        FUZZ_REQUIRE(d->input);
    }
    d->input[d->inputs++] = (struct input){bytes, len};
}

static bool load_file(struct driver *d, const char *path)
{
    uint8_t *bytes = malloc(INPUT_MAX);
    FILE *f = fopen(path, "rb");
    if (!f || !bytes) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        free(bytes);
        return false;
    }
    input_add(d, bytes, fread(bytes, 1, INPUT_MAX, f));
    fclose(f);
    return true;
}

static bool load(struct driver *d, const char *path)
{
    struct dirent **entry;
    struct stat st;
    char name[4096];
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return load_file(d, path);
    int n = scandir(path, &entry, NULL, alphasort);
    bool ok = n >= 0;
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.')
            ok &= load_file(d, name);
        free(entry[i]);
    }
    if (ok)
        free(entry);
    return ok;
}

/* Mutations, each of bytes [0, len) of the shared input; the new length is returned. */

static size_t mutate_byte(struct driver *d, uint8_t *at, size_t len)
{
    if (len)
        at[dice(d, len)] ^= (uint8_t)(1u << dice(d, 8));
    return len;
}

static size_t mutate_number(struct driver *d, uint8_t *at, size_t len)
{
    static const uint32_t nasty[] = {0,          1,          2,      4,      0x7f,    0x80,
                                     0xff,       0x7fff,     0x8000, 0xfff,  0x1000,  0xffff,
                                     0x10000,    20,         0x400,  0x3fff, 0xfffff, 0x7ffffff,
                                     0x7fffffff, 0x80000000, ~0u};
    uint32_t value = dice(d, 4) ? nasty[dice(d, ARRAY_LEN(nasty))] : dice(d, 1u << 31);
    size_t bytes = (size_t)1 << dice(d, 3);
    value += dice(d, 4) ? 0 : dice(d, 9) - 4;
    if (len >= bytes)
        memcpy(at + dice(d, len - bytes + 1), &value, bytes);
    return len;
}

static size_t mutate_cut(struct driver *d, uint8_t *at, size_t len)
{
    if (len < 2)
        return len;
    size_t from = dice(d, len), n = 1 + dice(d, len - from);
    n = dice(d, 2) ? n : 1 + n % 8;
    n = from + n > len ? len - from : n;
    memmove(at + from, at + from + n, len - from - n);
    return len - n;
}

/* Bytes of another input, or of this one, put in or written over. */
static size_t mutate_splice(struct driver *d, uint8_t *at, size_t len)
{
    const struct input *other = &d->input[dice(d, d->inputs)];
    if (!other->len)
        return len;
    size_t from = dice(d, other->len), n = 1 + dice(d, other->len - from), to = dice(d, len + 1);
    n = dice(d, 2) ? n : 1 + n % 16;
    n = n > other->len - from ? other->len - from : n;
    if (dice(d, 2)) { /* over */
        n = n > len - to ? len - to : n;
    } else {
        n = n > d->max_len - len ? d->max_len - len : n;
        memmove(at + to + n, at + to, len - to);
        len += n;
    }
    memcpy(at + to, other->bytes + from, n);
    return len;
}

static void draw(struct driver *d)
{
    static size_t (*const mutate[])(struct driver *, uint8_t *, size_t) = {
        mutate_byte, mutate_number, mutate_cut, mutate_splice};
    struct shared *s = d->shared;
    const struct input *from = &d->input[dice(d, d->inputs)];
    size_t len = from->len < d->max_len ? from->len : d->max_len;
    memcpy(s->bytes, from->bytes, len);
    for (unsigned n = 1 + dice(d, 6); n; n--)
        len = mutate[dice(d, ARRAY_LEN(mutate))](d, s->bytes, len);
    s->len = (uint32_t)len;
}

static void run_one(struct driver *d)
{
    alarm(HANG_S);
    uint8_t *exact = fuzz_exact(d->shared->bytes, d->shared->len);
    LLVMFuzzerTestOneInput(exact, d->shared->len);
    free(exact);
    d->shared->runs++;
}

static void work(struct driver *d)
{
    for (size_t i = 0; i < d->inputs; i++) {
        d->shared->len = (uint32_t)d->input[i].len;
        memcpy(d->shared->bytes, d->input[i].bytes, d->input[i].len);
        run_one(d);
    }
    double end = now() + d->seconds;
    for (uint64_t n = 0; d->runs ? n < d->runs : now() < end; n++) {
        draw(d);
        run_one(d);
    }
}

/* The parent. */

static void keep_finding(const struct driver *d)
{
    char path[256];
    snprintf(path, sizeof(path), "crash-%s", d->name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(d->shared->bytes, 1, d->shared->len, f) != d->shared->len)
        fprintf(stderr, "cannot write %s\n", path);
    if (f)
        fclose(f);
    fprintf(stderr, "%s: the input is in %s, hexadecimal:\n", d->name, path);
    for (uint32_t i = 0; i < d->shared->len && i < 512; i++)
        fprintf(stderr, "%02x", d->shared->bytes[i]);
    fputc('\n', stderr);
}

static int run_child(struct driver *d)
{
    int status = 0;
    double begin = now();
    fflush(NULL);
    pid_t child = fork();
    FUZZ_REQUIRE(child >= 0);
    if (!child) {
        work(d);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "%s: input %llu %s (status %x)\n", d->name,
                (unsigned long long)d->shared->runs,
                WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs" : "ends the process",
                (unsigned)status);
        keep_finding(d);
        return 1;
    }
    printf("%s: %llu inputs, %zu of them from the corpus, %.1f s\n", d->name,
           (unsigned long long)d->shared->runs, d->inputs, now() - begin);
    return 0;
}

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s [--seconds N] [--runs N] [--seed N] [--max-len N] FILE|FOLDER...\n",
            name);
    return 2;
}

int main(int argc, char **argv)
{
    struct driver d = {.max_len = 4096};
    int i;
    d.name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    uint64_t seed = 1;
    for (i = 1; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        if (!strcmp(argv[i], "--seconds"))
            d.seconds = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--runs"))
            d.runs = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--max-len"))
            d.max_len = strtoul(argv[i + 1], NULL, 10);
        else
            return usage(d.name);
    }
    d.random = seed * 0x9e3779b97f4a7c15ull | 1;
    d.max_len = d.max_len < INPUT_MAX ? d.max_len : INPUT_MAX;
    for (; i < argc; i++)
        if (!load(&d, argv[i]))
            return 2;
    if (!d.inputs)
        return usage(d.name);
    d.shared =
        mmap(NULL, sizeof(*d.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FUZZ_REQUIRE(d.shared != MAP_FAILED);
    return run_child(&d);
}
