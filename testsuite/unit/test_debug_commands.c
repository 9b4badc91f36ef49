/* SPDX-License-Identifier: MIT */
/* The table of commands: every row is whole, names are found, and every example runs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/debug/command/command.h"

START_TEST(rows_are_whole)
{
    const struct command *row, *other;
    for (unsigned n = 0; (row = command_row(n)); n++) {
        ck_assert_ptr_nonnull(row->run);
        ck_assert_ptr_nonnull(row->syntax);
        ck_assert_msg(row->summary && *row->summary, "%s has no summary", row->name);
        ck_assert_msg(row->example && *row->example, "%s has no example", row->name);
        ck_assert_uint_lt(row->group, COMMAND_GROUPS);
        ck_assert_msg(row->complete != COMPLETE_WORDS || row->words, "%s has no words", row->name);
        for (unsigned k = 0; k < n && (other = command_row(k)); k++)
            ck_assert_msg(strcmp(row->name, other->name), "%s is there twice", row->name);
    }
    ck_assert_uint_gt(strlen(command_row(0)->name), 0);
}
END_TEST

START_TEST(examples_are_of_their_row)
{
    const struct command *row, *found;
    const char *args;
    struct why why;
    for (unsigned n = 0; (row = command_row(n)); n++) {
        ck_assert_msg(!command_find(row->example, &found, &args, &why), "%s: %s", row->example,
                      why.text);
        ck_assert_msg(found == row, "\"%s\" finds %s", row->example, found->name);
    }
}
END_TEST

static void finds(const char *line, const char *name, const char *rest)
{
    const struct command *row;
    const char *args;
    struct why why;
    ck_assert_msg(!command_find(line, &row, &args, &why), "%s: %s", line, why.text);
    ck_assert_str_eq(row->name, name);
    ck_assert_str_eq(args, rest);
}

static void finds_nothing(const char *line)
{
    const struct command *row;
    const char *args;
    struct why why;
    ck_assert_int_lt(command_find(line, &row, &args, &why), 0);
    ck_assert_uint_gt(strlen(why.text), 0);
}

START_TEST(names_may_be_short)
{
    finds("b main", "break", "main");
    finds("  break   main", "break", "main");
    finds("c", "continue", "");
    finds("n 3", "next", "3");
    finds("x/4xw $esp", "x", "/4xw $esp");
    finds("p/x 1", "print", "/x 1");
    finds("i r eax", "info registers", "eax");
    finds("info b", "info breakpoints", "");
    finds("inf reg", "info registers", "");
    finds("reverse-c", "reverse-continue", "");
    finds("who wrote x", "who wrote", "x");
    finds("cat fault 14", "catch fault", "14");
    finds("snap save a", "snapshot save", "a");
    finds_nothing("");
    finds_nothing("frobnicate");
    finds_nothing("con");
    finds_nothing("info");
    finds_nothing("info nonsense");
    finds_nothing("\001\002");
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void copy_file(const char *from, const char *to)
{
    char command[1024];
    snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
    ck_assert_int_eq(system(command), 0);
}

/* Catching a system call needs a guest that has some. */
static int run_example(const struct command *row, const char *build)
{
    char text[1024], command[2048];
    const char *guest = strstr(row->example, "syscall") ? "httpd" : "accounts";
    snprintf(text, sizeof(text), "%s\n%s\n",
             strcmp(guest, "httpd") ? "break post\ncontinue\n"
                                      "snapshot save here\nstepi 20"
                                    : "",
             row->example);
    write_file("session", text);
    snprintf(command, sizeof(command),
             "'%s/denali' debug --batch --commands session '%s/guests/%s' >out 2>err", build, build,
             guest);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* 1: the guest's own; 137: killed. */
START_TEST(every_example_runs)
{
    const char *build = getenv("BUILD");
    const struct command *row;
    char path[512];
    snprintf(path, sizeof(path), "%s/guests/accounts", build ? build : ".");
    if (!build || access(path, X_OK))
        return;
    copy_file(path, "accounts");
    write_file("commands", "print 1\n");
    write_file("memory.bin", "text");
    for (unsigned n = 0; (row = command_row(n)); n++) {
        int status = run_example(row, build);
        ck_assert_msg(status == 0 || status == 1 || status == 137, "%s: status %d", row->example,
                      status);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug_commands");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, rows_are_whole);
    tcase_add_test(tcase, examples_are_of_their_row);
    tcase_add_test(tcase, names_may_be_short);
    tcase_add_test(tcase, every_example_runs);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
