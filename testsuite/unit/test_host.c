/* SPDX-License-Identifier: MIT */
/* What the host stands on: a journal that was cut or changed anywhere, a link whose other side
 * sends anything, specs, and the frames of consoles. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#if HAVE_HOST
#include "denali/host/hub.h"
#include "denali/host/journal.h"
#include "denali/host/link.h"
#include "denali/host/spec.h"

#include <errno.h>
#include <fcntl.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
    strcpy(path, "/tmp/denali-test-host-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void drop_path(void)
{
    unlink(path);
}

/* Journal. */

struct seen {
    int count, last;
};

static void see(void *opaque, json_t *object)
{
    struct seen *seen = opaque;
    seen->last = (int)json_integer_value(json_object_get(object, "n"));
    ck_assert_int_eq(seen->last, seen->count);
    seen->count++;
}

static struct journal *open_journal(struct seen *seen)
{
    struct journal *j;
    struct why why;
    *seen = (struct seen){0, -1};
    ck_assert_int_eq(journal_open(path, see, seen, &j, &why), 0);
    return j;
}

static void add(struct journal *j, int n)
{
    json_t *o = json_pack("{s:i, s:s}", "n", n, "text", "some words \n \" and more");
    ck_assert_int_eq(journal_add(j, o), 0);
    json_decref(o);
}

static void fill(int lines)
{
    struct seen seen;
    struct journal *j = open_journal(&seen);
    for (int i = 0; i < lines; i++)
        add(j, i);
    ck_assert_int_eq(journal_sync(j), 0);
    journal_close(j);
}

static size_t file_size(void)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return (size_t)st.st_size;
}

/* Cut at every byte: the lines before the cut are there, and new ones can be added. */
START_TEST(journal_cut)
{
    struct seen seen;
    fill(5);
    size_t whole = file_size(), line = whole / 5;
    for (size_t len = whole; len-- > 0;) {
        ck_assert_int_eq(truncate(path, (off_t)len), 0);
        struct journal *j = open_journal(&seen);
        ck_assert_int_eq(seen.count, (int)(len / line));
        add(j, seen.count);
        journal_close(j);
        j = open_journal(&seen);
        ck_assert_int_eq(seen.count, (int)(len / line) + 1);
        journal_close(j);
        ck_assert_int_eq(truncate(path, (off_t)len), 0);
    }
}
END_TEST

/* A changed byte ends what is believed, at its line; never sooner, never later. */
START_TEST(journal_changed)
{
    struct seen seen;
    for (size_t at = 0; at < 200; at += 3) {
        ck_assert_int_eq(truncate(path, 0), 0);
        fill(5);
        size_t line = file_size() / 5;
        int fd = open(path, O_RDWR);
        char byte;
        ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= 1;
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
        close(fd);
        journal_close(open_journal(&seen));
        ck_assert_int_eq(seen.count, (int)(at / line));
    }
}
END_TEST

static json_t *next_of_three(void *opaque)
{
    int *n = opaque;
    return *n < 3 ? json_pack("{s:i}", "n", (*n)++) : NULL;
}

START_TEST(journal_rewritten)
{
    struct seen seen;
    int n = 0;
    fill(50);
    struct journal *j = open_journal(&seen);
    ck_assert_int_eq(journal_rewrite(j, next_of_three, &n), 0);
    add(j, 3);
    journal_close(j);
    journal_close(open_journal(&seen));
    ck_assert_int_eq(seen.count, 4);
}
END_TEST

/* Link. */

static struct link one, other;

static void make_links(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    link_init(&one, pair[0]);
    link_init(&other, pair[1]);
}

static void drop_links(void)
{
    link_fini(&one);
    link_fini(&other);
}

/* Messages large and small, some with descriptors, arrive whole and in order; descriptors with
 * theirs. */
START_TEST(link_order)
{
    int received = 0, fd;
    json_t *m;
    for (int i = 0; i < 40; i++) {
        json_t *list = json_array();
        for (int k = 0; k < i * 500; k++)
            json_array_append_new(list, json_integer(k));
        ck_assert_int_eq(
            link_send(&one, json_pack("{s:i, s:o}", "n", i, "list", list), i % 3 ? -1 : 0), 0);
    }
    ck_assert(link_has_unsent(&one));
    while (received < 40) {
        int err = link_receive(&other, &m, &fd);
        if (err == -EAGAIN) {
            ck_assert_int_eq(link_flush(&one), 0);
            continue;
        }
        ck_assert_int_eq(err, 0);
        ck_assert_int_eq(json_integer_value(json_object_get(m, "n")), received);
        ck_assert_uint_eq(json_array_size(json_object_get(m, "list")), (size_t)received * 500);
        ck_assert_int_eq(fd >= 0, received % 3 == 0);
        if (fd >= 0)
            close(fd);
        json_decref(m);
        received++;
    }
}
END_TEST

