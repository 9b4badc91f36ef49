/* SPDX-License-Identifier: MIT */
/*
 * Image files: what is taken, what is refused and why, and that no file,
 * however it was cut or spoiled, does more than be refused or make a VM that
 * ends cleanly.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testsuite/unit/vm_rig.h"

/* mov eax, 7; terminate */
static const uint8_t ends[] = {0xb8, 7, 0, 0, 0, 0x0f, 0xb9, 0xc1};
static const struct denali_manifest_device console_wish = {DENALI_DEV_CONSOLE, 0, "console"};

static struct rig_elf elf;
static struct why why;

static void setup(void)
{
    rig_elf_make(&elf, ends, sizeof(ends), &console_wish, 1);
    why.text[0] = 0;
}

static int try_open(const void *bytes, size_t len, struct image **image)
{
    char path[64];
    rig_file(bytes, len, path);
    int err = image_open(path, image, &why);
    unlink(path);
    return err;
}

/* The image as it stands now is refused, and `why` contains `text`. */
static void refused(const char *text)
{
    struct image *image;
    ck_assert_int_eq(try_open(elf.bytes, elf.len, &image), -ENOEXEC);
    ck_assert_msg(strstr(why.text, text) != NULL, "\"%s\" lacks \"%s\"", why.text, text);
}

/* Runs what can be run for a moment: it ends or it does not, but nothing else happens. */
static enum vm_end_reason run_briefly(struct image *image)
{
    struct engine *engine;
    struct vm *vm;
    ck_assert_int_eq(interp_create(&engine), 0);
    struct vm_config config = {.image = image, .engine = engine};
    enum vm_end_reason reason = VM_END_NONE;
    if (vm_create(&config, &vm, &why) == 0) {
        vm_run(vm, 300);
        reason = vm_end(vm)->reason;
        vm_destroy(vm);
    }
    engine->ops->destroy(engine);
    return reason;
}

START_TEST(good)
{
    struct image *image = rig_image(&elf);
    ck_assert_int_eq(image_kind(image), IMAGE_DENALI);
    ck_assert_uint_eq(image_entry(image), RIG_CODE);
    ck_assert_uint_eq(image_manifest(image)->mem_bytes, MIB);
    ck_assert_uint_eq(image_manifest(image)->wishes, 1);
    ck_assert_str_eq(image_manifest(image)->wish[0].name, "console");
    ck_assert_uint_ne(image_key(image), 0);
    ck_assert_int_eq(run_briefly(image), VM_END_EXIT);
    image_close(image);
}
END_TEST

START_TEST(without_note_is_linux)
{
    struct image *image;
    elf.bytes[RIG_NOTE + sizeof(Elf32_Nhdr)] = 'X'; /* the note's name */
    ck_assert_int_eq(try_open(elf.bytes, elf.len, &image), 0);
    ck_assert_int_eq(image_kind(image), IMAGE_LINUX);
    image_close(image);
}
END_TEST

START_TEST(every_truncation)
{
    for (size_t len = 0; len < elf.len; len++) {
        struct image *image;
        int err = try_open(elf.bytes, len, &image);
        ck_assert_msg(err == -ENOEXEC, "cut to %zu: %d", len, err);
        ck_assert_uint_gt(strlen(why.text), 10);
        ck_assert_ptr_null(strchr(why.text, '\n'));
    }
}
END_TEST

START_TEST(byte_flips)
{
    unsigned opened = 0;
    srand(2);
    for (unsigned i = 0; i < 6000; i++) {
        struct rig_elf bad = elf;
        /* Mostly headers and note, where it matters. */
        for (unsigned n = 1 + (unsigned)rand() % 4; n; n--)
            bad.bytes[(unsigned)rand() % (rand() % 4 ? RIG_NOTE + 64 : bad.len)] = (uint8_t)rand();
        struct image *image;
        int err = try_open(bad.bytes, bad.len, &image);
        ck_assert_int_le(err, 0);
        if (err)
            continue;
        uint32_t offset;
        image_symbol(image, RIG_CODE, &offset);
        if (image_kind(image) == IMAGE_DENALI) {
            run_briefly(image);
            opened++;
        }
        image_close(image);
    }
    ck_assert_uint_gt(opened, 100);
}
END_TEST

