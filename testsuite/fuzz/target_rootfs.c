/* SPDX-License-Identifier: MIT */
/*
 * The host's reader of packed roots, which lie in a folder of the user's and may be damaged.
 * fuzz: max_len=32768
 */
#include "emu/cli/pack/pack_root.h"
#include "testsuite/fuzz/fuzz.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {"/bin/sh", "/a/../b/l", "/", "//x//y", "/usr/bin/env"};
    char path[FUZZ_PATH];
    int fd = fuzz_file(data, len, path);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        (void)pack_root_has_program(path, names[i]);
    close(fd);
    return 0;
}
