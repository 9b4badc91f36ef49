/* SPDX-License-Identifier: MIT */
/*
 * A recording's tape that lies, with its sums made anew, replayed: it is refused, or the replay
 * says that the guest differs, or goes as far as it is asked to. The recording that the events
 * are put into is made at the first input, and is always the same.
 * fuzz: max_len=4096
 */
#include "denali/record/record_format.h"
#include "denali/record/replay.h"
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/unit/random_guest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNTIL 4000u /* instructions that a replay may take */

struct world {
    char folder[64], start[96], tape[96];
    uint8_t head[RECORD_HEAD];
    struct engine *engine;
};

static void record_guest(struct world *w)
{
    struct record *record;
    struct why why;
    struct rig rig = {.translated = false};
    struct record_info *info = calloc(1, sizeof(*info));
    FUZZ_REQUIRE(info && record_create(w->folder, &record, &why) == 0);
    struct vm_config config = {.tape = record_tape(record), .deterministic = true};
    rig_start_config(&rig, &config, random_guest_devices, 3);
    srand(7);
    random_guest_write(&rig);
    FUZZ_REQUIRE(record_start(record, rig.vm, info, &why) == 0);
    FUZZ_REQUIRE(record_finish(record, rig.vm, &why) == 0);
    rig_stop(&rig);
    record_destroy(record);
    free(info);
}

static void forget(struct world *w)
{
    unlink(w->tape);
    unlink(w->start);
    rmdir(w->folder);
}

static struct world world;

static void forget_world(void)
{
    forget(&world);
}

static struct world *the_world(void)
{
    struct world *w = &world;
    if (w->engine)
        return w;
    FUZZ_REQUIRE(interp_create(&w->engine) == 0);
    strcpy(w->folder, "/tmp/denali-fuzz-XXXXXX");
    FUZZ_REQUIRE(mkdtemp(w->folder));
    snprintf(w->tape, sizeof(w->tape), "%s/%s", w->folder, RECORD_TAPE_NAME);
    snprintf(w->start, sizeof(w->start), "%s/%s", w->folder, RECORD_SNAPSHOT_NAME);
    record_guest(w);
    int fd = open(w->tape, O_RDONLY | O_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0 && read(fd, w->head, RECORD_HEAD) == (ssize_t)RECORD_HEAD);
    close(fd);
    atexit(forget_world);
    return w;
}

/* One chunk with these events behind the good head. */
static void write_tape(struct world *w, const uint8_t *data, size_t len, uint64_t icount)
{
    uint8_t raw[RECORD_CHUNK_HEAD];
    struct record_chunk c = {RECORD_CHUNK_MAGIC, (uint32_t)len, icount, 0, 0, 0};
    c.sum = tape_sum(data, len);
    state_save(&record_chunk_list, &c, raw);
    c.head_sum = tape_sum(raw, RECORD_CHUNK_HEAD - sizeof(c.head_sum));
    state_save(&record_chunk_list, &c, raw);
    int fd = open(w->tape, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_REQUIRE(fd >= 0);
    FUZZ_REQUIRE(write(fd, w->head, RECORD_HEAD) == (ssize_t)RECORD_HEAD);
    FUZZ_REQUIRE(write(fd, raw, sizeof(raw)) == (ssize_t)sizeof(raw));
    FUZZ_REQUIRE(write(fd, data, len) == (ssize_t)len);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world *w = the_world();
    struct replay *replay;
    struct why why = {""};
    struct replay_config config = {.engine = w->engine};
    if (len < 2)
        return 0;
    write_tape(w, data + 1, len - 1, data[0]);
    if (replay_create(w->folder, &config, &replay, &why)) {
        FUZZ_REQUIRE(why.text[0]);
        return 0;
    }
    enum replay_result result = replay_run(replay, UNTIL);
    FUZZ_REQUIRE(result != REPLAY_STOPPED && result != REPLAY_BREAKPOINT);
    FUZZ_REQUIRE(result != REPLAY_DIFFERS || replay_why(replay)[0]);
    replay_destroy(replay);
    return 0;
}
