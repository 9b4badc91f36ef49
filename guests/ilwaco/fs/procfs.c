/* SPDX-License-Identifier: MIT */
/*
 * /proc and a little of /sys: one table of rows, of which the tree knows
 * nothing until somebody asks. A file's text is made when it is opened.
 */
#include "guests/ilwaco/fs/procfs.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/thread.h"

#define LINK_TEXT (S_IFLNK | 0777)
#define DIR_MODE (S_IFDIR | 0555)
#define FILE_MODE (S_IFREG | 0444)

enum proc_dir {
    DIR_PROC = 1,
    DIR_SELF,
    DIR_SYS,
    DIR_SYS_KERNEL,
    DIR_SYS_RANDOM,
    DIR_SYS_VM,
    DIR_SYS_FS,
    DIR_FD,
    DIR_TASK,
    DIR_SYSFS,
    DIR_DEVICES,
    DIR_SYSTEM,
    DIR_CPU,
    DIR_TASK_ONE,
    DIR_NET_ROOT,
    DIR_NET_CORE,
    DIR_CPU0,
    DIR_NET
};

struct proc_row {
    uint8_t parent, dir; /* enum proc_dir; dir: 0 unless it is one itself */
    const char *name;
    uint32_t mode;
    proc_text_fn text; /* files and links */
};

