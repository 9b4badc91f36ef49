/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping: monotonic, of one mind, exact enough. */
#include "check.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(clockid_t clock)
{
    struct timespec t;
    MUST(clock_gettime(clock, &t) == 0);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void monotonic(void)
{
    long long last = now_ns(CLOCK_MONOTONIC), first = last, steps = 0;
    for (int i = 0; i < 200000; i++) {
        long long t = now_ns(CLOCK_MONOTONIC);
        MUST(t >= last);
        steps += t > last;
        last = t;
    }
    printf("moves: %d %d\n", steps > 1000, last > first);
}

static void sleeping(void)
{
    int good = 0;
    for (int i = 0; i < 10; i++) {
        long long start = now_ns(CLOCK_MONOTONIC);
        usleep(5000);
        long long took = now_ns(CLOCK_MONOTONIC) - start;
        MUST(took >= 5000000);
        good += took < 200000000;
    }
    SHOW(good);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec = 0; /* past */
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    struct timespec bad = {0, 1000000000};
    SHOW(nanosleep(&bad, NULL));
    bad = (struct timespec){-1, 0};
    SHOW(nanosleep(&bad, NULL));
    SHOW(clock_gettime(77, &bad));
}

static void agreement(void)
{
    struct timeval tv;
    SHOW(gettimeofday(&tv, NULL));
    long long real = now_ns(CLOCK_REALTIME) / 1000000000;
    SHOW(real - tv.tv_sec <= 1 && real >= tv.tv_sec);
    SHOW(time(NULL) - real <= 1);
    SHOW(real > 1700000000);
    struct timespec res;
    SHOW(clock_getres(CLOCK_MONOTONIC, &res));
    SHOW(res.tv_sec);
}

static void cpu(void)
{
    clock_t start = clock();
    volatile double x = 0;
    while (clock() - start < CLOCKS_PER_SEC / 50)
        x += 1;
    long long before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    usleep(50000);
    long long slept = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    printf("sleeping costs no processor: %d\n", slept < 25000000);
    struct rusage usage;
    SHOW(getrusage(RUSAGE_SELF, &usage));
    struct tms tms;
    SHOW(times(&tms) != (clock_t)-1);
    long long thread = now_ns(CLOCK_THREAD_CPUTIME_ID);
    MUST(thread > 10000000);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    monotonic();
    sleeping();
    agreement();
    cpu();
    return 0;
}
