/* SPDX-License-Identifier: MIT */
/* The window: its layout, bounds, rights as guest and as host see them, and code marks. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/base/host.h"
#include "emu/machine/ram.h"

#define SIZE (16 * MIB)

static struct ram *ram;

static void setup(void)
{
    ck_assert_int_eq(ram_create(SIZE, &ram), 0);
}

static void teardown(void)
{
    ram_destroy(ram);
}

START_TEST(layout)
{
    uintptr_t base = (uintptr_t)ram_base(ram);
    ck_assert_uint_eq(base % RAM_WINDOW, 0);
    ck_assert_uint_eq((uintptr_t)ram_context(ram) % 64, 0);
    ck_assert_uint_eq(ram_size(ram), SIZE);
    memset(ram_context(ram), 0xff, RAM_CONTEXT);
    ck_assert_uint_eq(ram_base(ram)[0], 0);
    ck_assert_uint_eq(ram_base(ram)[SIZE - 1], 0);
}
END_TEST

START_TEST(sizes)
{
    struct ram *other;
    ck_assert_int_eq(ram_create(4097, &other), -EINVAL);
    ck_assert_int_eq(ram_create(4 * GIB, &other), -EINVAL);
    ck_assert_int_eq(ram_create(4 * GIB - 64 * KIB, &other), 0);
    ram_base(other)[4 * GIB - 64 * KIB - 1] = 1;
    ram_destroy(other);
    ck_assert_int_eq(ram_create(0, &other), 0);
    ck_assert_ptr_null(ram_span(other, 0, 1));
    ram_destroy(other);
}
END_TEST

START_TEST(spans_are_overflow_checked)
{
    ck_assert_ptr_eq(ram_span(ram, 0, SIZE), ram_base(ram));
    ck_assert_ptr_nonnull(ram_span(ram, SIZE - 1, 1));
    ck_assert_ptr_null(ram_span(ram, SIZE - 1, 2));
    ck_assert_ptr_null(ram_span(ram, SIZE, 1));
    ck_assert_ptr_null(ram_span(ram, 1, UINT64_MAX));
    ck_assert_ptr_null(ram_span(ram, UINT64_MAX, 2));
    ck_assert_ptr_null(ram_span_write(ram, SIZE - 4, 8));
}
END_TEST

START_TEST(copies)
{
    char text[6];
    ck_assert_int_eq(ram_write(ram, PAGE_SIZE - 3, "hello", 6), 0);
    ck_assert_int_eq(ram_read(ram, PAGE_SIZE - 3, text, 6), 0);
    ck_assert_str_eq(text, "hello");
    ck_assert_int_eq(ram_write(ram, SIZE - 3, "hello", 6), -EFAULT);
    ck_assert_uint_eq(ram_base(ram)[SIZE - 3], 0); /* nothing copied */
}
END_TEST

START_TEST(rights)
{
    char text[6] = "";
    ck_assert_int_eq(ram_write(ram, 3 * PAGE_SIZE, "hello", 6), 0);
    ck_assert_int_eq(ram_set_access(ram, 3 * PAGE_SIZE, PAGE_SIZE, HOST_R), 0);
    ck_assert_int_eq(ram_set_access(ram, 4 * PAGE_SIZE, PAGE_SIZE, HOST_NONE), 0);
    ck_assert_uint_eq(ram_access(ram, 2 * PAGE_SIZE), HOST_R | HOST_W);
    ck_assert_uint_eq(ram_access(ram, 3 * PAGE_SIZE + 5), HOST_R);
    ck_assert_uint_eq(ram_access(ram, 4 * PAGE_SIZE), HOST_NONE);
    ck_assert_uint_eq(ram_access(ram, SIZE), HOST_NONE);
    ck_assert_int_eq(ram_read(ram, 3 * PAGE_SIZE, text, 6), 0);
    ck_assert_str_eq(text, "hello");
    ck_assert_int_eq(ram_write(ram, 3 * PAGE_SIZE, "x", 1), -EFAULT);
    ck_assert_int_eq(ram_read(ram, 4 * PAGE_SIZE - 2, text, 4), -EFAULT);
    ck_assert_int_eq(ram_set_access(ram, 3 * PAGE_SIZE, 2 * PAGE_SIZE, HOST_R | HOST_W), 0);
    ck_assert_int_eq(ram_write(ram, 4 * PAGE_SIZE - 2, "hello", 6), 0);
    ck_assert_int_eq(ram_set_access(ram, 1, PAGE_SIZE, HOST_R), -EINVAL);
    ck_assert_int_eq(ram_set_access(ram, SIZE - PAGE_SIZE, 2 * PAGE_SIZE, HOST_R), -EINVAL);
}
END_TEST