/* Who reads nothing is given up, not waited for. */
START_TEST(link_bound)
{
    char *text = malloc(1u << 20);
    int err = 0, sent = 0;
    memset(text, 'x', (1u << 20) - 1);
    text[(1u << 20) - 1] = 0;
    while (!err && sent < 1000) {
        err = link_send(&one, json_pack("{s:s}", "t", text), -1);
        sent++;
    }
    ck_assert_int_eq(err, -ENOBUFS);
    free(text);
}
END_TEST

static int receive_bytes(const void *bytes, size_t len)
{
    json_t *m;
    int fd;
    ck_assert_int_eq(send(one.fd, bytes, len, 0), (ssize_t)len);
    int err = link_receive(&other, &m, &fd);
    if (!err)
        json_decref(m);
    return err;
}

START_TEST(link_nonsense)
{
    ck_assert_int_eq(receive_bytes("\0\0\0\0", 4), -EBADMSG);
    ck_assert_int_eq(receive_bytes("\xff\xff\xff\xff", 4), -EBADMSG);
    drop_links();
    make_links();
    ck_assert_int_eq(receive_bytes("\3\0\0\0[1]", 7), -EBADMSG);
    ck_assert_int_eq(receive_bytes("\3\0\0\0{1}", 7), -EBADMSG);
    ck_assert_int_eq(receive_bytes("\2\0\0\0{}", 6), 0);
    ck_assert_int_eq(receive_bytes("\2\0\0\0{", 5), -EAGAIN);
    link_fini(&one);
    json_t *m;
    int fd;
    ck_assert_int_eq(link_receive(&other, &m, &fd), -EPIPE);
}
END_TEST

/* Specs. */

START_TEST(spec_words_of_all)
{
    json_t *spec =
        json_loads("{\"image\": \"/x\", \"args\": [\"--json\", \"a b\"], \"env\": [\"K=v\"],"
                   "\"memory\": 65536, \"disks\": [{\"name\": \"d\", \"file\": \"/f\","
                   "\"cow\": [\"/a\", \"/b\"]}, {\"name\": \"e\", \"file\": \"/g\","
                   "\"readonly\": true}], \"restart\": \"always\"}",
                   0, NULL);
    static const char *const want[] = {
        "--env",  "K=v",     "--memory", "65536", "--disk", "d=/f,cow=/a,cow=/b",
        "--disk", "e=/g,ro", "--",       "/x",    "--json", "a b"};
    struct why why;
    int count = 0;
    ck_assert_int_eq(spec_check(spec, &why), 0);
    ck_assert_int_eq(spec_restart(spec), SPEC_RESTART_ALWAYS);
    char **words = spec_words(spec, &count);
    ck_assert_int_eq(count, (int)ARRAY_LEN(want));
    for (int i = 0; i < count; i++)
        ck_assert_str_eq(words[i], want[i]);
    spec_words_free(words);
    json_decref(spec);
}
END_TEST

