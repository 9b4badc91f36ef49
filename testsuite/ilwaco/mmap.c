/* SPDX-License-Identifier: MIT */
/* Memory: brk, mmap and relatives, and the faults at their borders. */
#include "check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf back;
static volatile int fault_code;
static void *volatile fault_address;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(back, signal);
}

/* Signal of a read or write at p, 0: none. */
static int touch(volatile char *p, int write)
{
    int signal = sigsetjmp(back, 1);
    if (signal)
        return fault_address == (void *)p ? signal * 10 + fault_code : -1;
    if (write)
        *p = 1;
    else
        (void)*p;
    return 0;
}

static void *map(size_t bytes, int prot)
{
    void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(p != MAP_FAILED);
    return p;
}

static void rights(void)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    SHOW(touch(p, 1));
    SHOW(mprotect(p + PAGE, PAGE, PROT_READ));
    SHOW(touch(p + PAGE, 0));
    SHOW(touch(p + PAGE, 1));
    SHOW(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
    SHOW(touch(p + 2 * PAGE, 0));
    SHOW(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
    SHOW(touch(p + 2 * PAGE, 1));
    SHOW(munmap(p + PAGE, PAGE));
    SHOW(touch(p + PAGE, 0));
    SHOW(touch(p + 2 * PAGE, 0));
    SHOW(mprotect(p, 4 * PAGE, PROT_READ));
    SHOW(munmap(p, 4 * PAGE));
    SHOW(munmap(p + 1, PAGE));
    SHOW(touch(NULL, 0));
    SHOW(write(1, p, 1));
}

static void zeroes(void)
{
    char *p = map(64 * PAGE, PROT_READ | PROT_WRITE);
    memset(p, 0x55, 64 * PAGE);
    SHOW(madvise(p, 32 * PAGE, MADV_DONTNEED));
    SHOW(p[0] + p[32 * PAGE - 1]);
    SHOW(p[32 * PAGE]);
    SHOW(munmap(p, 64 * PAGE));
    char *q =
        mmap(p, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(q == p);
    int sum = 0;
    for (int i = 0; i < 64 * PAGE; i++)
        sum += q[i];
    SHOW(sum);
    memset(p, 0x55, 64 * PAGE);
    SHOW(mprotect(p, 64 * PAGE, PROT_NONE));
    SHOW(munmap(p, 64 * PAGE));
    q = mmap(p, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    SHOW(q == p && !q[0] && !q[8 * PAGE - 1]);
    SHOW(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
         MAP_FAILED);
    SHOW(munmap(q, 8 * PAGE));
}

static void resizing(void)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    p[0] = 1;
    p[2 * PAGE - 1] = 2;
    p = mremap(p, 2 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
    MUST(p != MAP_FAILED);
    SHOW(p[0] + p[2 * PAGE - 1]);
    SHOW(p[2 * PAGE] + p[300 * PAGE - 1]);
    p[300 * PAGE - 1] = 3;
    p = mremap(p, 300 * PAGE, PAGE, 0);
    SHOW(p[0]);
    SHOW(touch(p + PAGE, 0));
    char *blocker = mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MUST(blocker == p + PAGE);
    SHOW(mremap(p, PAGE, 2 * PAGE, 0) == MAP_FAILED);
    char *to = map(4 * PAGE, PROT_NONE);
    char *moved = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    SHOW(moved == to && moved[0] == 1 && moved[PAGE] == 0);
    SHOW(touch(p, 0));
    munmap(blocker, PAGE);
    munmap(to, 4 * PAGE);
}

static void heap(void)
{
    char *start = sbrk(0), *p = sbrk(5000);
    SHOW(p == start);
    memset(p, 7, 5000);
    SHOW((char *)sbrk(0) - start);
    SHOW(sbrk(-4000) != (void *)-1);
    SHOW(sbrk(4000) != (void *)-1);
    int sum = 0;
    for (int i = PAGE; i < 5000; i++)
        sum += p[i];
    printf("beyond the shrunk page: %d\n", sum % 7);
    SHOW(brk(start));
    for (int round = 0; round < 200; round++) {
        void *block[50];
        for (int i = 0; i < 50; i++) {
            size_t n = (size_t)((i * 7919 + round * 104729) % 300000);
            block[i] = malloc(n + 1);
            MUST(block[i]);
            memset(block[i], i, n + 1);
        }
        for (int i = 0; i < 50; i++)
            free(block[(i * 37) % 50]);
    }
    printf("malloc survived\n");
}

static void files(const char *path)
{
    char text[3 * PAGE];
    for (int i = 0; i < 3 * PAGE; i++)
        text[i] = (char)('a' + i % 26);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, text, 2 * PAGE + 100) == 2 * PAGE + 100);
    char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    MUST(private != MAP_FAILED);
    SHOW(memcmp(private, text, 2 * PAGE + 100));
    SHOW(private[2 * PAGE + 100]);
    private[0] = 'X';
    char c;
    SHOW(pread(fd, &c, 1, 0));
    printf("%c\n", c);
    munmap(private, 3 * PAGE);
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    MUST(shared != MAP_FAILED);
    SHOW(memcmp(shared, text + PAGE, PAGE + 100));
    shared[0] = 'Y';
    SHOW(pread(fd, &c, 1, PAGE));
    printf("%c\n", c);
    SHOW(pwrite(fd, "Z", 1, PAGE + 1));
    printf("%c\n", shared[1]);
    SHOW(msync(shared, 2 * PAGE, MS_SYNC));
    SHOW(munmap(shared, 2 * PAGE));
    SHOW(pread(fd, text, 2, PAGE));
    printf("%.2s\n", text);
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED);
    SHOW(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED);
    close(fd);
    fd = open(path, O_WRONLY);
    SHOW(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    close(fd);
    unlink(path);
    unsigned *anon = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(anon != MAP_FAILED);
    *anon = 5;
    SHOW(*anon);
    munmap(anon, PAGE);
}

static void stack(void)
{
    volatile char deep[4 << 20];
    for (unsigned i = sizeof deep; i > 0; i -= PAGE)
        deep[i - 1] = 1;
    printf("4 MiB of stack: %d\n", deep[PAGE - 1]);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    rights();
    zeroes();
    resizing();
    heap();
    files(argc > 1 ? argv[1] : "/tmp/ilwaco-mmap");
    stack();
    return 0;
}
