/* SPDX-License-Identifier: MIT */
/*
 * Standard input, output and error on the machine's keyboard and console. A
 * terminal's line editing is the host's: termios settings become its mode
 * (DENALI_PORT_MODE), and what is left to do here is to hand out one line per
 * read. When a stream is not a terminal it looks like a pipe.
 */
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/vfs.h"
#include "guests/ilwaco/linux_abi.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/poll.h"
#include "guests/ilwaco/thread.h"

#define INPUT_BYTES 4096u
#define GATHER_BYTES 2048u
#define PTS_RDEV (136u << 8)
enum stream { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_TTY };

static struct {
    uint16_t port, keyboard_port;
    bool out_tty, in_tty, ended, has_keyboard, has_console;
    char *input; /* INPUT_BYTES; made at the first need */
    uint32_t head, used;
    struct wait_queue in_queue, out_queue;
    struct termios termios;
    struct winsize size; /* as the program set it; zero: the machine's */
} console;

static const struct termios termios_start = {
    .iflag = TTY_ICRNL | TTY_IXON | 0x4000 /* IUTF8 */,
    .oflag = TTY_OPOST | TTY_ONLCR,
    .cflag = 0xbf,                                      /* B38400 CS8 CREAD */
    .lflag = TTY_ISIG | TTY_ICANON | TTY_ECHO | 0x8a30, /* ECHOE ECHOK ECHOCTL ECHOKE IEXTEN */
    .cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22},
};

static bool stream_is_tty(uint32_t stream)
{
    return stream == STREAM_IN ? console.in_tty : console.out_tty;
}

bool console_is_tty(void)
{
    return console.in_tty || console.out_tty;
}

/* ---- reading ---- */

/* Fetches what waits, if the buffer is empty. True if there is something to read, or the end. */
static bool input_ready(void)
{
    if (console.used || console.ended || !console.has_keyboard)
        return true;
    if (!console.input && !(console.input = page_alloc(INPUT_BYTES / PAGE_SIZE)))
        return true;
    int32_t n = machine_port_in(console.keyboard_port, console.input, INPUT_BYTES);
    console.head = 0;
    console.used = n > 0 ? (uint32_t)n : 0;
    console.ended = n < 0;
    return n != 0;
}

static int take_input(struct uio *uio)
{
    uint32_t n = console.used < uio->left ? console.used : uio->left;
    const char *at = console.input + console.head;
    if (console.in_tty && (console.termios.lflag & TTY_ICANON))
        for (uint32_t i = 0; i < n; i++)
            if (at[i] == '\n')
                n = i + 1;
    if (uio_put(uio, at, n))
        return -EFAULT;
    console.head += n;
    console.used -= n;
    return (int)n;
}

/* How long a raw terminal's read waits: VMIN 0 asks for a bound. */
static uint64_t read_deadline(void)
{
    const struct termios *t = &console.termios;
    if (!console.in_tty || (t->lflag & TTY_ICANON) || t->cc[TTY_VMIN])
        return TIME_NEVER;
    return time_now() + t->cc[TTY_VTIME] * (uint64_t)100 * NS_PER_MS;
}

static int console_read(struct file *file, struct uio *uio, uint64_t *pos)
{
    (void)pos;
    uint64_t deadline = read_deadline();
    if (!uio->left)
        return 0;
    while (!input_ready()) {
        int err = file->flags & O_NONBLOCK ? -EAGAIN : wait_on(&console.in_queue, deadline);
        if (err)
            return err == -ETIMEDOUT ? 0 : err;
    }
    if (console.used)
        return take_input(uio);
    if (console.in_tty)
        console.ended = false; /* Ctrl-D ends one read, not the terminal */
    return 0;
}

/* ---- writing ---- */

/* Nobody reading any more is a broken pipe; the signal is the caller's (file_ops). */
static int write_error(int32_t error)
{
    switch (error) {
    case DENALI_FAULT:
        return -EFAULT;
    case DENALI_FULL:
        return -ENOSPC;
    case DENALI_EOF:
        return -EPIPE;
    default:
        return -EIO;
    }
}

static int write_out(uint32_t stream, uint32_t base, uint32_t n)
{
    int32_t done;
    while ((done = machine_port_out(console.port, base, n, stream == STREAM_ERR ? 2 : 1)) ==
           DENALI_AGAIN) {
        int err = wait_on(&console.out_queue, TIME_NEVER);
        if (err)
            return err;
    }
    return done >= 0 ? done : write_error(done);
}

