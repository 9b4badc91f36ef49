/* SPDX-License-Identifier: MIT */
/* What the rooms of gdb's protocol share. */
#ifndef DENALI_DEBUG_GDB_PRIVATE_H
#define DENALI_DEBUG_GDB_PRIVATE_H

#include "emu/debug/gdb/gdb.h"

#define GDB_PACKET_MAX 0x10000u /* characters between $ and # */
#define INTERRUPT_BYTE 3u       /* outside packets: stop what runs */
#define GDB_FILES 256u          /* gdb keeps each library's open */

/* gdb's own numbers of signals. */
enum gdb_signal {
    GDB_SIGINT = 2,
    GDB_SIGILL = 4,
    GDB_SIGTRAP = 5,
    GDB_SIGFPE = 8,
    GDB_SIGKILL = 9,
    GDB_SIGBUS = 10,
    GDB_SIGSEGV = 11,
    GDB_SIGUNKNOWN = 143,
};

/* What is inserted for gdb, so that it can be taken out when it leaves. */
struct gdb_point {
    struct target *target;
    uint8_t type; /* of the Z packet, or one of ours */
    uint32_t addr, len;
    uint32_t esp;   /* of a system call's return: it is that of the one who called */
    uint32_t stack; /* of an arrival: ESP there; 0: any */
};
/* Of system calls: the kernel's entry; behind the INT, `len` is the call's number. */
enum {
    GDB_POINT_ENTRY = 16,
    GDB_POINT_RETURN,
    GDB_POINT_SIGNAL, /* the kernel sends a signal */
    GDB_POINT_DEATH,  /* the program dies of one */
    GDB_POINT_ARRIVE, /* a step ends here, or (`esp`) after one more instruction; `len` the thread
                       */
};
#define GDB_LINUX_PID 1000u /* of the program, and so of its first thread */

/* A thread of a target; tid 0: the one that runs. */
struct gdb_thread_id {
    struct target *target; /* NULL with `all` */
    uint32_t tid;
    bool all;
};

#define GDB_SYSCALLS 128u
enum gdb_told_syscall { GDB_SYSCALL_NONE, GDB_SYSCALL_CALLED, GDB_SYSCALL_RETURNED };
/* See gdb_linux.c. */
struct gdb_syscalls {
    bool on;
    unsigned numbers; /* 0: all */
    uint32_t number[GDB_SYSCALLS];
    enum gdb_told_syscall told; /* the last stop was such a one */
    uint32_t number_told;
    struct target
        *at; /* who called last, from behind the INT at `shown`, to the kernel's `entry` */
    uint32_t entry, shown;
};

#define GDB_SIGNALS 160u /* of gdb's numbers */
/* See gdb_signals.c. */
struct gdb_signals {
    bool pass[GDB_SIGNALS]; /* not to be told */
    struct target *at;      /* stands where its kernel sends the signal `told` */
    unsigned told;          /* gdb's number; 0: the last stop was none */
    struct target *dies;    /* of the signal `death`, in a moment */
    unsigned death;
    struct target *again; /* told already: the fault at `again_eip` is to come to the program */
    uint32_t again_eip;
};

/* A step that is under way: what is passed over meanwhile does not end it. */
struct gdb_step {
    struct target *target; /* NULL: none */
    uint32_t begin, end;   /* it goes on while eip is in there */
    uint32_t thread;       /* and while another thread runs; 0: any */
};

/* A packet under construction. What does not fit is left out, and `full` says so. */
struct gdb_reply {
    char text[GDB_PACKET_MAX];
    uint32_t len;
    bool full;
};

struct gdb_open_file {
    int fd;                /* -1: free */
    uint64_t offset, size; /* what of it is the file */
};

enum gdb_parse { GDB_OUTSIDE, GDB_BODY, GDB_SUM_HIGH, GDB_SUM_LOW };

struct gdb {
    struct loop *loop;
    struct gdb_config config;
    struct loop_front front;
    int listen_fd, fd; /* -1: none */
    char address[80];

    /* Arriving. */
    enum gdb_parse parse;
    char in[GDB_PACKET_MAX + 1]; /* NUL behind it */
    uint32_t in_len;
    uint8_t sum, sum_given;
    bool escaped, too_long;

    /* Leaving: bytes [sent, len) are to be written; the last packet is kept for another try. */
    char *out;
    size_t out_len, out_sent, out_room, last_at;
    struct gdb_reply reply;

    bool no_ack, multiprocess, swbreak, hwbreak;
    bool waiting; /* gdb lets targets run and expects to hear of a stop */
    struct gdb_thread_id general, control;
    struct target *threads_of; /* whose `thread` is; NULL: to be read anew */
    struct target_thread *thread;
    unsigned threads;
    struct gdb_point *point;
    uint32_t points, points_room;
    struct gdb_syscalls syscalls;
    struct gdb_signals signals;
    struct gdb_step step;
    struct gdb_open_file file[GDB_FILES]; /* of vFile:open */
};

