/* SPDX-License-Identifier: MIT */
/*
 * A guest that says it is well and is not: testsuite/spec/liars has a test for each way, none of
 * which may ever pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int *nowhere;

static void fault(void)
{
    *nowhere = 1;
}

static void hang(void)
{
    for (;;)
        __asm__ volatile("" ::: "memory");
}

static void wait_for_ever(void)
{
    pause();
}

static void flood(void)
{
    for (;;)
        puts("all tests passed");
}

static void fail_softly(void)
{
    puts("assertion failed: 1 == 2");
}

static void status(void)
{
    exit(3);
}

static void abandon(void)
{
    abort();
}

/* What a child prints later belongs to no other test. */
static void split(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        sleep(1);
        puts("LEAK");
        exit(0);
    }
}

static void ask(void)
{
    char line[80];
    printf("name? ");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        puts("(nobody answers)");
}

static void silent(void)
{
    exit(0);
}

/* No UTF-8, no XML, no end of a CDATA section. */
static void bytes(void)
{
    puts("\xff\x01\x7f\xc3(\xed\xa0\x80]]>&amp;<\033[31m\xef\xbf\xbf \xc3\xbc");
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {{"fault", fault},      {"hang", hang},     {"wait", wait_for_ever}, {"flood", flood},
            {"soft", fail_softly}, {"status", status}, {"abort", abandon},      {"fork", split},
            {"ask", ask},          {"silent", silent}, {"bytes", bytes}};

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    if (strcmp(way, "silent"))
        puts("all tests passed");
    fflush(stdout);
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!strcmp(way, ways[i].name))
            ways[i].run();
    }
    return 0;
}
