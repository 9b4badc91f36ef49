/* SPDX-License-Identifier: MIT */
/*
 * The root packer: folders and tar files become images in which programs are
 * found; a changed root is packed anew; hostile tar files are refused or
 * packed, but never more than that.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emu/cli/pack/pack_root.h"
#include "emu/cli/pack/pack_tar_header.h"
#include "guests/ilwaco/rootfs_format.h"

static char folder[] = "/tmp/denali-pack-XXXXXX";
static char source[64], cache[64], tar_path[64];

static void run(const char *command)
{
    ck_assert_int_eq(system(command), 0);
}

static void setup(void)
{
    strcpy(folder, "/tmp/denali-pack-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(source, sizeof(source), "%s/root", folder);
    snprintf(cache, sizeof(cache), "%s/cache", folder);
    snprintf(tar_path, sizeof(tar_path), "%s/root.tar", folder);
    ck_assert_int_eq(mkdir(source, 0755), 0);
    setenv("XDG_CACHE_HOME", cache, 1);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    run(command);
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", source, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void make_tree(void)
{
    char command[512];
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p usr/bin usr/lib a/b/c && ln -s usr/bin bin && ln -s /usr/bin/prog "
             "a/b/c/abs && ln -s ../../../bin/prog a/b/c/rel && ln -s loop loop && "
             "ln -s ../../../../../../etc up",
             source);
    run(command);
    put("usr/bin/prog", "#!x", 0755);
    put("usr/bin/data", "data", 0644);
    snprintf(command, sizeof(command), "ln %s/usr/bin/prog %s/usr/bin/second", source, source);
    run(command);
}

static void check_tree(const char *root)
{
    struct why why = {""};
    char *image;
    ck_assert_msg(pack_root(root, &image, &why) == 0, "%s", why.text);
    static const char *const programs[] = {"/usr/bin/prog",    "/bin/prog",     "/a/b/c/abs",
                                           "/a/b/c/rel",       "//bin//./prog", "/bin/second",
                                           "/a/../../bin/prog"};
    for (unsigned i = 0; i < ARRAY_LEN(programs); i++)
        ck_assert_msg(pack_root_has_program(image, programs[i]), "%s", programs[i]);
    static const char *const others[] = {"/usr/bin/data", "/usr/bin",   "/loop",       "/up/passwd",
                                         "/bin/pro",      "/bin/prog2", "/bin/prog/x", "/"};
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        ck_assert_msg(!pack_root_has_program(image, others[i]), "%s", others[i]);
    free(image);
}

START_TEST(a_folder)
{
    make_tree();
    check_tree(source);
}
END_TEST

static ino_t image_number(const char *root)
{
    struct stat st;
    struct why why = {""};
    char *image;
    ck_assert_msg(pack_root(root, &image, &why) == 0, "%s", why.text);
    ck_assert_int_eq(stat(image, &st), 0);
    free(image);
    return st.st_ino;
}

/* A hard link to the old image keeps its inode number from being given to a new one. */
static void keep_images(void)
{
    static unsigned n;
    char command[256];
    snprintf(command, sizeof(command), "for f in %s/denali/*.img; do ln $f %s/old%u; done", cache,
             folder, n++);
    run(command);
}

START_TEST(packed_anew_when_changed)
{
    make_tree();
    ino_t first = image_number(source);
    ck_assert_uint_eq(image_number(source), first);
    keep_images();
    put("usr/bin/prog", "#!y", 0755); /* the same size */
    ino_t second = image_number(source);
    ck_assert_uint_ne(second, first);
    keep_images();
    put("a/b/c/deep", "", 0644);
    ck_assert_uint_ne(image_number(source), second);
    char command[128];
    snprintf(command, sizeof(command), "ls %s/denali | grep -q tmp && exit 1; exit 0", cache);
    run(command);
}
END_TEST

/* A damaged image is not used but made anew. */
START_TEST(damaged_image)
{
    make_tree();
    struct why why = {""};
    char *image;
    ck_assert_int_eq(pack_root(source, &image, &why), 0);
    ck_assert_int_eq(truncate(image, 5000), 0);
    ck_assert(!pack_root_has_program(image, "/bin/prog"));
    free(image);
    check_tree(source);
}
END_TEST

/* Every byte of the metadata, changed: wrong answers are allowed, wild reads are not. */
START_TEST(hostile_image)
{
    struct rootfs_super super;
    struct why why = {""};
    char *image;
    make_tree();
    ck_assert_int_eq(pack_root(source, &image, &why), 0);
    int fd = open(image, O_RDWR);
    ck_assert_int_eq(pread(fd, &super, sizeof(super), 0), sizeof(super));
    for (uint64_t at = super.meta_offset; at < super.meta_offset + super.meta_bytes; at++) {
        uint8_t old, bad;
        ck_assert_int_eq(pread(fd, &old, 1, (off_t)at), 1);
        bad = (uint8_t)~old;
        ck_assert_int_eq(pwrite(fd, &bad, 1, (off_t)at), 1);
        pack_root_has_program(image, "/a/b/c/rel");
        ck_assert_int_eq(pwrite(fd, &old, 1, (off_t)at), 1);
    }
    ck_assert(pack_root_has_program(image, "/a/b/c/rel"));
    close(fd);
    free(image);
}
END_TEST

static void make_tar(const char *flags)
{
    char command[512];
    snprintf(command, sizeof(command), "cd %s && tar %s -cf %s .", source, flags, tar_path);
    run(command);
}

START_TEST(tar_files)
{
    static const char *const formats[] = {"--format=ustar", "--format=gnu", "--format=pax", "-z"};
    make_tree();
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        make_tar(formats[i]);
        check_tree(tar_path);
    }
}
END_TEST