static const struct proc_row rows[] = {
    {DIR_PROC, 0, "self", LINK_TEXT, proc_self},
    {DIR_PROC, 0, "thread-self", LINK_TEXT, proc_thread_self},
    {DIR_PROC, 0, "mounts", LINK_TEXT, proc_mounts_link},
    {DIR_PROC, DIR_SELF, "1000", DIR_MODE, NULL},
    {DIR_PROC, DIR_SYS, "sys", DIR_MODE, NULL},
    {DIR_PROC, 0, "cpuinfo", FILE_MODE, proc_cpuinfo},
    {DIR_PROC, 0, "meminfo", FILE_MODE, proc_meminfo},
    {DIR_PROC, 0, "uptime", FILE_MODE, proc_uptime},
    {DIR_PROC, 0, "loadavg", FILE_MODE, proc_loadavg},
    {DIR_PROC, 0, "stat", FILE_MODE, proc_stat},
    {DIR_PROC, 0, "version", FILE_MODE, proc_version},
    {DIR_PROC, 0, "filesystems", FILE_MODE, proc_filesystems},
    {DIR_PROC, 0, "cmdline", FILE_MODE, proc_empty},
    {DIR_PROC, DIR_NET, "net", DIR_MODE, NULL},
    {DIR_NET, 0, "resolv.conf", FILE_MODE, proc_resolv_conf},
    {DIR_NET, 0, "dev", FILE_MODE, proc_net_dev},
    {DIR_NET, 0, "route", FILE_MODE, proc_net_route},
    {DIR_SELF, DIR_FD, "fd", DIR_MODE, NULL},
    {DIR_SELF, DIR_TASK, "task", DIR_MODE, NULL},
    {DIR_SELF, 0, "exe", LINK_TEXT, proc_exe},
    {DIR_SELF, 0, "cwd", LINK_TEXT, proc_cwd},
    {DIR_SELF, 0, "root", LINK_TEXT, proc_root},
    {DIR_SELF, 0, "maps", FILE_MODE, proc_maps},
    {DIR_SELF, 0, "stat", FILE_MODE, proc_self_stat},
    {DIR_SELF, 0, "statm", FILE_MODE, proc_statm},
    {DIR_SELF, 0, "status", FILE_MODE, proc_status},
    {DIR_SELF, 0, "cmdline", FILE_MODE, proc_args},
    {DIR_SELF, 0, "environ", FILE_MODE, proc_environ},
    {DIR_SELF, 0, "auxv", FILE_MODE, proc_auxv},
    {DIR_SELF, 0, "comm", FILE_MODE, proc_comm},
    {DIR_SELF, 0, "mounts", FILE_MODE, proc_mounts},
    {DIR_SELF, 0, "mountinfo", FILE_MODE, proc_mountinfo},
    {DIR_SELF, 0, "limits", FILE_MODE, proc_limits},
    {DIR_SELF, 0, "cgroup", FILE_MODE, proc_cgroup},
    {DIR_SELF, 0, "oom_score_adj", S_IFREG | 0644, proc_zero},
    {DIR_TASK_ONE, 0, "comm", FILE_MODE, proc_comm},
    {DIR_TASK_ONE, 0, "stat", FILE_MODE, proc_self_stat},
    {DIR_TASK_ONE, 0, "status", FILE_MODE, proc_status},
    {DIR_SYS, DIR_SYS_KERNEL, "kernel", DIR_MODE, NULL},
    {DIR_SYS, DIR_SYS_VM, "vm", DIR_MODE, NULL},
    {DIR_SYS, DIR_SYS_FS, "fs", DIR_MODE, NULL},
    {DIR_SYS, DIR_NET_ROOT, "net", DIR_MODE, NULL},
    {DIR_NET_ROOT, DIR_NET_CORE, "core", DIR_MODE, NULL},
    {DIR_NET_CORE, 0, "somaxconn", FILE_MODE, proc_somaxconn},
    {DIR_SYS_KERNEL, 0, "ostype", FILE_MODE, proc_ostype},
    {DIR_SYS_KERNEL, 0, "osrelease", FILE_MODE, proc_osrelease},
    {DIR_SYS_KERNEL, 0, "hostname", FILE_MODE, proc_hostname},
    {DIR_SYS_KERNEL, 0, "version", FILE_MODE, proc_kernel_version},
    {DIR_SYS_KERNEL, 0, "pid_max", FILE_MODE, proc_pid_max},
    {DIR_SYS_KERNEL, 0, "threads-max", FILE_MODE, proc_pid_max},
    {DIR_SYS_KERNEL, 0, "ngroups_max", FILE_MODE, proc_ngroups},
    {DIR_SYS_KERNEL, 0, "cap_last_cap", FILE_MODE, proc_last_cap},
    {DIR_SYS_KERNEL, 0, "randomize_va_space", FILE_MODE, proc_zero},
    {DIR_SYS_KERNEL, DIR_SYS_RANDOM, "random", DIR_MODE, NULL},
    {DIR_SYS_RANDOM, 0, "uuid", FILE_MODE, proc_uuid},
    {DIR_SYS_RANDOM, 0, "boot_id", FILE_MODE, proc_boot_id},
    {DIR_SYS_RANDOM, 0, "entropy_avail", FILE_MODE, proc_entropy},
    {DIR_SYS_VM, 0, "overcommit_memory", FILE_MODE, proc_one},
    {DIR_SYS_VM, 0, "max_map_count", FILE_MODE, proc_map_count},
    {DIR_SYS_VM, 0, "mmap_min_addr", FILE_MODE, proc_min_addr},
    {DIR_SYS_FS, 0, "file-max", FILE_MODE, proc_file_max},
    {DIR_SYS_FS, 0, "nr_open", FILE_MODE, proc_file_max},
    {DIR_SYS_FS, 0, "pipe-max-size", FILE_MODE, proc_pipe_max},
    {DIR_SYSFS, DIR_DEVICES, "devices", DIR_MODE, NULL},
    {DIR_DEVICES, DIR_SYSTEM, "system", DIR_MODE, NULL},
    {DIR_SYSTEM, DIR_CPU, "cpu", DIR_MODE, NULL},
    {DIR_CPU, DIR_CPU0, "cpu0", DIR_MODE, NULL},
    {DIR_CPU, 0, "online", FILE_MODE, proc_cpu_list},
    {DIR_CPU, 0, "possible", FILE_MODE, proc_cpu_list},
    {DIR_CPU, 0, "present", FILE_MODE, proc_cpu_list},
};

/* ---- files: the text is the file's data ---- */

static int text_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    struct text *text = file->data;
    if (*pos >= text->len)
        return 0;
    uint32_t rest = text->len - (uint32_t)*pos, n = uio->left < rest ? uio->left : rest;
    if (uio_put(uio, text->data + (uint32_t)*pos, n))
        return -EFAULT;
    *pos += n;
    return (int)n;
}

static int text_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)file;
    (void)pos;
    return (int)uio->left;
}