static Elf32_Ehdr *ehdr(void)
{
    return (Elf32_Ehdr *)(void *)elf.bytes;
}

static Elf32_Phdr *phdr(unsigned i)
{
    return (Elf32_Phdr *)(void *)(elf.bytes + RIG_PHDR) + i;
}

static struct denali_manifest *manifest(void)
{
    return (void *)(elf.bytes + RIG_NOTE + sizeof(Elf32_Nhdr) + 8);
}

START_TEST(wrong_kinds)
{
    struct image *image;
    elf.bytes[EI_CLASS] = ELFCLASS64;
    refused("64-bit");
    setup();
    ehdr()->e_machine = EM_ARM;
    refused("another processor");
    setup();
    ehdr()->e_type = ET_REL;
    refused("not a program");
    setup();
    ehdr()->e_type = ET_DYN;
    refused("position-independent");
    ck_assert_int_eq(try_open("#!/bin/sh\n", 10, &image), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "script"));
    ck_assert_int_eq(try_open("", 0, &image), -ENOEXEC);
    ck_assert_int_eq(try_open("hello, this is a text", 21, &image), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "not an ELF"));
}
END_TEST

START_TEST(wrong_files)
{
    struct image *image;
    char path[64];
    ck_assert_int_eq(image_open("/nonexistent/x", &image, &why), -ENOENT);
    ck_assert_int_eq(image_open("/tmp", &image, &why), -ENOEXEC);
    ck_assert_ptr_nonnull(strstr(why.text, "folder"));
    ck_assert_int_eq(image_open("/dev/zero", &image, &why), -ENOEXEC);
    rig_file("", 0, path);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(image_open(path, &image, &why), -ENOEXEC); /* and does not wait */
    unlink(path);
}
END_TEST

START_TEST(wrong_segments)
{
    phdr(0)->p_vaddr = 0;
    refused("outside RAM");
    setup();
    phdr(0)->p_vaddr = 0xffffff00;
    refused("outside RAM");
    setup();
    phdr(0)->p_memsz = 0xffffffff;
    refused("outside RAM");
    setup();
    phdr(0)->p_filesz = 0xffffffff;
    refused("cut off");
    setup();
    phdr(0)->p_offset = 0xfffffff0;
    refused("cut off");
    setup();
    phdr(0)->p_memsz = 1;
    refused("longer in the file");
    setup();
    ehdr()->e_entry = 0x1000;
    refused("outside its segments");
    setup();
    ehdr()->e_phnum = 0xffff;
    refused("damaged header");
    setup();
    ehdr()->e_phoff = 0xfffffff0;
    refused("cut off");
    setup();
    ehdr()->e_phnum = 3;
    *phdr(2) = *phdr(0);
    phdr(2)->p_vaddr += 4;
    refused("overlapping");
}
END_TEST

START_TEST(wrong_manifests)
{
    manifest()->version = 99;
    refused("version 99");
    setup();
    manifest()->devices = 17;
    refused("17 devices");
    setup();
    manifest()->devices = 2;
    refused("cut off");
    setup();
    memset(manifest()->device[0].name, 'x', DENALI_NAME_LEN);
    refused("wrongly");
    setup();
    memset(manifest()->device[0].name, 0, DENALI_NAME_LEN);
    refused("wrongly");
    setup();
    manifest()->device[0].name[0] = '\n';
    refused("wrongly");
    setup();
    ehdr()->e_phnum = 3;
    *phdr(2) = *phdr(1);
    refused("two manifests");
}
END_TEST