START_TEST(long_names)
{
    char deep[300] = "/", command[1024];
    for (int i = 0; i < 12; i++)
        strcat(deep, "folder-with-a-name/");
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p .%s && echo x >.%sprog && chmod 755 .%sprog", source, deep, deep,
             deep);
    run(command);
    strcat(deep, "prog");
    static const char *const formats[] = {"--format=gnu", "--format=pax"};
    for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
        struct why why = {""};
        char *image;
        make_tar(formats[i]);
        ck_assert_msg(pack_root(tar_path, &image, &why) == 0, "%s", why.text);
        ck_assert(pack_root_has_program(image, deep));
        free(image);
    }
}
END_TEST

/* ---- made by hand ---- */

static void header(uint8_t block[TAR_BLOCK], const char *name, char type, const char *link,
                   uint64_t size)
{
    memset(block, 0, TAR_BLOCK);
    snprintf((char *)block, 100, "%s", name);
    memcpy(block + 100, "0000755", 8);
    memcpy(block + 108, "0000000", 8);
    memcpy(block + 116, "0000000", 8);
    snprintf((char *)block + 124, 12, "%011llo", (unsigned long long)size);
    memcpy(block + 136, "00000000000", 12);
    block[156] = (uint8_t)type;
    snprintf((char *)block + 157, 100, "%s", link);
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    memset(block + 148, ' ', 8);
    unsigned sum = 0;
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += block[i];
    snprintf((char *)block + 148, 8, "%06o", sum);
}

static int pack_bytes(const void *data, size_t n)
{
    struct why why = {""};
    char *image = NULL;
    int fd = open(tar_path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
    close(fd);
    int err = pack_root(tar_path, &image, &why);
    ck_assert(err == 0 || (why.text[0] && !strchr(why.text, '\n')));
    free(image);
    return err;
}

static int pack_entry(const char *name, char type, const char *link, uint64_t size)
{
    uint8_t blocks[4 * TAR_BLOCK] = {0};
    header(blocks, name, type, link, size);
    return pack_bytes(blocks, sizeof(blocks));
}

START_TEST(hostile_entries)
{
    ck_assert_int_eq(pack_entry("fine", '0', "", 10), 0);
    ck_assert_int_ne(pack_entry("../out", '0', "", 0), 0);
    ck_assert_int_ne(pack_entry("a/../../out", '0', "", 0), 0);
    ck_assert_int_eq(pack_entry("/etc/passwd", '0', "", 0), 0); /* inside the root */
    ck_assert_int_ne(pack_entry("big", '0', "", 077777777777), 0);
    ck_assert_int_ne(pack_entry("link", '1', "nothing", 0), 0);
    ck_assert_int_ne(pack_entry("empty-link", '2', "", 0), 0);
    ck_assert_int_ne(pack_entry("long", 'L', "", 1u << 30), 0);
    ck_assert_int_ne(pack_entry("sparse", 'S', "", 0), 0);
    ck_assert_int_ne(pack_bytes("", 0), 0);
    ck_assert_int_ne(pack_bytes("short", 5), 0);
    uint8_t garbage[2048];
    memset(garbage, 0x5a, sizeof(garbage));
    ck_assert_int_ne(pack_bytes(garbage, sizeof(garbage)), 0);
}
END_TEST

START_TEST(pax_records)
{
    struct tar_entry e = {0};
    ck_assert_int_eq(tar_parse_pax(&e, "12 path=abc\n16 size=1234567\n", 28), 0);
    ck_assert_str_eq(e.name, "abc");
    ck_assert_uint_eq(e.size, 1234567);
    static const char *const bad[] = {"12 path=abc",   "99 path=abc\n", "0 path=abc\n",
                                      "-5 path=abc\n", "path=abc\n",    "12path=abc\n\n",
                                      "11 size=-5\n",  "5 ab\n",        "23 GNU.sparse.major=1\n"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(tar_parse_pax(&e, bad[i], strlen(bad[i])) != 0, "%s", bad[i]);
    tar_entry_clear(&e);
}
END_TEST

/* Bytes of a good file, changed and cut at random. */
START_TEST(mutations)
{
    static uint8_t good[65536], bad[65536];
    uint32_t state = 12345;
    make_tree();
    make_tar("--format=pax");
    FILE *in = fopen(tar_path, "rb");
    size_t n = fread(good, 1, sizeof(good), in);
    fclose(in);
    unsigned refused = 0;
    for (unsigned round = 0; round < 600; round++) {
        memcpy(bad, good, n);
        for (unsigned k = 0; k <= round % 5; k++) {
            state = state * 1664525 + 1013904223;
            bad[(state >> 8) % n] = (uint8_t)(state >> 24);
        }
        size_t len = round % 3 ? n : (state >> 4) % n + 1;
        refused += pack_bytes(bad, len) != 0;
    }
    ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(no_such_root)
{
    struct why why = {""};
    char *image;
    ck_assert_int_ne(pack_root("/no/such/root", &image, &why), 0);
    ck_assert_ptr_nonnull(strstr(why.text, "/no/such/root"));
    ck_assert_int_ne(pack_root("/dev/null", &image, &why), 0);
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    ck_assert_int_ne(pack_root(source, &image, &why), 0);
    ck_assert_ptr_nonnull(strstr(why.text, "XDG_CACHE_HOME"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack_root");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 50);
    tcase_add_test(cases, a_folder);
    tcase_add_test(cases, packed_anew_when_changed);
    tcase_add_test(cases, damaged_image);
    tcase_add_test(cases, hostile_image);
    tcase_add_test(cases, tar_files);
    tcase_add_test(cases, long_names);
    tcase_add_test(cases, hostile_entries);
    tcase_add_test(cases, pax_records);
    tcase_add_test(cases, mutations);
    tcase_add_test(cases, no_such_root);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