/* gdb_packet.c: bytes to packets and back. */
void gdb_receive(struct gdb *gdb, const char *bytes, size_t len); /* calls gdb_handle */
void gdb_send(struct gdb *gdb);                                   /* gdb->reply, framed */
bool gdb_flush(struct gdb *gdb); /* false: the connection is gone */
void gdb_begin(struct gdb *gdb); /* an empty reply */
void gdb_put(struct gdb *gdb, const char *text);
void gdb_put_format(struct gdb *gdb, const char *fmt, ...) PRINTF_LIKE(2, 3);
void gdb_put_hex(struct gdb *gdb, const void *bytes, size_t len);
void gdb_put_binary(struct gdb *gdb, const void *bytes, size_t len); /* as far as it fits */
/* A piece of a document, as qXfer has it. */
void gdb_put_piece(struct gdb *gdb, const void *bytes, size_t size, uint64_t offset, uint64_t len);
void gdb_put_error(struct gdb *gdb, int err); /* a negative errno */

/* Numbers and bytes of a packet's text; *at moves behind what was read. False: none there. */
bool gdb_take_hex(const char **at, uint64_t *out);
bool gdb_take_char(const char **at, char c);
bool gdb_take_bytes(const char **at, void *out, size_t len); /* two digits each */
/* Hex digits up to the end or `stop`, as text; false: none, or no room. */
bool gdb_take_text(const char **at, char *out, size_t room);

/* gdb.c */
/* The packet in gdb->in. */
void gdb_handle(struct gdb *gdb);

/* gdb_thread.c. 0 and -1 as a process (any, all) set `all`. */
bool gdb_take_thread(struct gdb *gdb, const char **at, struct gdb_thread_id *out);
void gdb_put_thread(struct gdb *gdb, const struct target *target, uint32_t tid);
/* A target that has not ended, this one if it may be. NULL: all have. */
struct target *gdb_live(struct gdb *gdb, struct target *wish);
bool gdb_is_linux(const struct target *target);
/* A target's n-th thread; by its number (0: the running one). NULL: there is none, or none is
 * known. Good until gdb_forget_threads. */
const struct target_thread *gdb_thread(struct gdb *gdb, struct target *target, unsigned n);
const struct target_thread *gdb_find_thread(struct gdb *gdb, struct target *target, uint32_t tid);
uint32_t gdb_running_thread(struct gdb *gdb, struct target *target); /* its number */
/* Memory or the processor has changed. */
void gdb_forget_threads(struct gdb *gdb);
/* The thread, if what is shown of it lies in its kernel; NULL: it is the processor itself. */
const struct target_thread *gdb_saved_thread(struct gdb *gdb, struct target *target, uint32_t tid);
/* The processor as the thread has it: its own, or made in `room`. */
const struct cpu *gdb_view(struct gdb *gdb, struct target *target, uint32_t tid, struct cpu *room);
/* -EPERM: the kernel is about to write into them. */
int gdb_keep_view(struct gdb *gdb, struct target *target, uint32_t tid, const struct cpu *view);

/* gdb_run.c: running, stopping, breakpoints. */
void gdb_handle_run(struct gdb *gdb, const char *packet);   /* vCont c s C S bs bc */
void gdb_handle_point(struct gdb *gdb, const char *packet); /* Z z */
void gdb_put_stop(struct gdb *gdb, struct target *target);
void gdb_remove_points(struct gdb *gdb, struct target *target); /* NULL: of all */
MUST_CHECK int gdb_insert_point(struct gdb *gdb, const struct gdb_point *point);
void gdb_remove_kind(struct gdb *gdb, struct target *target, uint8_t type); /* NULL: of all */
unsigned gdb_fault_signal(const struct cpu_fault *fault);
int gdb_remove_point(struct gdb *gdb, const struct gdb_point *point);
bool gdb_has_point(const struct gdb *gdb, const struct target *target, unsigned type,
                   uint32_t addr);
const struct gdb_point *gdb_find_at(const struct gdb *gdb, const struct target *target,
                                    unsigned type, uint32_t addr);

/* gdb_step.c */
enum gdb_action { GDB_NOTHING, GDB_CONTINUE, GDB_STEP };
struct gdb_request {
    enum gdb_action action;
    bool pass;           /* the signal that was told comes to the program */
    uint32_t begin, end; /* of a step in a range */
};
/* True: it is gdb->step, by single instructions. False: by running to a place. */
bool gdb_plan_step(struct gdb *gdb, const struct gdb_thread_id *id,
                   const struct gdb_request *request);
