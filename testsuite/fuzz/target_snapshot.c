/* SPDX-License-Identifier: MIT */
/*
 * The reader of snapshots, with its sums made anew so that they keep nothing out: the file is
 * refused, or a VM made from it runs.
 * fuzz: max_len=65536
 */
#include "denali/snapshot_format.h"
#include "testsuite/fuzz/fuzz.h"

#include "emu/machine/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INSTRUCTIONS 500u

/* The sums of head, tables and contents as they would be if it had been written so. */
static void seal(uint8_t *file, size_t len)
{
    struct snapshot_head h;
    state_load(&snapshot_head_list, &h, file);
    h.file_bytes = len;
    if (h.contents_at >= SNAPSHOT_HEAD && h.contents_at <= len) {
        h.tables_crc = snapshot_crc(0, file + SNAPSHOT_HEAD, (size_t)h.contents_at - SNAPSHOT_HEAD);
        h.contents_crc = snapshot_crc(0, file + h.contents_at, len - (size_t)h.contents_at);
    }
    h.head_crc = 0;
    state_save(&snapshot_head_list, &h, file);
    h.head_crc = snapshot_crc(0, file, SNAPSHOT_HEAD);
    state_save(&snapshot_head_list, &h, file);
}

static struct engine *the_engine(void)
{
    static struct engine *engine;
    if (!engine)
        FUZZ_REQUIRE(interp_create(&engine) == 0);
    return engine;
}

static void run(struct snapshot *snapshot)
{
    struct vm *vm;
    struct why why = {""};
    struct vm_config config = {.snapshot = snapshot, .engine = the_engine()};
    if (vm_create(&config, &vm, &why)) {
        FUZZ_REQUIRE(why.text[0]);
        return;
    }
    for (unsigned i = 0; i < 4 && vm_run(vm, INSTRUCTIONS) != VM_ENDED; i++)
        vm_post(vm, 1u << i);
    size_t size = vm_state_size(vm);
    uint8_t *state = malloc(size);
    FUZZ_REQUIRE(state);
    if (vm_state_save(vm, state) == 0)
        FUZZ_REQUIRE(vm_state_load(vm, state, size, VM_TIME_SAVED) == 0);
    free(state);
    vm_destroy(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[FUZZ_PATH];
    struct snapshot *snapshot;
    struct why why = {""};
    size_t whole = (len + PAGE_MASK) & ~(size_t)PAGE_MASK;
    uint8_t *file = calloc(whole + PAGE_SIZE, 1);
    FUZZ_REQUIRE(file);
    whole = whole ? whole : PAGE_SIZE;
    memcpy(file, data, len);
    if (len)
        seal(file, whole);
    int fd = fuzz_file(file, whole, path);
    free(file);
    if (snapshot_open(path, &snapshot, &why) == 0) {
        run(snapshot);
        snapshot_close(snapshot);
    } else {
        FUZZ_REQUIRE(why.text[0]);
    }
    close(fd);
    return 0;
}