START_TEST(same_name_twice)
{
    const struct denali_manifest_device twice[] = {{DENALI_DEV_DISK, 0, "one"},
                                                   {DENALI_DEV_CONSOLE, 0, "one"}};
    rig_elf_make(&elf, ends, sizeof(ends), twice, 2);
    refused("\"one\" twice");
}
END_TEST

START_TEST(contents_and_zeroes)
{
    struct image *image;
    struct ram *ram;
    const uint8_t *mem;
    image = rig_image(&elf);
    ck_assert_int_eq(ram_create(MIB, &ram), 0);
    ck_assert_int_eq(image_load(image, ram, &why), 0);
    mem = ram_base(ram);
    ck_assert_int_eq(memcmp(mem + RIG_CODE, ends, sizeof(ends)), 0);
    for (unsigned i = sizeof(ends); i < sizeof(ends) + 4096; i++)
        ck_assert_uint_eq(mem[RIG_CODE + i], 0);
    ram_destroy(ram);
    ck_assert_int_eq(ram_create(64 * KIB, &ram), 0);
    ck_assert_int_eq(image_load(image, ram, &why), -ENOEXEC);
    ram_destroy(ram);
    image_close(image);
}
END_TEST

/* A segment large enough to be mapped, with ragged ends, beside another one. */
START_TEST(mapped_segment)
{
    enum { BIG = 300 * 1024 + 123, AT = 0x1000 + 77, ADDR = 0x40000 + 77 };
    uint8_t *file = calloc(1, AT + BIG);
    struct image *image;
    struct ram *ram;
    ehdr()->e_phnum = 3;
    *phdr(2) = (Elf32_Phdr){PT_LOAD, AT, ADDR, ADDR, BIG, BIG + 10000, 6, 4096};
    memcpy(file, elf.bytes, elf.len < AT ? elf.len : AT);
    for (unsigned i = 0; i < BIG; i++)
        file[AT + i] = (uint8_t)(i * 7 + i / 251);
    char path[64];
    rig_file(file, AT + BIG, path);
    ck_assert_int_eq(image_open(path, &image, &why), 0);
    ck_assert_int_eq(truncate(path, 0), 0); /* nobody's business any more */
    unlink(path);
    ck_assert_int_eq(ram_create(4 * MIB, &ram), 0);
    ck_assert_int_eq(image_load(image, ram, &why), 0);
    uint8_t *mem = ram_base(ram);
    ck_assert_int_eq(memcmp(mem + ADDR, file + AT, BIG), 0);
    for (unsigned i = 0; i < 77; i++)
        ck_assert_uint_eq(mem[0x40000 + i], 0);
    for (unsigned i = 0; i < 20000; i++)
        ck_assert_uint_eq(mem[ADDR + BIG + i], 0);
    mem[ADDR + 5000] ^= 1; /* copy-on-write: the file stays */
    struct ram *other;
    ck_assert_int_eq(ram_create(4 * MIB, &other), 0);
    ck_assert_int_eq(image_load(image, other, &why), 0);
    ck_assert_int_eq(memcmp(ram_base(other) + ADDR, file + AT, BIG), 0);
    ram_destroy(other);
    /* DISCARD of mapped pages: zero, not the file again. */
    ck_assert_int_eq(ram_discard(ram, 0x41000, 8192), 0);
    for (unsigned i = 0; i < 8192; i++)
        ck_assert_uint_eq(mem[0x41000 + i], 0);
    ram_destroy(ram);
    image_close(image);
    free(file);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("image");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, good);
    tcase_add_test(t, without_note_is_linux);
    tcase_add_test(t, every_truncation);
    tcase_add_test(t, byte_flips);
    tcase_add_test(t, wrong_kinds);
    tcase_add_test(t, wrong_files);
    tcase_add_test(t, wrong_segments);
    tcase_add_test(t, wrong_manifests);
    tcase_add_test(t, same_name_twice);
    tcase_add_test(t, contents_and_zeroes);
    tcase_add_test(t, mapped_segment);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
