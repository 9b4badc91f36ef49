/* SPDX-License-Identifier: MIT */
/*
 * From the machine's start to the program's first instruction. Every step can
 * be read in boot_main; what fails ends the VM with one line that says why.
 */
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/exec.h"
#include "guests/ilwaco/fs/disk.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/regs_offsets.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/thread.h"

#define STATUS_CANNOT_RUN 119 /* with a line that says why */
#define MEM_MIN 0x800000u

/* The manifest: what the machine gives us. */
struct manifest {
    uint32_t name_bytes, data_bytes, type;
    char name[8];
    struct denali_manifest head;
    struct denali_manifest_device device[7];
};
extern const struct manifest boot_manifest;
const struct manifest boot_manifest __attribute__((section(".note.denali"), used, aligned(4))) = {
    .name_bytes = sizeof DENALI_NOTE_NAME,
    .data_bytes = sizeof(struct denali_manifest) + 7 * sizeof(struct denali_manifest_device),
    .type = DENALI_NOTE_MANIFEST,
    .name = DENALI_NOTE_NAME,
    .head = {DENALI_ABI_VERSION, 7, 1ull << 30},
    .device =
        {
            {DENALI_DEV_CONSOLE, 0, ILWACO_DEV_CONSOLE},
            {DENALI_DEV_KEYBOARD, 0, ILWACO_DEV_KEYBOARD},
            {DENALI_DEV_TIMER, 0, ILWACO_DEV_TIMER},
            {DENALI_DEV_NIC, DENALI_WANT_OPTIONAL, ILWACO_DEV_NIC},
            {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, ILWACO_DISK_ROOT},
            {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, ILWACO_DISK_PROGRAM},
            {DENALI_DEV_DISK, DENALI_WANT_OPTIONAL, DENALI_NAME_ANY},
        },
};

/* And where the register page shall be. */
struct place_note {
    uint32_t name_bytes, data_bytes, type;
    char name[8];
    struct denali_place place;
};
extern const struct place_note boot_place;
const struct place_note boot_place
    __attribute__((section(".note.denali"), used, aligned(4))) = {sizeof DENALI_NOTE_NAME,
                                                                  sizeof(struct denali_place),
                                                                  DENALI_NOTE_PLACE,
                                                                  DENALI_NOTE_NAME,
                                                                  {REGS_AT}};

extern char kernel_end[];
NORETURN void trap_resume_frame(const struct denali_context *frame);

const volatile struct denali_device *machine_device(enum denali_device_kind kind, const char *name)
{
    for (uint32_t i = 0; i < machine_regs.device_count && i < DENALI_MAX_DEVICES; i++) {
        const volatile struct denali_device *device = &machine_regs.device[i];
        if (device->kind == kind && (!name || !strcmp((const char *)device->name, name)))
            return device;
    }
    return NULL;
}

static NORETURN void PRINTF_LIKE(1, 2) give_up(const char *fmt, ...)
{
    char line[200];
    va_list args;
    va_start(args, fmt);
    kvsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    klog("%s", line);
    machine_terminate(STATUS_CANNOT_RUN);
}

/* ---- arguments and environment ---- */

static struct exec_strings args, env;
static const char *params[16] SELDOM_WRITTEN;

/* Addresses of NUL-ended strings that lie one behind the other. */
static const char **string_list(uint32_t addr, uint32_t bytes, uint32_t count)
{
    const char **list = kmalloc((count + 1) * sizeof *list);
    if (!list)
        give_up("no memory for %u arguments", count);
    const char *at = (const char *)addr, *end = at + bytes;
    for (uint32_t i = 0; i < count; i++) {
        list[i] = at < end ? at : "";
        at += at < end ? strnlen(at, (size_t)(end - at)) + 1 : 0;
    }
    return list;
}