/* Several small parts leave the machine as one write. */
static int write_gathered(uint32_t stream, struct uio *uio)
{
    char text[GATHER_BYTES];
    uint32_t n = uio->left;
    if (uio_get(uio, text, n))
        return -EFAULT;
    return write_out(stream, (uint32_t)text, n);
}

static int console_write(struct file *file, struct uio *uio, uint64_t *pos)
{
    uint32_t stream = (uint32_t)file->data, total = 0;
    (void)pos;
    if (!console.has_console)
        return -EIO;
    if (uio->parts > 1 && uio->left <= GATHER_BYTES)
        return write_gathered(stream, uio);
    while (uio->left) {
        uint32_t n = uio->part->len - uio->offset, base = uio->part->base + uio->offset;
        if (!uio->kernel && n && !user_range(base, n))
            return total ? (int)total : -EFAULT;
        int done = n ? write_out(stream, base, n) : 0;
        if (done < 0)
            return total ? (int)total : done;
        total += n;
        uio->left -= n;
        uio->part++;
        uio->parts--;
        uio->offset = 0;
    }
    return (int)total;
}

static uint32_t console_poll(struct file *file, struct poll_set *set)
{
    uint32_t stream = (uint32_t)file->data, events = 0;
    bool reads = stream == STREAM_IN || stream == STREAM_TTY || stream_is_tty(stream);
    if (reads) {
        poll_add(set, &console.in_queue);
        events |= input_ready() ? POLLIN | POLLRDNORM : 0;
        events |= console.ended && !console.used && !console.in_tty ? POLLHUP : 0;
    }
    if (stream != STREAM_IN || console.in_tty)
        events |= POLLOUT | POLLWRNORM;
    return events;
}

/* ---- the terminal's settings ---- */

static int apply_termios(void)
{
    const struct termios *t = &console.termios;
    uint32_t mode = 0;
    mode |= t->lflag & TTY_ICANON ? DENALI_TTY_LINES : 0;
    mode |= t->lflag & TTY_ECHO ? DENALI_TTY_ECHO : 0;
    mode |= t->lflag & TTY_ISIG ? DENALI_TTY_SIGNALS : 0;
    mode |= t->iflag & TTY_ICRNL ? DENALI_TTY_CR_IN : 0;
    mode |= (t->oflag & TTY_OPOST) && (t->oflag & TTY_ONLCR) ? DENALI_TTY_NL_OUT : 0;
    mode |= t->iflag & TTY_IXON ? DENALI_TTY_FLOW : 0;
    if (console.in_tty)
        machine_port_out((uint16_t)(console.keyboard_port + DENALI_PORT_MODE), mode, 0, 0);
    return 0;
}

static int set_termios(uint32_t arg, uint32_t bytes, bool flush)
{
    int err = copy_from_user(&console.termios, arg, bytes);
    if (flush) {
        console.used = 0;
        while (console.in_tty && !console.ended && input_ready() && console.used)
            console.used = 0;
    }
    return err ? err : apply_termios();
}

static int get_winsize(uint32_t arg)
{
    struct winsize size = console.size;
    if (!size.rows && !size.columns) {
        size.rows = (uint16_t)machine_regs.console_rows;
        size.columns = (uint16_t)machine_regs.console_columns;
    }
    return copy_to_user(arg, &size, sizeof size);
}

static int put_termios(uint32_t arg, bool speeds)
{
    uint32_t speed[2] = {38400, 38400};
    int err = copy_to_user(arg, &console.termios, sizeof console.termios);
    if (!err && speeds)
        err = copy_to_user(arg + sizeof console.termios, speed, sizeof speed);
    return err;
}

static int tty_ioctl(uint32_t command, uint32_t arg)
{
    uint32_t pid = ILWACO_PID;
    switch (command) {
    case TCGETS:
    case TCGETS2:
        return put_termios(arg, command == TCGETS2);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return set_termios(arg, sizeof console.termios, command == TCSETSF || command == TCSETSF2);
    case TIOCGWINSZ:
        return get_winsize(arg);
    case TIOCSWINSZ:
        return copy_from_user(&console.size, arg, sizeof console.size);
    case TIOCGPGRP:
    case TIOCGSID:
        return copy_to_user(arg, &pid, 4);
    case TIOCSPGRP:
    case TIOCSCTTY:
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
        return 0;
    case TCFLSH:
        console.used = 0;
        return 0;
    default:
        return -ENOTTY;
    }
}

