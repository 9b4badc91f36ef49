/* SPDX-License-Identifier: MIT */
#include "testsuite/unit/vm_rig.h"

#include "dbt/dbt.h"

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_note(struct rig_elf *elf, const struct denali_manifest_device *devices,
                     unsigned count)
{
    struct denali_manifest head = {DENALI_ABI_VERSION, count, 1 * MIB};
    Elf32_Nhdr note = {sizeof(DENALI_NOTE_NAME),
                       (Elf32_Word)(sizeof(head) + count * sizeof(*devices)), DENALI_NOTE_MANIFEST};
    uint8_t *at = elf->bytes + RIG_NOTE;
    memcpy(at, &note, sizeof(note));
    memcpy(at + sizeof(note), DENALI_NOTE_NAME, sizeof(DENALI_NOTE_NAME));
    at += sizeof(note) + 8;
    memcpy(at, &head, sizeof(head));
    if (count)
        memcpy(at + sizeof(head), devices, count * sizeof(*devices));
}

void rig_elf_make(struct rig_elf *elf, const void *code, size_t len,
                  const struct denali_manifest_device *devices, unsigned count)
{
    Elf32_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                     .e_type = ET_EXEC,
                     .e_machine = EM_386,
                     .e_version = EV_CURRENT,
                     .e_entry = RIG_CODE,
                     .e_phoff = RIG_PHDR,
                     .e_ehsize = sizeof(eh),
                     .e_phentsize = sizeof(Elf32_Phdr),
                     .e_phnum = 2};
    size_t note = sizeof(Elf32_Nhdr) + 8 + sizeof(struct denali_manifest) +
                  count * sizeof(struct denali_manifest_device);
    Elf32_Phdr ph[2] = {
        {PT_LOAD, RIG_TEXT, RIG_CODE, RIG_CODE, (Elf32_Word)len, (Elf32_Word)len + 4096, 7, 4},
        {PT_NOTE, RIG_NOTE, 0, 0, (Elf32_Word)note, (Elf32_Word)note, 4, 4},
    };
    ck_assert_uint_le(RIG_NOTE + note, RIG_TEXT);
    ck_assert_uint_le(RIG_TEXT + len, RIG_FILE_MAX);
    memset(elf, 0, sizeof(*elf));
    memcpy(elf->bytes, &eh, sizeof(eh));
    memcpy(elf->bytes + RIG_PHDR, ph, sizeof(ph));
    put_note(elf, devices, count);
    memcpy(elf->bytes + RIG_TEXT, code, len);
    elf->len = RIG_TEXT + len;
}