static void read_strings(void)
{
    uint32_t kept = 0, found = 0;
    args.count = machine_regs.args_count;
    args.list = string_list(machine_regs.args_addr, machine_regs.args_len, args.count);
    const char **all =
        string_list(machine_regs.env_addr, machine_regs.env_len, machine_regs.env_count);
    for (uint32_t i = 0; i < machine_regs.env_count; i++) {
        bool param = !strncmp(all[i], ILWACO_PARAM_PREFIX, sizeof ILWACO_PARAM_PREFIX - 1);
        if (!param)
            all[kept++] = all[i];
        else if (found < ARRAY_LEN(params))
            params[found++] = all[i];
    }
    env = (struct exec_strings){all, kept};
}

/* What the host says of this clone goes before what its origin was told. */
static char identity[DENALI_IDENTITY_MAX];
static uint32_t identity_len;

void boot_identity_changed(void)
{
    uint32_t len = machine_regs.identity_len;
    identity_len = len < sizeof identity ? len : sizeof identity - 1;
    for (uint32_t i = 0; i < identity_len; i++)
        identity[i] = machine_regs.identity[i];
    identity[identity_len] = 0;
}

static const char *identity_param(const char *name, size_t len)
{
    for (uint32_t at = 0; at < identity_len; at += (uint32_t)strlen(identity + at) + 1)
        if (!strncmp(identity + at, name, len))
            return identity + at + len;
    return NULL;
}

const char *boot_param(const char *name)
{
    size_t len = strlen(name);
    const char *value = identity_param(name, len);
    if (value)
        return value;
    for (uint32_t i = 0; i < ARRAY_LEN(params) && params[i]; i++)
        if (!strncmp(params[i], name, len))
            return params[i] + len;
    return NULL;
}

const char *boot_hostname(void)
{
    const char *name = boot_param(ILWACO_PARAM_HOSTNAME);
    return name ? name : "denali";
}

/* ---- the steps ---- */

/* The strings that the machine put into RAM may lie anywhere behind the image. */
static void start_memory(void)
{
    uint32_t start = (uint32_t)kernel_end, mem = (uint32_t)machine_regs.mem_bytes;
    uint32_t args_end = machine_regs.args_addr + machine_regs.args_len;
    uint32_t env_end = machine_regs.env_addr + machine_regs.env_len;
    if (machine_regs.mem_bytes < MEM_MIN)
        give_up("%u KiB of memory are too little; give the VM 8 MiB or more", mem / 1024);
    if (machine_regs.mem_bytes > UINT32_MAX)
        mem = 0xfffff000;
    if (args_end < USER_BASE && args_end > start)
        start = PAGE_UP(args_end);
    if (env_end < USER_BASE && env_end > start)
        start = PAGE_UP(env_end);
    page_init(start, USER_BASE);
}

/* After the strings were copied: from here on the program's part is inaccessible. */
static void start_program_part(void)
{
    uint32_t mem =
        machine_regs.mem_bytes > UINT32_MAX ? 0xfffff000u : (uint32_t)machine_regs.mem_bytes;
    vma_init(USER_BASE, mem & ~PAGE_MASK);
}

static const char *copy(const char *s)
{
    size_t len = strlen(s) + 1;
    char *to = kmalloc(len);
    if (!to)
        give_up("no memory for the arguments");
    return memcpy(to, s, len);
}

/* Strings in the program's part of memory would be in its way: they move to the heap. */
static void rescue_strings(void)
{
    struct exec_strings *both[] = {&args, &env};
    if (machine_regs.args_addr < USER_BASE && machine_regs.env_addr < USER_BASE)
        return;
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < both[k]->count; i++)
            ((const char **)both[k]->list)[i] = copy(both[k]->list[i]);
    for (uint32_t i = 0; i < ARRAY_LEN(params) && params[i]; i++)
        params[i] = copy(params[i]);
    memory_clear(machine_regs.args_addr & ~PAGE_MASK,
                 PAGE_UP(machine_regs.args_len + (machine_regs.args_addr & PAGE_MASK)));
    memory_clear(machine_regs.env_addr & ~PAGE_MASK,
                 PAGE_UP(machine_regs.env_len + (machine_regs.env_addr & PAGE_MASK)));
}

