/* SPDX-License-Identifier: MIT */
/* The first stack: strings, auxiliary vector, environment, arguments, as the i386 ABI has them. */
#include "guests/ilwaco/exec.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/memory.h"

#define AUXV_MAX 24

struct builder {
    uint32_t top;    /* strings lie above */
    uint32_t bottom; /* and must not come below */
    bool full;
};

static struct exec_info info;

struct exec_info *exec_info(void)
{
    return &info;
}

static uint32_t put_bytes(struct builder *b, const void *src, uint32_t n)
{
    if (b->top - b->bottom < n + PAGE_SIZE) {
        b->full = true;
        return 0;
    }
    b->top -= n;
    memcpy((void *)b->top, src, n);
    return b->top;
}

/* The strings, the last one first, so that they lie in order; their addresses. */
static void put_strings(struct builder *b, const struct exec_strings *strings, uint32_t *addresses)
{
    for (uint32_t i = strings->count; i-- && !b->full;)
        addresses[i] = put_bytes(b, strings->list[i], strlen(strings->list[i]) + 1);
}

/* CPUID leaf 1, EDX: what AT_HWCAP is on i386. */
static uint32_t hardware_capabilities(void)
{
    uint32_t eax = 1, ebx, ecx, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    return edx;
}

static uint32_t fill_auxv(uint32_t *auxv, const struct exec_image *image, uint32_t random,
                          uint32_t platform, uint32_t name)
{
    const uint32_t pairs[][2] = {
        {AT_HWCAP, hardware_capabilities()},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, 100},
        {AT_PHDR, image->phdr},
        {AT_PHENT, 32},
        {AT_PHNUM, image->phnum},
        {AT_BASE, image->base},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->program_entry},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_SECURE, 0},
        {AT_RANDOM, random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, name},
        {AT_PLATFORM, platform},
        {AT_NULL, 0},
    };
    memcpy(auxv, pairs, sizeof pairs);
    return sizeof pairs;
}

/* Below a program that leaves room there, so that both share the host's page tables, which every
 * clone pays for; else at the end of memory. */
static uint32_t stack_top(uint32_t bytes)
{
    const struct vma *lowest = vma_at(0);
    uint32_t top = lowest ? lowest->start : 0, need = bytes + STACK_GUARD;
    return top >= USER_BASE + need ? top : vma_limit();
}

static int map_stack(struct builder *b)
{
    uint32_t limit = vma_limit(), bytes = limit / 8 < STACK_BYTES ? limit / 8 : STACK_BYTES;
    bytes &= ~PAGE_MASK;
    uint32_t top = stack_top(bytes), bottom = top - bytes;
    struct vma guard = {bottom - STACK_GUARD, bottom, PROT_NONE, VMA_STACK, false, NULL, 0};
    struct vma stack = {bottom, top, PROT_READ | PROT_WRITE, VMA_STACK, false, NULL, 0};
    *b = (struct builder){top, bottom, false};
    memory_layout()->stack_top = top;
    int err = vma_map(&guard);
    return err ? err : vma_map(&stack);
}

/* Writes argc, argv, envp, auxv below the strings; the value of esp. */
static uint32_t put_vectors(struct builder *b, const uint32_t *args, uint32_t argc,
                            const uint32_t *env, uint32_t envc, const uint32_t *auxv,
                            uint32_t auxv_bytes)
{
    uint32_t words = 1 + argc + 1 + envc + 1;
    uint32_t bytes = words * 4 + auxv_bytes;
    if (b->full || b->top - b->bottom < bytes + PAGE_SIZE)
        return 0;
    uint32_t esp = (b->top - bytes) & ~15u, *out = (uint32_t *)esp;
    *out++ = argc;
    memcpy(out, args, argc * 4);
    out += argc;
    *out++ = 0;
    memcpy(out, env, envc * 4);
    out += envc;
    *out++ = 0;
    memcpy(out, auxv, auxv_bytes);
    info.auxv_start = (uint32_t)out;
    info.auxv_end = info.auxv_start + auxv_bytes;
    return esp;
}

uint32_t exec_stack(const struct exec_image *image, const char *path,
                    const struct exec_strings *args, const struct exec_strings *env)
{
    struct builder b;
    uint8_t seed[16];
    uint32_t auxv[AUXV_MAX * 2];
    uint32_t *addresses = kmalloc((args->count + env->count + 1) * sizeof *addresses);
    if (!addresses || map_stack(&b)) {
        kfree(addresses);
        return 0;
    }
    uint32_t *env_addresses = addresses + args->count;
    uint32_t zero = 0;
    put_bytes(&b, &zero, 4);
    uint32_t name = put_bytes(&b, path, strlen(path) + 1);
    info.env_end = b.top;
    put_strings(&b, env, env_addresses);
    info.env_start = info.args_end = b.top;
    put_strings(&b, args, addresses);
    info.args_start = b.top;
    uint32_t platform = put_bytes(&b, "i686", 5);
    random_bytes(seed, sizeof seed);
    uint32_t random = put_bytes(&b, seed, sizeof seed);
    uint32_t auxv_bytes = fill_auxv(auxv, image, random, platform, name);
    uint32_t esp =
        put_vectors(&b, addresses, args->count, env_addresses, env->count, auxv, auxv_bytes);
    kfree(addresses);
    return esp;
}