/* Host accesses that must be killed by the host's MMU: (what to prepare, where to touch). */
START_TEST(host_write_to_read_only_page_is_refused)
{
    ck_assert_int_eq(ram_set_access(ram, PAGE_SIZE, PAGE_SIZE, HOST_R), 0);
    *(volatile uint8_t *)(ram_base(ram) + PAGE_SIZE) = 1;
}
END_TEST

START_TEST(host_write_to_code_page_is_refused)
{
    ck_assert_int_eq(ram_mark_code(ram, PAGE_SIZE, true), 0);
    *(volatile uint8_t *)(ram_base(ram) + PAGE_SIZE) = 1;
}
END_TEST

START_TEST(host_read_beyond_ram_is_refused)
{
    (void)*(volatile uint8_t *)(ram_base(ram) + SIZE);
}
END_TEST

START_TEST(host_read_below_window_is_refused)
{
    (void)*(volatile uint8_t *)(ram_base(ram) - RAM_REACH);
}
END_TEST

START_TEST(host_read_above_window_is_refused)
{
    (void)*(volatile uint8_t *)(ram_base(ram) + RAM_WINDOW + RAM_REACH);
}
END_TEST

struct seen {
    unsigned calls;
    gpa_t gpa;
    uint64_t len;
};

static void note_write(void *opaque, gpa_t gpa, uint64_t len)
{
    struct seen *seen = opaque;
    seen->calls++;
    seen->gpa = gpa;
    seen->len = len;
}

START_TEST(code_marks)
{
    struct seen seen = {0};
    ram_on_code_write(ram, note_write, &seen);
    ck_assert_int_eq(ram_mark_code(ram, 2 * PAGE_SIZE, true), 0);
    ck_assert(ram_is_code(ram, 2 * PAGE_SIZE + 9));
    ck_assert(!ram_is_code(ram, PAGE_SIZE));
    ck_assert_uint_eq(ram_access(ram, 2 * PAGE_SIZE), HOST_R | HOST_W); /* as the guest sees it */

    ck_assert_int_eq(ram_write(ram, PAGE_SIZE, "x", 1), 0);
    ck_assert_uint_eq(seen.calls, 0);
    ck_assert_int_eq(ram_write(ram, 2 * PAGE_SIZE - 2, "1234", 4), 0);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.gpa, 2 * PAGE_SIZE - 2);
    ck_assert_uint_eq(seen.len, 4);
    ck_assert(!ram_is_code(ram, 2 * PAGE_SIZE));
    ck_assert_mem_eq(ram_base(ram) + 2 * PAGE_SIZE - 2, "1234", 4);
    ck_assert_int_eq(ram_write(ram, 2 * PAGE_SIZE, "5", 1), 0);
    ck_assert_uint_eq(seen.calls, 1);
}
END_TEST

START_TEST(marks_lie_on_top_of_rights)
{
    ck_assert_int_eq(ram_mark_code(ram, PAGE_SIZE, true), 0);
    ck_assert_int_eq(ram_set_access(ram, PAGE_SIZE, PAGE_SIZE, HOST_R), 0);
    ck_assert(ram_is_code(ram, PAGE_SIZE));
    ck_assert_int_eq(ram_set_access(ram, PAGE_SIZE, PAGE_SIZE, HOST_R | HOST_W), 0);
    ck_assert(ram_is_code(ram, PAGE_SIZE));
    ck_assert_int_eq(ram_mark_code(ram, PAGE_SIZE, false), 0);
    ram_base(ram)[PAGE_SIZE] = 1;
    ck_assert_int_eq(ram_mark_code(ram, SIZE, true), -EINVAL);
}
END_TEST

/* Rights that change at every page are refused before the host runs out of mappings. */
START_TEST(too_many_borders)
{
    struct ram *big;
    gpa_t page = PAGE_SIZE;
    int err = 0;
    ck_assert_int_eq(ram_create(GIB, &big), 0);
    for (; !err && page < GIB; page += 2 * PAGE_SIZE)
        err = ram_set_access(big, page, PAGE_SIZE, HOST_R);
    ck_assert_int_eq(err, -ENOMEM);
    ck_assert_uint_eq(page / (2 * PAGE_SIZE), RAM_MAX_BORDERS / 2 + 1);
    ck_assert_uint_eq(ram_access(big, page - 2 * PAGE_SIZE), HOST_R | HOST_W);
    ck_assert_int_eq(ram_write(big, page - 2 * PAGE_SIZE, "x", 1), 0);

    /* Code marks have as much room again, and are always taken back. */
    gpa_t first_mark = page;
    for (err = 0; !err && page < GIB; page += 2 * PAGE_SIZE)
        err = ram_mark_code(big, page, true);
    ck_assert_int_eq(err, -ENOMEM);
    for (gpa_t at = first_mark; at < page; at += 2 * PAGE_SIZE)
        ck_assert_int_eq(ram_write(big, at, "x", 1), 0);
    ck_assert_int_eq(ram_set_access(big, 0, GIB, HOST_R | HOST_W), 0);
    ck_assert_int_eq(ram_set_access(big, PAGE_SIZE, PAGE_SIZE, HOST_R), 0);
    ram_destroy(big);
}
END_TEST

