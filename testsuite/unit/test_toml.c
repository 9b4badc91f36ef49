/* SPDX-License-Identifier: MIT */
/* The reader of specifications: values, places of errors, hostile bytes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/test/toml.h"

static struct why why;

static struct toml *read_text(const char *text)
{
    struct toml *out = NULL;
    ck_assert_msg(!toml_read("f", text, strlen(text), &out, &why), "%s", why.text);
    return out;
}

static void fails(const char *text, const char *message)
{
    struct toml *out = NULL;
    ck_assert_int_eq(toml_read("f", text, strlen(text), &out, &why), -EINVAL);
    ck_assert_msg(strstr(why.text, message) == why.text, "%s, not %s", why.text, message);
}

START_TEST(values)
{
    struct toml *t = read_text("a = 1_000\nb = 'x\\y'\nc = \"\\u00e9\\t\"\nd = [1, 2,\n 3,]\n"
                               "e.f = true\ng = { h = 1.5, \"i j\" = -7 }\nk = 0xff # end\n");
    ck_assert_int_eq(toml_get(t, "a")->integer, 1000);
    ck_assert_str_eq(toml_get(t, "b")->text, "x\\y");
    ck_assert_str_eq(toml_get(t, "c")->text, "\xc3\xa9\t");
    ck_assert_int_eq(toml_get(t, "d")->last->integer, 3);
    ck_assert(toml_get(toml_get(t, "e"), "f")->yes);
    ck_assert_double_eq(toml_get(toml_get(t, "g"), "h")->number, 1.5);
    ck_assert_int_eq(toml_get(toml_get(t, "g"), "i j")->integer, -7);
    ck_assert_int_eq(toml_get(t, "k")->integer, 255);
    ck_assert_int_eq(toml_get(t, "k")->line, 8);
    toml_free(t);
}
END_TEST

START_TEST(strings_of_lines)
{
    struct toml *t = read_text("a = \"\"\"\none\n  two\\\n   three\"\"\"\nb = '''\nx\n'''\n");
    ck_assert_str_eq(toml_get(t, "a")->text, "one\n  twothree");
    ck_assert_str_eq(toml_get(t, "b")->text, "x\n");
    toml_free(t);
}
END_TEST

START_TEST(tables)
{
    struct toml *t = read_text("x = 1\n[a.b]\ny = 2\n[[c]]\nz = 1\n[c.d]\nw = 3\n[[c]]\nz = 2\n");
    const struct toml *c = toml_get(t, "c");
    ck_assert_int_eq(toml_get(toml_get(toml_get(t, "a"), "b"), "y")->integer, 2);
    ck_assert_int_eq(c->kind, TOML_ARRAY);
    ck_assert_int_eq(toml_get(toml_get(c->first, "d"), "w")->integer, 3);
    ck_assert_int_eq(toml_get(c->last, "z")->integer, 2);
    toml_free(t);
}
END_TEST

START_TEST(json)
{
    struct toml *t = read_text("{\"a\": [1, {\"b\": \"x\\/y\"}],\n \"c\": false}\n");
    ck_assert_str_eq(toml_get(toml_get(t, "a")->last, "b")->text, "x/y");
    ck_assert(!toml_get(t, "c")->yes);
    toml_free(t);
    fails("{\"a\": 1} x", "f:1:10:");
}
END_TEST

START_TEST(errors_have_places)
{
    fails("a = 1\na = 2\n", "f:2:1: a is said twice");
    fails("a = \n", "f:1:5:");
    fails("a = \"x\n", "f:1:7:");
    fails("a = \"\"\"x\n", "f:1:5:");
    fails("\n\nb 1\n", "f:3:3:");
    fails("a = tru\n", "f:1:5:");
    fails("a = 1 2\n", "f:1:7:");
    fails("[a]\n[a]\n", "f:2:");
    fails("a = {b = 1}\na.c = 2\n", "f:2:");
    fails("a = 99999999999999999999\n", "f:1:5:");
    fails("a = 2026-11-24\n", "f:1:5:");
}
END_TEST

START_TEST(merges)
{
    struct toml *base = read_text("a = 1\n[e]\nx = 1\ny = [1, 2]\n"),
                *over = read_text("e.y = [3]\nb = 2\n");
    struct toml *both = toml_merge(base, over, NULL);
    ck_assert_ptr_nonnull(both);
    ck_assert_int_eq(toml_get(both, "a")->integer, 1);
    ck_assert_int_eq(toml_get(both, "b")->integer, 2);
    ck_assert_int_eq(toml_get(toml_get(both, "e"), "x")->integer, 1);
    ck_assert_int_eq(toml_get(toml_get(both, "e"), "y")->first->integer, 3);
    ck_assert_ptr_null(toml_get(toml_get(both, "e"), "y")->first->next);
    toml_free(base);
    toml_free(over);
    toml_free(both);
}
END_TEST

/* Whatever the bytes are, it says yes or no. */
START_TEST(hostile)
{
    static const char alphabet[] = "a.=[]{}\"'\\\n#,1-:x \t\r";
    unsigned seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        char text[64];
        size_t len = 0;
        for (; len < sizeof(text) && (seed = seed * 1103515245u + 12345u) >> 16 & 63; len++)
            text[len] = alphabet[(seed >> 8) % (sizeof(alphabet) - 1)];
        struct toml *out = NULL;
        if (!toml_read("f", text, len, &out, &why))
            toml_free(out);
    }
    char deep[4000];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "a = ", 4);
    struct toml *out = NULL;
    ck_assert_int_eq(toml_read("f", deep, sizeof(deep), &out, &why), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("toml");
    TCase *tc = tcase_create("toml");
    tcase_add_test(tc, values);
    tcase_add_test(tc, strings_of_lines);
    tcase_add_test(tc, tables);
    tcase_add_test(tc, json);
    tcase_add_test(tc, errors_have_places);
    tcase_add_test(tc, merges);
    tcase_add_test(tc, hostile);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