static void start_files(void)
{
    struct inode *root;
    disk_init();
    console_init();
    int err = rootfs_mount(&root);
    if (err)
        give_up("the root disk is damaged or not a packed root (error %d)", -err);
    vfs_init(root);
    int64_t changed_ns = root->mtime_ns; /* our mounts are no change of the root */
    err = devfs_mount(vfs_root());
    if (!err)
        err = procfs_mount(vfs_root());
    if (!err)
        err = console_install();
    if (err)
        give_up("no memory for /dev and /proc (error %d)", -err);
    root->mtime_ns = root->ctime_ns = changed_ns;
}

static void enter_directory(void)
{
    struct walk walk;
    const char *cwd = boot_param(ILWACO_PARAM_CWD);
    if (!cwd)
        return;
    int err = walk_path(vfs_root(), cwd, 0, &walk);
    if (err || inode_type(walk.dentry->inode) != S_IFDIR)
        give_up("%s: no folder of the root, so no program can begin in it", cwd);
    vfs_set_cwd(walk.dentry);
    walk_done(&walk);
}

static struct dentry *find_in_root(const char *path)
{
    struct walk walk;
    int err = walk_path(vfs_cwd(), path, 0, &walk);
    if (err)
        give_up("%s: not found in the root (error %d)", path, -err);
    dentry_hold(walk.dentry);
    struct dentry *dentry = walk.dentry;
    walk_done(&walk);
    return dentry;
}

static struct dentry *find_program(const char *path)
{
    struct dentry *dentry = disk_file_dentry(ILWACO_DISK_PROGRAM, path);
    return dentry ? dentry : find_in_root(path);
}

static void choose_idle(void)
{
    const char *how = boot_param(ILWACO_PARAM_IDLE);
    sched_set_spin(how && !strcmp(how, "spin"));
}

static void set_thread_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strnlen(name, sizeof thread_current->name - 1);
    memset(thread_current->name, 0, sizeof thread_current->name);
    memcpy(thread_current->name, name, len);
}

#define SCRIPTS_MAX 4 /* a script's interpreter may be a script */

/* What is to be loaded for `path`: itself, or what its first line names. */
static struct dentry *find_interpreter(const char *path)
{
    const char *name = path;
    struct dentry *dentry = find_program(path);
    for (unsigned i = 0; i < SCRIPTS_MAX; i++) {
        int is_script = exec_script(dentry, name, &args, &name);
        if (is_script < 0)
            give_up("%s: its first line cannot be followed (error %d)", name, -is_script);
        if (!is_script)
            break;
        dentry = find_in_root(name);
    }
    return dentry;
}

static void load_program(struct denali_context *frame)
{
    struct exec_image image;
    const char *path = boot_param(ILWACO_PARAM_PROGRAM);
    if (!path)
        path = args.count ? args.list[0] : "";
    struct dentry *dentry = find_interpreter(path);
    int err = exec_load(dentry, &image);
    if (err == -ENOEXEC)
        give_up("%s: not a program for Linux on i386", path);
    if (err == -ENOMEM)
        give_up("%s: does not fit into %u MiB of memory; give the VM more", path,
                (uint32_t)(machine_regs.mem_bytes >> 20));
    if (err)
        give_up("%s: cannot be loaded (error %d)", path, -err);
    exec_info()->dentry = dentry;
    exec_info()->path = path;
    set_thread_name(path);
    *frame = (struct denali_context){
        .eip = image.entry, .eflags = 0x202, .intr_enabled = 1, .reserved = SYSCALL_NONE};
    frame->esp = exec_stack(&image, path, &args, &env);
    if (!frame->esp)
        give_up("%s: the arguments do not fit on the stack", path);
}

NORETURN void boot_main(void);
void boot_main(void)
{
    start_memory();
    thread_init();
    trap_init();
    time_init();
    read_strings();
    rescue_strings();
    start_program_part();
    start_files();
    enter_directory();
    choose_idle();
    net_init();
    net_install_resolv_conf();
    signal_reset_for_exec();
    struct denali_context *frame = thread_frame(thread_current);
    load_program(frame);
    __asm__ volatile("fninit");
    heap_has_begun();
    trap_set_timer();
    trap_resume_frame(frame);
}
