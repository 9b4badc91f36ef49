/* SPDX-License-Identifier: MIT */
/*
 * For tests of denali/: images made in memory, a console made of buffers, and a
 * VM whose single instructions the test executes with registers of its choice.
 */
#ifndef VM_RIG_H
#define VM_RIG_H

#include "denali/vm.h"

/* An ELF image with one segment and a manifest; bytes may be spoiled before it is written. */
#define RIG_CODE 0x20000u
#define RIG_FILE_MAX 8192

struct rig_elf {
    uint8_t bytes[RIG_FILE_MAX];
    size_t len;
};

/* Offsets of its parts in the file. */
enum rig_part { RIG_EHDR = 0, RIG_PHDR = 52, RIG_NOTE = 0x100, RIG_TEXT = 0x400 };

void rig_elf_make(struct rig_elf *elf, const void *code, size_t len,
                  const struct denali_manifest_device *devices, unsigned count);
/* A temporary file with these bytes; its path, in a static-free buffer of the caller. */
void rig_file(const void *bytes, size_t len, char path[64]);
struct image *rig_image(const struct rig_elf *elf);

/* A console whose output is kept and whose input is given. */
struct rig_console {
    struct console_backend base;
    char out[65536];
    size_t len, total;
    size_t room;    /* bytes that the next writes take in all; then -EAGAIN */
    const char *in; /* what reads get */
    size_t in_len;
    int error; /* of writes, if not 0 */
    unsigned mode;
};

void rig_console_init(struct rig_console *console);

struct rig {
    bool translated; /* the engine: translator (where there is one) or interpreter */
    struct rig_console console;
    struct engine *engine;
    struct image *image;
    struct vm *vm;
};

/*
 * A VM of 1 MiB with the devices, each bound to `resource`s where it needs one.
 * Its code is OUT DX,EAX; IN EAX,DX; and every virtual instruction.
 */
void rig_start(struct rig *rig, const struct denali_manifest_device *devices, unsigned count,
               const struct vm_resource *resource, unsigned resources);
/* The same with a config that the caller completes: engine, image and console are filled in. */
void rig_start_config(struct rig *rig, struct vm_config *config,
                      const struct denali_manifest_device *devices, unsigned count);
void rig_stop(struct rig *rig);

/* Execute one instruction; EAX afterwards. */
int32_t rig_out(struct rig *rig, unsigned device, unsigned port, uint32_t eax, uint32_t ecx,
                uint32_t ebx);
int32_t rig_in(struct rig *rig, unsigned device, unsigned port, uint32_t edi, uint32_t ecx);
int32_t rig_call(struct rig *rig, enum denali_fn fn, uint32_t eax, uint32_t ecx, uint32_t edx);
/* Points EIP at the instruction without running it. */
void rig_at_out(struct rig *rig);
void rig_at_in(struct rig *rig);
void rig_at_call(struct rig *rig, unsigned fn);

volatile struct denali_regs *rig_regs(struct rig *rig);
void *rig_mem(struct rig *rig, uint32_t gpa);

#endif