START_TEST(many_windows)
{
    struct ram *many[64];
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        ck_assert_int_eq(ram_create(GIB, &many[i]), 0);
        ram_base(many[i])[0] = (uint8_t)i;
    }
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        ck_assert_uint_eq(ram_base(many[i])[0], i);
        ram_destroy(many[i]);
    }
}
END_TEST

/* RAM of one source: what one of them changes is its own, and what is noted later is for those made
 * later. */
static void make_source(struct ram_source *source)
{
    static uint8_t filled[SIZE / PAGE_SIZE / 8];
    void *at;
    *source = (struct ram_source){.fd = host_memobj_create("source", SIZE), .filled = filled};
    ck_assert_int_ge(source->fd, 0);
    ck_assert_int_eq(host_reserve(SIZE, PAGE_SIZE, &at), 0);
    ck_assert_int_eq(host_map_fd(at, SIZE, HOST_R | HOST_W, source->fd, 0, true), 0);
    source->bytes = at;
    ck_assert_int_eq(ram_marks_create(SIZE, &source->marks), 0);
    ck_assert_int_eq(ram_marks_set_access(source->marks, PAGE_SIZE, PAGE_SIZE, HOST_R), 0);
}

START_TEST(a_source_s_rights)
{
    struct ram_source source;
    struct ram *a, *b, *c;
    make_source(&source);
    ck_assert_int_eq(ram_create_from(SIZE, &source, &a), 0);
    ck_assert_int_eq(ram_create_from(SIZE, &source, &b), 0);
    ck_assert_ptr_eq(ram_view(a)->denied, ram_view(b)->denied);
    ck_assert_uint_eq(ram_access(a, PAGE_SIZE), HOST_R);

    ck_assert_int_eq(ram_set_access(a, PAGE_SIZE, PAGE_SIZE, HOST_R), 0); /* no change */
    ck_assert_ptr_eq(ram_view(a)->denied, ram_view(b)->denied);
    ck_assert_int_eq(ram_set_access(a, PAGE_SIZE, PAGE_SIZE, HOST_R | HOST_W), 0);
    ck_assert_ptr_ne(ram_view(a)->denied, ram_view(b)->denied);
    ck_assert_int_eq(ram_write(a, PAGE_SIZE, "a", 1), 0);
    ck_assert_int_eq(ram_write(b, PAGE_SIZE, "b", 1), -EFAULT);

    ck_assert_int_eq(ram_mark_code(b, 2 * PAGE_SIZE, true), 0);
    ck_assert(!ram_is_code(a, 2 * PAGE_SIZE));
    ck_assert_int_eq(ram_create_from(SIZE, &source, &c), 0);
    ck_assert(ram_is_code(c, 2 * PAGE_SIZE));
    ck_assert_uint_eq(ram_access(c, PAGE_SIZE), HOST_R);
    ck_assert_uint_eq(ram_access(a, PAGE_SIZE), HOST_R | HOST_W);
    ram_destroy(a);
    ck_assert_int_eq(ram_set_access(b, PAGE_SIZE, PAGE_SIZE, HOST_NONE), 0);
    ck_assert_uint_eq(ram_access(c, PAGE_SIZE), HOST_R);
    ram_destroy(b);
    ram_destroy(c);
    ram_marks_destroy(source.marks);
    host_release((void *)(uintptr_t)source.bytes, SIZE);
    close(source.fd);
}
END_TEST

/* Under AddressSanitizer the signals that these tests expect must reach Check. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0";
}

int main(void)
{
    Suite *suite = suite_create("ram");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, layout);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, spans_are_overflow_checked);
    tcase_add_test(tc, copies);
    tcase_add_test(tc, rights);
    tcase_add_test(tc, code_marks);
    tcase_add_test(tc, marks_lie_on_top_of_rights);
    tcase_add_test(tc, too_many_borders);
    tcase_add_test(tc, many_windows);
    tcase_add_test(tc, a_source_s_rights);
    tcase_add_test_raise_signal(tc, host_write_to_read_only_page_is_refused, SIGSEGV);
    tcase_add_test_raise_signal(tc, host_write_to_code_page_is_refused, SIGSEGV);
    tcase_add_test_raise_signal(tc, host_read_beyond_ram_is_refused, SIGSEGV);
    tcase_add_test_raise_signal(tc, host_read_below_window_is_refused, SIGSEGV);
    tcase_add_test_raise_signal(tc, host_read_above_window_is_refused, SIGSEGV);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