void gdb_end_step(struct gdb *gdb);
/* The end of a step, but in another thread than the one that is to step. */
bool gdb_passes_step(struct gdb *gdb, struct target *target);
bool gdb_passes_interrupt(struct gdb *gdb, struct target *target);
/* Where a step is to end, but in another thread or before its instruction: it is to go on, for
 * `steps`. */
bool gdb_passes_arrival(struct gdb *gdb, struct target *target, uint64_t *steps);
/* A stop was passed over: the target goes on, for `steps`, or with the step that is under way. */
void gdb_go_on(struct gdb *gdb, struct target *target, uint64_t steps);

/* gdb_signals.c */
void gdb_catch(struct gdb *gdb, struct target *target); /* what the target is to stop for */
void gdb_handle_pass_signals(struct gdb *gdb, const char *packet); /* QPassSignals: */
/* A program under Linux: what is needed to hear of its signals, from now on; and no more. */
void gdb_watch_signals(struct gdb *gdb, struct target *target);
void gdb_ignore_signals(struct gdb *gdb, struct target *target);
/* A stop for a signal that is not to be told. Else `signals.told` may say which. */
bool gdb_passes_signal(struct gdb *gdb, struct target *target);
bool gdb_stands_at_signal(const struct gdb *gdb, const struct target *target);
bool gdb_is_in_kernel(struct gdb *gdb, struct target *target);
/* Where the kernel's code lies; false: it is not known. */
bool gdb_kernel_range(struct gdb *gdb, struct target *target, uint32_t *start, uint32_t *end);
/* At a signal that was told: where the kernel's siginfo of it lies, laid out as Linux's. */
bool gdb_signal_info(struct gdb *gdb, struct target *target, uint32_t *out);
/* It goes on from a signal that was told: which comes to the program, or is forgotten. */
void gdb_leave_signal(struct gdb *gdb, struct target *target, bool pass);
unsigned gdb_death_signal(const struct gdb *gdb, const struct target *target); /* 0: none */

/* gdb_siginfo.c: what qXfer:siginfo:read tells of the last stop. */
void gdb_handle_siginfo(struct gdb *gdb, uint64_t offset, uint64_t length);

/* gdb_tls.c */
void gdb_handle_tls(struct gdb *gdb, const char *packet); /* qGetTLSAddr: */

/* gdb_process.c */
void gdb_handle_attach(struct gdb *gdb, const char *packet); /* vAttach; */
void gdb_handle_kill(struct gdb *gdb, const char *packet);   /* vKill; */
void gdb_handle_vrun(struct gdb *gdb, const char *packet);   /* vRun; */

/* gdb_start.c: from the kernel's first instruction to the program's. */
void gdb_run_to_program(struct gdb *gdb, struct target *target);

/* gdb_linux.c */
void gdb_handle_syscalls(struct gdb *gdb, const char *packet); /* QCatchSyscalls: */
void gdb_handle_auxv(struct gdb *gdb, uint64_t offset, uint64_t length);
/* An entry of the program's auxiliary vector; false: it has none such. */
bool gdb_auxv_word(struct gdb *gdb, struct target *target, uint32_t type, uint32_t *out);
/* A stop that only serves to catch system calls, and is not to be told. */
bool gdb_passes_syscall(struct gdb *gdb, struct target *target);
void gdb_put_syscall(struct gdb *gdb); /* into a stop reply */
/* At a system call: the eip that gdb is shown; the machine's for one that gdb sets. */
bool gdb_shows_syscall(const struct gdb *gdb, struct target *target, uint32_t *eip);
uint32_t gdb_meant_eip(const struct gdb *gdb, struct target *target, uint32_t eip);

/* gdb_regs.c */
void gdb_handle_register(struct gdb *gdb, const char *packet); /* g G p P */
/* The description of a target's registers as gdb's XML; freed by the caller. NULL: no memory. */
char *gdb_describe_registers(struct target *target);

/* gdb_memory.c */
void gdb_handle_memory(struct gdb *gdb, const char *packet); /* m M X */

/* gdb_query.c: q, Q, v packets that are none of the others. */
void gdb_handle_query(struct gdb *gdb, const char *packet);

/* gdb_proc.c: /proc/PID/NAME of a target. A descriptor, or -1; the text of what is a link. */
int gdb_open_proc(struct gdb *gdb, const char *path);
bool gdb_read_link(struct gdb *gdb, const char *path, char *out, size_t room);

/* gdb_file.c */
void gdb_handle_file(struct gdb *gdb, const char *packet); /* vFile:... */
void gdb_close_files(struct gdb *gdb);

#endif
