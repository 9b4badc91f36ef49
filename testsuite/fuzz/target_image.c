/* SPDX-License-Identifier: MIT */
/*
 * The reader of program files: whatever the file says, it is refused with a reason, or its
 * segments lie inside the VM's memory and its symbols inside the file.
 * fuzz: max_len=16384
 */
#include "denali/image.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY (8 * MIB)

static void load(const struct image *image)
{
    struct ram *ram;
    struct why why = {""};
    FUZZ_REQUIRE(ram_create(MEMORY, &ram) == 0);
    if (image_load(image, ram, &why))
        FUZZ_REQUIRE(why.text[0]);
    ram_destroy(ram);
}

static void look(struct image *image)
{
    uint32_t offset;
    const struct image_manifest *manifest = image_manifest(image);
    FUZZ_REQUIRE(manifest->wishes <= DENALI_MAX_DEVICES);
    for (unsigned i = 0; i < manifest->wishes; i++)
        FUZZ_REQUIRE(strnlen(manifest->wish[i].name, DENALI_NAME_LEN) < DENALI_NAME_LEN);
    FUZZ_REQUIRE(image_key(image));
    for (uint32_t at = 0; at < 8; at++)
        image_symbol(image, image_entry(image) + at * 0x101, &offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[FUZZ_PATH];
    struct image *image;
    struct why why = {""};
    int fd = fuzz_file(data, len, path);
    if (image_open(path, &image, &why) == 0) {
        if (image_kind(image) == IMAGE_DENALI) {
            look(image);
            load(image);
        }
        image_close(image);
    } else {
        FUZZ_REQUIRE(why.text[0]);
    }
    close(fd);
    return 0;
}
