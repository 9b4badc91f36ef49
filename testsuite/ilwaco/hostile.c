/* SPDX-License-Identifier: MIT */
/*
 * usage: hostile SEED COUNT
 * Random system calls with random arguments: what a broken or hostile program
 * does. Ilwaco must answer each; it must not die of a fault of its own. Left
 * out is what ends, stops or blinds this program itself. Prints "end".
 */
#include "check.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define POOL (1u << 17)
#define CALLS 460

static uint64_t state;
static char *pool;

static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static uint32_t argument(void)
{
    static const uint32_t odd[] = {
        0,       1,        2,          3,         UINT32_MAX, 0x7fffffff, 4096, 0x1000, 0x10000,
        0x20000, 0x400000, 0x80000000, 0x8048000, 0xbffff000, 0x3fff0000, 64,   1000,   0xfffffffe};
    switch (draw() % 6) {
    case 0:
        return odd[draw() % (sizeof odd / sizeof *odd)];
    case 1:
        return (uint32_t)(uintptr_t)pool + draw() % (POOL / 2);
    case 2:
        return draw() % 64;
    case 3:
        return draw();
    case 4:
        return (uint32_t)(uintptr_t)pool + 4096 * (draw() % 20);
    default:
        return draw() % 4096;
    }
}

/* Calls that end the program, change its memory or registers, or take its alarms away. */
static int left_out(uint32_t number)
{
    static const uint16_t numbers[] = {SYS_exit,
                                       SYS_exit_group,
                                       SYS_clone,
                                       SYS_clone3,
                                       SYS_pause,
                                       SYS_nanosleep,
                                       SYS_rt_sigsuspend,
                                       SYS_sigsuspend,
                                       SYS_sigreturn,
                                       SYS_rt_sigreturn,
                                       SYS_clock_nanosleep,
                                       SYS_clock_nanosleep_time64,
                                       SYS_kill,
                                       SYS_tkill,
                                       SYS_tgkill,
                                       SYS_rt_sigqueueinfo,
                                       SYS_rt_tgsigqueueinfo,
                                       SYS_rt_sigtimedwait,
                                       SYS_rt_sigtimedwait_time64,
                                       SYS_sigprocmask,
                                       SYS_rt_sigprocmask,
                                       SYS_sgetmask,
                                       SYS_ssetmask,
                                       SYS_sigaction,
                                       SYS_rt_sigaction,
                                       SYS_signal,
                                       SYS_setitimer,
                                       SYS_alarm,
                                       SYS_mmap,
                                       SYS_mmap2,
                                       SYS_brk,
                                       SYS_set_thread_area,
                                       SYS_modify_ldt,
                                       SYS_mremap,
                                       SYS_sigaltstack};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == number)
            return 1;
    return 0;
}

/* Memory calls stay within the upper half of the pool; the standard streams stay open. */
static void tame(uint32_t number, uint32_t arg[6])
{
    if (number == SYS_munmap || number == SYS_mprotect || number == SYS_madvise) {
        arg[0] = (uint32_t)(uintptr_t)pool + POOL / 2 + 4096 * (draw() % 16);
        arg[1] %= POOL / 4;
    }
    if (number == SYS_close || number == SYS_close_range || number == SYS_dup2 ||
        number == SYS_dup3) {
        arg[0] += arg[0] < 3 ? 5 : 0;
        arg[1] += arg[1] < 3 ? 5 : 0;
    }
    if (number == SYS_write || number == SYS_writev || number == SYS_pwritev2)
        arg[0] += arg[0] < 3 ? 5 : 0;
}

static void wake_up(int signal)
{
    (void)signal;
}

static void set_up(void)
{
    static const char *const names[] = {"/tmp/a", "/proc/self/maps", "/proc/self/fd/3", "/etc",
                                        "b/../c", "/dev/zero",       "/proc/self/fd",   "/tmp"};
    struct sigaction action = {.sa_handler = wake_up}; /* no SA_RESTART: it ends what waits */
    pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(pool != MAP_FAILED);
    for (unsigned i = 0; i < POOL / 2; i++)
        pool[i] = (char)(draw() % 7 ? draw() % 16 : draw());
    for (unsigned i = 0; i < 8; i++)
        strcpy(pool + 4096 * (2 + i), names[i]);
    for (int i = 1; i < 65; i++)
        sigaction(i, &action, NULL);
}

int main(int argc, char **argv)
{
    MUST(argc == 3);
    state = strtoul(argv[1], NULL, 10);
    unsigned long count = strtoul(argv[2], NULL, 10);
    struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    set_up();
    setitimer(ITIMER_REAL, &soon, NULL);
    for (unsigned long i = 0; i < count; i++) {
        uint32_t number = draw() % CALLS, arg[6];
        for (int k = 0; k < 6; k++)
            arg[k] = argument();
        tame(number, arg);
        if (!left_out(number))
            syscall((long)number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    MUST(write(1, "end\n", 4) == 4);
    _exit(0);
}