static int64_t text_seek(struct file *file, int64_t offset, int whence)
{
    struct text *text = file->data;
    offset += whence == 1 ? (int64_t)file->pos : whence == 2 ? (int64_t)text->len : 0;
    if (offset < 0 || whence > 2)
        return -EINVAL;
    file->pos = (uint64_t)offset;
    return offset;
}

static void text_close(struct file *file)
{
    struct text *text = file->data;
    kfree(text->data);
    kfree(text);
}

static const struct file_ops text_ops = {
    .name = "proc",
    .read = text_read,
    .write = text_write,
    .seek = text_seek,
    .close = text_close,
};

void text_bytes(struct text *text, const void *src, uint32_t n)
{
    if (text->len + n > text->room) {
        uint32_t room = (text->len + n) * 2;
        char *data = kmalloc(room);
        if (!data)
            return;
        if (text->len)
            memcpy(data, text->data, text->len);
        kfree(text->data);
        text->data = data;
        text->room = room;
    }
    memcpy(text->data + text->len, src, n);
    text->len += n;
}

void text_put(struct text *text, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int len = kvsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    text_bytes(text, line, (uint32_t)len < sizeof line ? (uint32_t)len : sizeof line - 1);
}

static const struct proc_row *row_of(const struct inode *inode)
{
    return &rows[inode->lower[0]];
}

static int proc_open(struct inode *inode, struct file *file)
{
    struct text *text = kzalloc(sizeof *text);
    if (!text)
        return -ENOMEM;
    text->tid = (int32_t)inode->lower[1];
    row_of(inode)->text(text);
    file->ops = &text_ops;
    file->data = text;
    return 0;
}

static int proc_readlink(struct inode *inode, char *out, uint32_t room)
{
    struct text text = {0};
    row_of(inode)->text(&text);
    if (text.len + 1 > room) {
        kfree(text.data);
        return -ENAMETOOLONG;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = 0;
    kfree(text.data);
    return (int)text.len;
}

static const struct inode_ops file_inode_ops = {.open = proc_open};
static const struct inode_ops link_inode_ops = {.readlink = proc_readlink};

/* exe, cwd and root lead to what they name even if no path does. */
static struct dentry *proc_jump(struct inode *inode)
{
    struct dentry *to = proc_jump_target(row_of(inode)->text);
    if (to)
        dentry_hold(to);
    return to;
}

static const struct inode_ops jump_inode_ops = {.readlink = proc_readlink, .jump = proc_jump};

/* ---- directories ---- */

static const struct inode_ops dir_inode_ops, fd_dir_ops, task_dir_ops;

static const struct inode_ops *dir_ops_of(uint32_t dir)
{
    return dir == DIR_FD ? &fd_dir_ops : dir == DIR_TASK ? &task_dir_ops : &dir_inode_ops;
}

static struct inode *make_dir(uint32_t dir, int32_t tid)
{
    struct inode *inode = inode_create(dir_ops_of(dir), DIR_MODE);
    if (!inode)
        return NULL;
    inode->data = (void *)dir;
    inode->lower[1] = (uint32_t)tid;
    inode->fixed = true;
    inode->uncached = dir == DIR_FD || dir == DIR_TASK || dir == DIR_TASK_ONE;
    return inode;
}

static struct inode *make_entry(uint32_t index, int32_t tid)
{
    const struct proc_row *row = &rows[index];
    if (row->dir)
        return make_dir(row->dir, tid);
    bool link = (row->mode & S_IFMT) == S_IFLNK, jump = link && proc_jump_target(row->text);
    struct inode *inode = inode_create(jump   ? &jump_inode_ops
                                       : link ? &link_inode_ops
                                              : &file_inode_ops,
                                       row->mode);
    if (inode) {
        inode->lower[0] = index;
        inode->lower[1] = (uint32_t)tid;
    }
    return inode;
}

static int dir_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].parent != (uint32_t)dir->data || strncmp(rows[i].name, name, len) ||
            rows[i].name[len])
            continue;
        *out = make_entry(i, (int32_t)dir->lower[1]);
        return *out ? 0 : -ENOMEM;
    }
    return -ENOENT;
}

