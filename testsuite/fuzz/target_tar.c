/* SPDX-License-Identifier: MIT */
/*
 * A tar file becomes a root: it is refused with a reason, or the packed root is whole and its
 * names can be looked up.
 * fuzz: max_len=16384
 */
#include "emu/cli/pack/pack_image.h"
#include "emu/cli/pack/pack_root.h"
#include "emu/cli/pack/pack_source.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void look(int fd, const char *path)
{
    static const char *const names[] = {"/bin/sh", "/a/../b", "/", "//x//", "/usr/bin/env"};
    struct rootfs_super super;
    struct stat st;
    FUZZ_REQUIRE(pread(fd, &super, sizeof(super), 0) == (ssize_t)sizeof(super));
    FUZZ_REQUIRE(!fstat(fd, &st) && pack_super_is_good(&super, (uint64_t)st.st_size));
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        (void)pack_root_has_program(path, names[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[FUZZ_PATH], packed[FUZZ_PATH];
    struct pack_tree tree;
    struct pack_writer writer;
    struct pack_skips skips = {0};
    struct why why = {""};
    int fd = fuzz_file(data, len, path), out = fuzz_file("", 0, packed);
    FUZZ_REQUIRE(pack_tree_init(&tree) == 0 && pack_writer_init(&writer, out) == 0);
    if (pack_tar(path, &writer, &tree, &skips, &why))
        FUZZ_REQUIRE(why.text[0]);
    else if (pack_write_tree(&writer, &tree, 7) == 0)
        look(out, packed);
    pack_writer_fini(&writer);
    pack_tree_fini(&tree);
    close(fd);
    close(out);
    return 0;
}