START_TEST(spec_names)
{
    static const char *const good[] = {"a", "web-1", "1a", "A.b_c"};
    static const char *const bad[] = {"", "12", "-a", ".a", "a b", "a/b", "\xc3\xa4", "a\n"};
    char longest[SPEC_NAME_MAX + 2];
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert(spec_is_name(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert(!spec_is_name(bad[i]));
    memset(longest, 'a', sizeof(longest));
    longest[SPEC_NAME_MAX + 1] = 0;
    ck_assert(!spec_is_name(longest));
    longest[SPEC_NAME_MAX] = 0;
    ck_assert(spec_is_name(longest));
}
END_TEST

/* Consoles. */

static void nothing(void *opaque)
{
    (void)opaque;
}

static void note_signals(void *opaque, uint32_t signals)
{
    *(uint32_t *)opaque |= signals;
}

static struct hub *make_hub(uint32_t *signals)
{
    struct hub *hub;
    const struct hub_config config = {
        .tty = true, .input = nothing, .signal = note_signals, .rearm = nothing, .opaque = signals};
    ck_assert_int_eq(hub_create(&config, &hub), 0);
    return hub;
}

static void serve(struct hub *hub, unsigned *gone)
{
    struct pollfd fds[HUB_CLIENTS_MAX];
    uint64_t tokens[HUB_CLIENTS_MAX];
    unsigned n = hub_poll(hub, fds);
    poll(fds, n, 0);
    *gone += hub_ready(hub, fds, n, tokens);
}

/* A client's frames in parts of every size; then nonsense, which ends it alone. */
START_TEST(hub_frames)
{
    uint32_t signals = 0;
    struct hub *hub = make_hub(&signals);
    struct console_backend *b = hub_backend(hub);
    int pair[2], second[2];
    unsigned gone = 0, columns, rows;
    char got[16];
    static const char frames[] = "i\5\0\0hello"
                                 "s\4\0\0\x64\0\x1e\0"
                                 "g\4\0\0\3\0\0\0";
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
    ck_assert_int_eq(hub_attach(hub, pair[1], 7), 0);
    ck_assert_int_eq(hub_attach(hub, second[1], 8), 0);
    for (size_t part = 1; part < 8; part++) {
        for (size_t at = 0; at < sizeof(frames) - 1; at += part) {
            size_t n = sizeof(frames) - 1 - at < part ? sizeof(frames) - 1 - at : part;
            ck_assert_int_eq(send(pair[0], frames + at, n, 0), (ssize_t)n);
            serve(hub, &gone);
        }
        ck_assert_int_eq(b->ops->read(b, got, sizeof(got)), 5);
        ck_assert_int_eq(memcmp(got, "hello", 5), 0);
        ck_assert(b->ops->size(b, &columns, &rows) && columns == 100 && rows == 30);
        ck_assert_uint_eq(signals, 3);
    }
    ck_assert_uint_eq(gone, 0);
    ck_assert_int_eq(send(pair[0], "i\xff\xff\xff", 4, 0), 4);
    serve(hub, &gone);
    ck_assert_uint_eq(gone, 1);
    ck_assert(hub_has_clients(hub));
    ck_assert_int_eq(b->ops->read(b, got, sizeof(got)), -EAGAIN);
    hub_destroy(hub);
    close(pair[0]);
    close(second[0]);
}
END_TEST

/* A viewer that reads nothing holds nobody up, and is told what it lost. */
START_TEST(hub_slow_viewer)
{
    uint32_t signals = 0;
    struct hub *hub = make_hub(&signals);
    struct console_backend *b = hub_backend(hub);
    static char text[65536];
    int pair[2];
    unsigned gone = 0;
    uint64_t bytes = 0, lost = 0;
    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(hub_attach(hub, pair[1], 1), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(b->ops->write(b, CONSOLE_OUT, text, sizeof(text)), sizeof(text));
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    FILE *in = fdopen(pair[0], "r");
    for (int i = 0; i < 1000 && bytes + lost < 101 * sizeof(text); i++) {
        unsigned char head[4], word[4];
        serve(hub, &gone);
        while (fread(head, 1, 4, in) == 4) {
            size_t len = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16, n = 0;
            while (n < len) {
                size_t part = fread(head[0] == HUB_LOST ? (char *)word + n : text, 1, len - n, in);
                n += part;
                if (!part)
                    serve(hub, &gone), clearerr(in);
            }
            bytes += head[0] == HUB_OUTPUT ? len : 0;
            if (head[0] == HUB_LOST)
                lost += word[0] | word[1] << 8 | word[2] << 16 | (uint64_t)word[3] << 24;
        }
        clearerr(in);
        if (i == 10)
            ck_assert_int_eq(b->ops->write(b, CONSOLE_OUT, text, sizeof(text)), sizeof(text));
    }
    ck_assert_uint_eq(bytes + lost, 101 * sizeof(text));
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(gone, 0);
    fclose(in);
    hub_destroy(hub);
}
END_TEST

static Suite *host_suite(void)
{
    Suite *suite = suite_create("host");
    TCase *journal = tcase_create("journal"), *link = tcase_create("link");
    TCase *rest = tcase_create("specs and consoles");
    tcase_add_checked_fixture(journal, make_path, drop_path);
    tcase_add_test(journal, journal_cut);
    tcase_add_test(journal, journal_changed);
    tcase_add_test(journal, journal_rewritten);
    tcase_add_checked_fixture(link, make_links, drop_links);
    tcase_add_test(link, link_order);
    tcase_add_test(link, link_bound);
    tcase_add_test(link, link_nonsense);
    tcase_add_test(rest, spec_words_of_all);
    tcase_add_test(rest, spec_names);
    tcase_add_test(rest, hub_frames);
    tcase_add_test(rest, hub_slow_viewer);
    tcase_set_timeout(link, 30);
    tcase_set_timeout(rest, 30);
    suite_add_tcase(suite, journal);
    suite_add_tcase(suite, link);
    suite_add_tcase(suite, rest);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(host_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#else
int main(void)
{
    puts("SKIP: this build has no host");
    return 77;
}
#endif