void rig_file(const void *bytes, size_t len, char path[64])
{
    snprintf(path, 64, "%s/denali-unit-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

struct image *rig_image(const struct rig_elf *elf)
{
    char path[64];
    struct image *image = NULL;
    struct why why = {""};
    rig_file(elf->bytes, elf->len, path);
    int err = image_open(path, &image, &why);
    unlink(path);
    ck_assert_msg(err == 0, "%s", why.text);
    return image;
}

static struct rig_console *console_of(const struct console_backend *base)
{
    return CONTAINER_OF(base, struct rig_console, base);
}

static int64_t console_write(struct console_backend *base, enum console_stream stream,
                             const void *data, size_t len)
{
    struct rig_console *c = console_of(base);
    (void)stream;
    if (c->error)
        return c->error;
    if (!c->room)
        return -EAGAIN;
    if (len > c->room)
        len = c->room;
    size_t keep = len < sizeof(c->out) - c->len ? len : sizeof(c->out) - c->len;
    memcpy(c->out + c->len, data, keep);
    c->len += keep;
    c->total += len;
    c->room -= len;
    return (int64_t)len;
}

static int64_t console_read(struct console_backend *base, void *data, size_t room)
{
    struct rig_console *c = console_of(base);
    if (!c->in)
        return -EAGAIN;
    size_t n = room < c->in_len ? room : c->in_len;
    memcpy(data, c->in, n);
    c->in += n;
    c->in_len -= n;
    return (int64_t)n;
}

static int no_fd(const struct console_backend *base)
{
    (void)base;
    return -1;
}

static int no_out_fd(const struct console_backend *base, enum console_stream stream)
{
    (void)base, (void)stream;
    return -1;
}

static bool console_ended(const struct console_backend *base)
{
    const struct rig_console *c = console_of(base);
    return c->in && !c->in_len;
}

static bool no_tty(const struct console_backend *base)
{
    (void)base;
    return false;
}

static int console_mode(struct console_backend *base, unsigned mode)
{
    console_of(base)->mode = mode;
    return 0;
}

static bool console_size(const struct console_backend *base, unsigned *columns, unsigned *rows)
{
    (void)base;
    *columns = 132;
    *rows = 43;
    return true;
}

static void console_nothing(struct console_backend *base)
{
    (void)base;
}

static const struct console_backend_ops console_ops = {
    .name = "test",
    .write = console_write,
    .read = console_read,
    .in_fd = no_fd,
    .out_fd = no_out_fd,
    .ended = console_ended,
    .in_is_tty = no_tty,
    .out_is_tty = no_tty,
    .set_mode = console_mode,
    .size = console_size,
    .suspend = console_nothing,
    .resume = console_nothing,
    .destroy = console_nothing,
};

void rig_console_init(struct rig_console *console)
{
    memset(console, 0, sizeof(*console));
    console->base.ops = &console_ops;
    console->room = SIZE_MAX;
}

enum code_at { AT_OUT = 0, AT_IN = 4, AT_CALL = 8 };

static size_t make_code(uint8_t code[AT_CALL + 4 * 64])
{
    memset(code, 0x90, AT_CALL + 4 * 64);
    code[AT_OUT] = 0xef; /* out dx, eax */
    code[AT_IN] = 0xed;  /* in eax, dx */
    for (unsigned fn = 0; fn < 64; fn++) {
        const uint8_t call[3] = {0x0f, 0xb9, (uint8_t)(0xc0 + fn)};
        memcpy(code + AT_CALL + 4 * fn, call, sizeof(call));
    }
    return AT_CALL + 4 * 64;
}

static struct engine *make_engine(bool translated)
{
    struct engine *engine;
    const struct engine_options options = {.verify = false};
    if (translated && dbt_create(&options, &engine) == 0)
        return engine;
    ck_assert_int_eq(interp_create(&engine), 0);
    return engine;
}

void rig_start_config(struct rig *rig, struct vm_config *config,
                      const struct denali_manifest_device *devices, unsigned count)
{
    struct rig_elf elf;
    uint8_t code[AT_CALL + 4 * 64];
    struct why why = {""};
    rig_elf_make(&elf, code, make_code(code), devices, count);
    rig->image = rig_image(&elf);
    rig->engine = make_engine(rig->translated);
    rig_console_init(&rig->console);
    config->image = rig->image;
    config->engine = rig->engine;
    config->console = &rig->console.base;
    int err = vm_create(config, &rig->vm, &why);
    ck_assert_msg(err == 0, "%s", why.text);
}

void rig_start(struct rig *rig, const struct denali_manifest_device *devices, unsigned count,
               const struct vm_resource *resource, unsigned resources)
{
    struct vm_config config = {.resource = resource, .resources = resources};
    rig_start_config(rig, &config, devices, count);
}

void rig_stop(struct rig *rig)
{
    vm_destroy(rig->vm);
    rig->engine->ops->destroy(rig->engine);
    image_close(rig->image);
}

void rig_at_out(struct rig *rig)
{
    vm_cpu(rig->vm)->eip = RIG_CODE + AT_OUT;
}

void rig_at_in(struct rig *rig)
{
    vm_cpu(rig->vm)->eip = RIG_CODE + AT_IN;
}

void rig_at_call(struct rig *rig, unsigned fn)
{
    vm_cpu(rig->vm)->eip = RIG_CODE + AT_CALL + 4 * fn;
}

static uint32_t port_of(unsigned device, unsigned port)
{
    return DENALI_PORT_BASE + device * DENALI_PORT_STRIDE + port;
}

int32_t rig_out(struct rig *rig, unsigned device, unsigned port, uint32_t eax, uint32_t ecx,
                uint32_t ebx)
{
    struct cpu *cpu = vm_cpu(rig->vm);
    cpu->gpr[ISA_EAX] = eax;
    cpu->gpr[ISA_ECX] = ecx;
    cpu->gpr[ISA_EBX] = ebx;
    cpu->gpr[ISA_EDX] = port_of(device, port);
    rig_at_out(rig);
    vm_run(rig->vm, 1);
    return (int32_t)cpu->gpr[ISA_EAX];
}

int32_t rig_in(struct rig *rig, unsigned device, unsigned port, uint32_t edi, uint32_t ecx)
{
    struct cpu *cpu = vm_cpu(rig->vm);
    cpu->gpr[ISA_EDI] = edi;
    cpu->gpr[ISA_ECX] = ecx;
    cpu->gpr[ISA_EDX] = port_of(device, port);
    rig_at_in(rig);
    vm_run(rig->vm, 1);
    return (int32_t)cpu->gpr[ISA_EAX];
}

int32_t rig_call(struct rig *rig, enum denali_fn fn, uint32_t eax, uint32_t ecx, uint32_t edx)
{
    struct cpu *cpu = vm_cpu(rig->vm);
    cpu->gpr[ISA_EAX] = eax;
    cpu->gpr[ISA_ECX] = ecx;
    cpu->gpr[ISA_EDX] = edx;
    rig_at_call(rig, fn);
    vm_run(rig->vm, 1);
    return (int32_t)cpu->gpr[ISA_EAX];
}

volatile struct denali_regs *rig_regs(struct rig *rig)
{
    return (volatile void *)ram_base(vm_ram(rig->vm));
}

void *rig_mem(struct rig *rig, uint32_t gpa)
{
    return ram_base(vm_ram(rig->vm)) + gpa;
}
