/* SPDX-License-Identifier: MIT */
/* /proc about the system. */
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/fs/procfs.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/thread.h"

#define NS_PER_TICK 10000000u

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid c = {leaf, 0, 0, 0};
    __asm__("cpuid" : "+a"(c.eax), "=b"(c.ebx), "+c"(c.ecx), "=d"(c.edx));
    return c;
}

static void put_flags(struct text *text, uint32_t edx)
{
    static const char *const names[32] = {
        "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
        "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
        "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe"};
    text_put(text, "flags\t\t:");
    for (uint32_t i = 0; i < 32; i++)
        if ((edx >> i & 1) && names[i])
            text_put(text, " %s", names[i]);
    text_put(text, "\n");
}

void proc_cpuinfo(struct text *text)
{
    struct cpuid name = cpuid(0), version = cpuid(1);
    char vendor[13] = {0};
    uint32_t family = version.eax >> 8 & 15, model = version.eax >> 4 & 15;
    uint32_t rest, mhz = (uint32_t)div_u64(machine_regs.cpu_hz, 1000000, &rest);
    memcpy(vendor, &name.ebx, 4);
    memcpy(vendor + 4, &name.edx, 4);
    memcpy(vendor + 8, &name.ecx, 4);
    text_put(text, "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", vendor,
             family, model | (version.eax >> 12 & 0xf0));
    text_put(text, "model name\t: Denali virtual processor\nstepping\t: %u\n", version.eax & 15);
    text_put(text, "cpu MHz\t\t: %u.%03u\n", mhz, rest / 1000);
    text_put(text, "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n");
    text_put(text, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
             name.eax);
    put_flags(text, version.edx);
    text_put(text, "bugs\t\t:\nbogomips\t: %u.%02u\nclflush size\t: 64\n\n", mhz * 2, 0);
}

void proc_meminfo(struct text *text)
{
    uint32_t total = (uint32_t)(machine_regs.mem_bytes / 1024);
    uint32_t used = (uint32_t)((page_bytes_used() + vma_bytes()) / 1024);
    uint32_t free = used < total ? total - used : 0, cached = (uint32_t)(cache_bytes() / 1024);
    const struct {
        const char *name;
        uint32_t kib;
    } lines[] = {
        {"MemTotal:", total}, {"MemFree:", free},      {"MemAvailable:", free + cached},
        {"Buffers:", 0},      {"Cached:", cached},     {"SwapCached:", 0},
        {"Active:", used},    {"Inactive:", 0},        {"SwapTotal:", 0},
        {"SwapFree:", 0},     {"Dirty:", 0},           {"Mapped:", 0},
        {"Shmem:", 0},        {"CommitLimit:", total}, {"Committed_AS:", used},
    };
    for (uint32_t i = 0; i < ARRAY_LEN(lines); i++)
        text_put(text, "%-15s %8u kB\n", lines[i].name, lines[i].kib);
}

static void put_hundredths(struct text *text, uint64_t ns, const char *end)
{
    uint32_t rest, sec = (uint32_t)div_u64(ns, NS_PER_SEC, &rest);
    text_put(text, "%u.%02u%s", sec, rest / NS_PER_TICK, end);
}

void proc_uptime(struct text *text)
{
    put_hundredths(text, time_now(), " ");
    put_hundredths(text, sched_idle_ns(), "\n");
}

void proc_loadavg(struct text *text)
{
    text_put(text, "0.00 0.00 0.00 1/%u %u\n", thread_count(), ILWACO_PID);
}

void proc_stat(struct text *text)
{
    uint32_t idle = (uint32_t)div_u64(sched_idle_ns(), NS_PER_TICK, NULL);
    uint32_t user = (uint32_t)div_u64(time_now() - sched_idle_ns(), NS_PER_TICK, NULL);
    uint32_t boot = (uint32_t)div_u64(time_wall_base(), NS_PER_SEC, NULL);
    text_put(text, "cpu  %u 0 0 %u 0 0 0 0 0 0\ncpu0 %u 0 0 %u 0 0 0 0 0 0\n", user, idle, user,
             idle);
    text_put(text, "intr 0\nctxt 0\nbtime %u\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
             boot);
}

void proc_version(struct text *text)
{
    text_put(text, "Linux version 5.10.0-ilwaco (Ilwaco) #1 SMP Denali\n");
}

void proc_kernel_version(struct text *text)
{
    text_put(text, "#1 SMP Denali\n");
}

void proc_filesystems(struct text *text)
{
    text_put(text, "nodev\tproc\nnodev\ttmpfs\nnodev\tsysfs\n");
}

void proc_empty(struct text *text)
{
    text_put(text, "\n");
}

void proc_zero(struct text *text)
{
    text_put(text, "0\n");
}

void proc_one(struct text *text)
{
    text_put(text, "1\n");
}

void proc_ostype(struct text *text)
{
    text_put(text, "Linux\n");
}

void proc_osrelease(struct text *text)
{
    text_put(text, "5.10.0-ilwaco\n");
}

void proc_hostname(struct text *text)
{
    text_put(text, "%s\n", boot_hostname());
}

void proc_pid_max(struct text *text)
{
    text_put(text, "32768\n");
}

void proc_ngroups(struct text *text)
{
    text_put(text, "65536\n");
}

void proc_last_cap(struct text *text)
{
    text_put(text, "40\n");
}

static void put_uuid(struct text *text, const uint8_t b[16])
{
    for (uint32_t i = 0; i < 16; i++)
        text_put(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
    text_put(text, "\n");
}

void proc_uuid(struct text *text)
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    bytes[6] = (bytes[6] & 15) | 0x40;
    bytes[8] = (bytes[8] & 63) | 0x80;
    put_uuid(text, bytes);
}

void proc_boot_id(struct text *text)
{
    static uint8_t id[16];
    if (!id[6])
        random_bytes(id, sizeof id);
    id[6] = (id[6] & 15) | 0x40;
    id[8] = (id[8] & 63) | 0x80;
    put_uuid(text, id);
}

void proc_entropy(struct text *text)
{
    text_put(text, "256\n");
}

void proc_map_count(struct text *text)
{
    text_put(text, "65000\n");
}

void proc_min_addr(struct text *text)
{
    text_put(text, "%u\n", USER_BASE);
}

void proc_file_max(struct text *text)
{
    text_put(text, "1048576\n");
}

void proc_pipe_max(struct text *text)
{
    text_put(text, "65536\n");
}

void proc_somaxconn(struct text *text)
{
    text_put(text, "4096\n");
}

void proc_cpu_list(struct text *text)
{
    text_put(text, "0\n");
}