static bool dir_list(struct inode *dir, uint32_t index, struct dir_entry *out)
{
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].parent != (uint32_t)dir->data || index--)
            continue;
        memcpy(out->name, rows[i].name, strlen(rows[i].name) + 1);
        out->ino = 0x40000000 + i;
        out->type = rows[i].mode >> 12;
        return true;
    }
    return false;
}

static int dir_open(struct inode *inode, struct file *file)
{
    (void)inode;
    file->ops = &directory_ops;
    return 0;
}

static const struct inode_ops dir_inode_ops = {
    .lookup = dir_lookup, .list = dir_list, .open = dir_open};

/* ---- fd ---- */

static bool parse_number(const char *name, uint32_t len, uint32_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9' || *out > 100000000)
            return false;
        *out = *out * 10 + (uint32_t)(name[i] - '0');
    }
    return len > 0;
}

static int fd_readlink(struct inode *inode, char *out, uint32_t room)
{
    struct file *file = fd_file((uint32_t)inode->lower[0]);
    if (!file)
        return -ENOENT;
    if (file->dentry)
        return dentry_path(file->dentry, out, room);
    return ksnprintf(out, room, "%s", file->ops->name);
}

static struct dentry *fd_jump(struct inode *inode)
{
    struct file *file = fd_file((uint32_t)inode->lower[0]);
    if (!file || !file->dentry)
        return NULL;
    dentry_hold(file->dentry);
    return file->dentry;
}

static const struct inode_ops fd_link_ops = {.readlink = fd_readlink, .jump = fd_jump};

static int fd_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    uint32_t fd;
    (void)dir;
    if (!parse_number(name, len, &fd) || !fd_file(fd))
        return -ENOENT;
    *out = inode_create(&fd_link_ops, S_IFLNK | 0700);
    if (!*out)
        return -ENOMEM;
    (*out)->lower[0] = fd;
    return 0;
}

static bool fd_list(struct inode *dir, uint32_t index, struct dir_entry *out)
{
    (void)dir;
    for (uint32_t fd = 0; fd < fd_room(); fd++) {
        if (!fd_file(fd) || index--)
            continue;
        ksnprintf(out->name, sizeof out->name, "%u", fd);
        out->ino = 0x50000000 + fd;
        out->type = S_IFLNK >> 12;
        return true;
    }
    return false;
}

static const struct inode_ops fd_dir_ops = {.lookup = fd_lookup, .list = fd_list, .open = dir_open};

/* ---- task ---- */

static int task_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    uint32_t tid;
    (void)dir;
    if (!parse_number(name, len, &tid) || !thread_by_tid((int32_t)tid))
        return -ENOENT;
    *out = make_dir(DIR_TASK_ONE, (int32_t)tid);
    return *out ? 0 : -ENOMEM;
}

static bool task_list(struct inode *dir, uint32_t index, struct dir_entry *out)
{
    struct thread *thread = thread_next(NULL);
    (void)dir;
    while (thread && index--)
        thread = thread_next(thread);
    if (!thread)
        return false;
    ksnprintf(out->name, sizeof out->name, "%d", thread->tid);
    out->ino = 0x60000000 + (uint32_t)thread->tid;
    out->type = S_IFDIR >> 12;
    return true;
}

static const struct inode_ops task_dir_ops = {
    .lookup = task_lookup, .list = task_list, .open = dir_open};

static int mount(struct dentry *root, const char *name, uint32_t dir)
{
    struct dentry *old;
    int err = dentry_lookup(root, name, strlen(name), &old);
    if (err)
        return err;
    bool covered = old && old->inode;
    if (covered)
        dentry_unlink(old);
    if (old)
        dentry_release(old);
    struct inode *inode = make_dir(dir, ILWACO_PID);
    struct dentry *dentry = inode ? dentry_link(root, name, strlen(name), inode) : NULL;
    if (!dentry)
        return -ENOMEM;
    dentry->upper = !covered; /* a listing has it where the covered one was */
    dentry_release(dentry);
    return 0;
}

int procfs_mount(struct dentry *root)
{
    int err = mount(root, "proc", DIR_PROC);
    return err ? err : mount(root, "sys", DIR_SYSFS);
}
