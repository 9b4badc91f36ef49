/* SPDX-License-Identifier: MIT */
/* Threads: making, joining, locks, conditions, storage, signals, cancelling, preemption. */
#include "check.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 20000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int shared, turn;
static __thread int own;
static __thread double own_double = 1.0;

static void *add(void *p)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        shared++;
        pthread_mutex_unlock(&lock);
        own++;
        own_double *= 1.0000001;
    }
    (void)p;
    return (void *)(long)own;
}

static void mutexes(void)
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&t[i], NULL, add, NULL) == 0);
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        MUST(pthread_join(t[i], &result) == 0);
        sum += (long)result;
    }
    SHOW(shared);
    SHOW(sum);
    SHOW(own);
}

static void *take_turns(void *p)
{
    int me = (int)(long)p;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != me)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void conditions(void)
{
    pthread_t t[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, take_turns, (void *)i);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    SHOW(turn);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 5000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&lock);
    SHOW(pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
}

static volatile int spin_flag;

static void *spin(void *p)
{
    while (!spin_flag)
        ;
    return p;
}

/* Nobody yields: only preemption lets the other one run. */
static void preemption(void)
{
    pthread_t t;
    pthread_create(&t, NULL, spin, NULL);
    for (volatile int i = 0; i < 1000000; i++)
        ;
    spin_flag = 1;
    SHOW(pthread_join(t, NULL));
}

static sem_t semaphore;
static pthread_barrier_t barrier;
static int arrived;

static void *meet(void *p)
{
    sem_wait(&semaphore);
    __sync_fetch_and_add(&arrived, 1);
    int serial = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    (void)p;
    return (void *)(long)serial;
}

static void meetings(void)
{
    pthread_t t[6];
    int serials = 0;
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&barrier, NULL, 6);
    for (int i = 0; i < 6; i++)
        pthread_create(&t[i], NULL, meet, NULL);
    for (int i = 0; i < 6; i++)
        sem_post(&semaphore);
    for (int i = 0; i < 6; i++) {
        void *serial;
        pthread_join(t[i], &serial);
        serials += (int)(long)serial;
    }
    SHOW(arrived);
    SHOW(serials);
}

static volatile int handled_by_me;
static pthread_t target;

static void on_signal(int signal)
{
    (void)signal;
    handled_by_me = pthread_equal(pthread_self(), target);
}

static void *sleeper(void *p)
{
    struct timespec wish = {10, 0};
    (void)p;
    return (void *)(long)nanosleep(&wish, NULL);
}

static void signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    void *result;
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&target, NULL, sleeper, NULL);
    usleep(20000);
    SHOW(pthread_kill(target, SIGUSR1));
    pthread_join(target, &result);
    SHOW((long)result);
    SHOW(handled_by_me);
}

static void *forever(void *p)
{
    (void)p;
    for (;;)
        pause();
    return p;
}

static void cancelling(void)
{
    pthread_t t;
    void *result;
    pthread_create(&t, NULL, forever, NULL);
    usleep(10000);
    SHOW(pthread_cancel(t));
    pthread_join(t, &result);
    SHOW(result == PTHREAD_CANCELED);
}

static void *float_work(void *p)
{
    double x = (double)(long)p, sum = 0;
    for (int i = 1; i < 200000; i++)
        sum += x / i;
    double *out = malloc(sizeof *out);
    *out = sum;
    return out;
}

/* Floating-point state belongs to each thread, also when it is preempted in the middle. */
static void floats(void)
{
    pthread_t t[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, float_work, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        void *out;
        pthread_join(t[i], &out);
        printf("%.17g\n", *(double *)out);
        free(out);
    }
}

static void *die_holding(void *p)
{
    pthread_mutex_lock(p);
    return NULL;
}

static void robust(void)
{
    pthread_mutex_t m;
    pthread_mutexattr_t attr;
    pthread_t t;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &attr);
    pthread_create(&t, NULL, die_holding, &m);
    pthread_join(t, NULL);
    SHOW(pthread_mutex_lock(&m) == EOWNERDEAD);
    SHOW(pthread_mutex_consistent(&m));
    SHOW(pthread_mutex_unlock(&m));
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&m, &attr);
    SHOW(pthread_mutex_lock(&m));
    SHOW(pthread_mutex_trylock(&m) == EBUSY);
    SHOW(pthread_mutex_unlock(&m));
}

static void raw_futex(void)
{
    static int word = 1;
    struct timespec short_ = {0, 1000000};
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT, 1, &short_, NULL, 0));
    SHOW(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(syscall(SYS_futex, NULL, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(sched_yield());
}

static void *nothing(void *p)
{
    return p;
}

static void many(void)
{
    int made = 0;
    for (int i = 0; i < 2000; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, nothing, NULL))
            break;
        pthread_join(t, NULL);
        made++;
    }
    SHOW(made);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    mutexes();
    conditions();
    preemption();
    meetings();
    signals();
    cancelling();
    floats();
    robust();
    raw_futex();
    many();
    pthread_exit(NULL);
}