static int console_ioctl(struct file *file, uint32_t command, uint32_t arg)
{
    uint32_t stream = (uint32_t)file->data;
    if (command == FIONREAD && (stream == STREAM_IN || console.in_tty)) {
        input_ready();
        return copy_to_user(arg, &console.used, 4);
    }
    return stream_is_tty(stream) ? tty_ioctl(command, arg) : -ENOTTY;
}

/* ---- the files ---- */

static const struct file_ops console_ops = {
    .name = "console",
    .read = console_read,
    .write = console_write,
    .poll = console_poll,
    .ioctl = console_ioctl,
};

int console_open(uint32_t stream, struct file *file)
{
    if (stream == STREAM_TTY && !console_is_tty())
        return -ENXIO;
    file->ops = &console_ops;
    file->data = (void *)stream;
    return 0;
}

static int stream_open(struct inode *inode, struct file *file)
{
    return console_open((uint32_t)inode->lower[0], file);
}

static const struct inode_ops stream_ops = {.open = stream_open};

/* The name that /proc/self/fd shows: the terminal's device, or a pipe's. */
static struct dentry *stream_dentry(uint32_t stream)
{
    char name[24];
    struct walk walk;
    if (stream_is_tty(stream) && !walk_path(vfs_root(), "/dev/pts/0", 0, &walk)) {
        struct dentry *dentry = walk.dentry;
        dentry_hold(dentry);
        walk_done(&walk);
        return dentry;
    }
    struct inode *inode = inode_create(&stream_ops, S_IFIFO | 0600);
    if (!inode)
        return NULL;
    inode->lower[0] = stream;
    ksnprintf(name, sizeof name, "pipe:[%u]", inode->ino);
    return dentry_anonymous(inode, name);
}

/* Standard input that is a file. 0: there is none. */
static int install_input_file(void)
{
    struct file *file;
    struct dentry *dentry = disk_file_dentry(ILWACO_DISK_STDIN, "/dev/stdin");
    if (!dentry)
        return 0;
    int err = vfs_open_dentry(dentry, O_RDONLY, &file);
    dentry_release(dentry);
    return err ? err : fd_install(file, 0, 0) < 0 ? -ENOMEM : 1;
}

int console_install(void)
{
    int first = install_input_file();
    if (first < 0)
        return first;
    for (uint32_t stream = (uint32_t)first; stream <= STREAM_ERR; stream++) {
        uint32_t flags = stream_is_tty(stream) ? O_RDWR : stream ? O_WRONLY : O_RDONLY;
        struct file *file = file_create(&console_ops, flags, (void *)stream);
        if (!file)
            return -ENOMEM;
        file->dentry = stream_dentry(stream);
        if (!file->dentry)
            return -ENOMEM;
        int fd = fd_install(file, stream, 0);
        if (fd < 0)
            return fd;
    }
    return 0;
}

static void keyboard_interrupt(void)
{
    wake(&console.in_queue);
}

static void console_interrupt(void)
{
    wake(&console.out_queue);
    if (console_is_tty())
        signal_send_number(SIGWINCH, SI_KERNEL);
}

static void signal_interrupt(void)
{
    uint32_t bits = __atomic_exchange_n(&machine_regs.signals, 0, __ATOMIC_SEQ_CST);
    static const uint8_t numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    for (uint32_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (bits >> i & 1)
            signal_send_number(numbers[i], SI_KERNEL);
}

int console_init(void)
{
    const volatile struct denali_device *out = machine_device(DENALI_DEV_CONSOLE, NULL);
    const volatile struct denali_device *in = machine_device(DENALI_DEV_KEYBOARD, NULL);
    console.has_console = out;
    console.has_keyboard = in;
    console.port = out ? out->port : 0;
    console.keyboard_port = in ? in->port : 0;
    console.out_tty = out && (out->flags & DENALI_DEVF_TTY);
    console.in_tty = in && (in->flags & DENALI_DEVF_TTY);
    console.termios = termios_start;
    irq_attach(DENALI_IRQ_KEYBOARD, keyboard_interrupt);
    irq_attach(DENALI_IRQ_CONSOLE, console_interrupt);
    irq_attach(DENALI_IRQ_SIGNAL, signal_interrupt);
    return 0;
}
