/* SPDX-License-Identifier: MIT */
/*
 * The functions behind syscalls.def (those of the socket room are in kernel.h).
 * Arguments are as Linux has them; what is an address there is one here.
 */
#ifndef ILWACO_SYS_H
#define ILWACO_SYS_H

#include "guests/ilwaco/kernel.h"

/* epoll.c */
int32_t sys_epoll_create1(uint32_t flags);
int32_t sys_epoll_create(uint32_t size);
int32_t sys_epoll_ctl(uint32_t epfd, uint32_t op, uint32_t fd, uint32_t user_event);
int32_t sys_epoll_wait(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout_ms);
int32_t sys_epoll_pwait(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout_ms,
                        uint32_t mask, uint32_t size);
int32_t sys_epoll_pwait2(uint32_t epfd, uint32_t events, uint32_t max, uint32_t timeout,
                         uint32_t mask, uint32_t size);

/* event_files.c */
int32_t sys_eventfd2(uint32_t count, uint32_t flags);
int32_t sys_eventfd(uint32_t count);
int32_t sys_timerfd_create(uint32_t clock, uint32_t flags);
int32_t sys_timerfd_settime(uint32_t fd, uint32_t flags, uint32_t in, uint32_t old);
int32_t sys_timerfd_settime64(uint32_t fd, uint32_t flags, uint32_t in, uint32_t old);
int32_t sys_timerfd_gettime(uint32_t number, uint32_t out);
int32_t sys_timerfd_gettime64(uint32_t number, uint32_t out);
int32_t sys_signalfd4(uint32_t number, uint32_t mask, uint32_t size, uint32_t flags);
int32_t sys_signalfd(uint32_t number, uint32_t mask, uint32_t size);

/* fs/open.c */
int32_t sys_umask(uint32_t mask);

/* fs/pipe.c */
int32_t sys_pipe2(uint32_t fds, uint32_t flags);
int32_t sys_pipe(uint32_t fds);

/* futex.c */
int32_t sys_futex(uint32_t address, uint32_t op, uint32_t value, uint32_t arg, uint32_t address2,
                  uint32_t value3);
int32_t sys_futex_time64(uint32_t address, uint32_t op, uint32_t value, uint32_t arg,
                         uint32_t address2, uint32_t value3);
int32_t sys_set_robust_list(uint32_t head, uint32_t size);
int32_t sys_get_robust_list(uint32_t tid, uint32_t head, uint32_t size);

/* mmap.c */
int32_t sys_brk(uint32_t want);
int32_t sys_mmap2(uint32_t addr, uint32_t bytes, uint32_t prot, uint32_t flags, uint32_t fd,
                  uint32_t page);
int32_t sys_old_mmap(uint32_t args);
int32_t sys_munmap(uint32_t addr, uint32_t bytes);
int32_t sys_mprotect(uint32_t addr, uint32_t bytes, uint32_t prot);
int32_t sys_mremap(uint32_t addr, uint32_t old_bytes, uint32_t bytes, uint32_t flags, uint32_t to);
int32_t sys_madvise(uint32_t addr, uint32_t bytes, uint32_t advice);
int32_t sys_msync(uint32_t addr, uint32_t bytes, uint32_t flags);
int32_t sys_mincore(uint32_t addr, uint32_t bytes, uint32_t vector);

/* poll.c */
int32_t sys_poll(uint32_t fds, uint32_t count, uint32_t timeout_ms);
int32_t sys_ppoll(uint32_t fds, uint32_t count, uint32_t timeout, uint32_t mask, uint32_t size);
int32_t sys_ppoll_time64(uint32_t fds, uint32_t count, uint32_t timeout, uint32_t mask,
                         uint32_t size);
int32_t sys_select(uint32_t count, uint32_t in, uint32_t out, uint32_t ex, uint32_t timeout);
int32_t sys_old_select(uint32_t args);
int32_t sys_pselect6(uint32_t count, uint32_t in, uint32_t out, uint32_t ex, uint32_t timeout,
                     uint32_t mask);
int32_t sys_pselect6_time64(uint32_t count, uint32_t in, uint32_t out, uint32_t ex,
                            uint32_t timeout, uint32_t mask);

/* signal_frame.c */
int32_t sys_sigreturn(void);
int32_t sys_rt_sigreturn(void);

/* sys_file.c */
int32_t sys_read(uint32_t fd, uint32_t buffer, uint32_t n);
int32_t sys_write(uint32_t fd, uint32_t buffer, uint32_t n);
int32_t sys_readv(uint32_t fd, uint32_t iov, uint32_t count);
int32_t sys_writev(uint32_t fd, uint32_t iov, uint32_t count);
int32_t sys_pread64(uint32_t fd, uint32_t buffer, uint32_t n, uint32_t low, uint32_t high);
int32_t sys_pwrite64(uint32_t fd, uint32_t buffer, uint32_t n, uint32_t low, uint32_t high);
int32_t sys_preadv(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high);
int32_t sys_pwritev(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high);
int32_t sys_preadv2(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high,
                    uint32_t flags);
int32_t sys_pwritev2(uint32_t fd, uint32_t iov, uint32_t count, uint32_t low, uint32_t high,
                     uint32_t flags);
int32_t sys_lseek(uint32_t fd, uint32_t offset, uint32_t whence);
int32_t sys_llseek(uint32_t fd, uint32_t high, uint32_t low, uint32_t result, uint32_t whence);
int32_t sys_sendfile(uint32_t out, uint32_t in, uint32_t offset, uint32_t n);
int32_t sys_sendfile64(uint32_t out, uint32_t in, uint32_t offset, uint32_t n);
int32_t sys_copy_file_range(uint32_t in_fd, uint32_t in_off, uint32_t out_fd, uint32_t out_off,
                            uint32_t n, uint32_t flags);
int32_t sys_ftruncate(uint32_t fd, uint32_t size);
int32_t sys_ftruncate64(uint32_t fd, uint32_t low, uint32_t high);
int32_t sys_fallocate(uint32_t fd, uint32_t mode, uint32_t low, uint32_t high, uint32_t len_low,
                      uint32_t len_high);
int32_t sys_fsync(uint32_t fd);
int32_t sys_sync(void);
int32_t sys_fadvise64_64(uint32_t fd);
int32_t sys_readahead(uint32_t fd);
int32_t sys_flock(uint32_t fd);
int32_t sys_close(uint32_t fd);
int32_t sys_close_range(uint32_t first, uint32_t last, uint32_t flags);
int32_t sys_dup(uint32_t fd);
int32_t sys_dup3(uint32_t fd, uint32_t to, uint32_t flags);
int32_t sys_dup2(uint32_t fd, uint32_t to);
int32_t sys_fcntl64(uint32_t fd, uint32_t command, uint32_t arg);
int32_t sys_ioctl(uint32_t fd, uint32_t command, uint32_t arg);

/* sys_path.c */
int32_t sys_openat(uint32_t dirfd, uint32_t user_path, uint32_t flags, uint32_t mode);
int32_t sys_open(uint32_t path, uint32_t flags, uint32_t mode);
int32_t sys_creat(uint32_t path, uint32_t mode);
int32_t sys_openat2(uint32_t dirfd, uint32_t path, uint32_t how, uint32_t size);
int32_t sys_memfd_create(uint32_t user_name, uint32_t flags);
int32_t sys_mkdirat(uint32_t dirfd, uint32_t path, uint32_t mode);
int32_t sys_mkdir(uint32_t path, uint32_t mode);
int32_t sys_mknodat(uint32_t dirfd, uint32_t path, uint32_t mode, uint32_t dev);
int32_t sys_mknod(uint32_t path, uint32_t mode, uint32_t dev);
int32_t sys_symlinkat(uint32_t user_target, uint32_t dirfd, uint32_t path);
int32_t sys_symlink(uint32_t target, uint32_t path);
int32_t sys_linkat(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path,
                   uint32_t flags);
int32_t sys_link(uint32_t old_path, uint32_t path);
int32_t sys_unlinkat(uint32_t dirfd, uint32_t path, uint32_t flags);
int32_t sys_unlink(uint32_t path);
int32_t sys_rmdir(uint32_t path);
int32_t sys_renameat2(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path,
                      uint32_t flags);
int32_t sys_renameat(uint32_t old_dirfd, uint32_t old_path, uint32_t dirfd, uint32_t path);
int32_t sys_rename(uint32_t old_path, uint32_t path);
int32_t sys_readlinkat(uint32_t dirfd, uint32_t path, uint32_t out, uint32_t room);
int32_t sys_readlink(uint32_t path, uint32_t out, uint32_t room);
int32_t sys_faccessat(uint32_t dirfd, uint32_t path, uint32_t mode);
int32_t sys_faccessat2(uint32_t dirfd, uint32_t path, uint32_t mode, uint32_t flags);
int32_t sys_access(uint32_t path, uint32_t mode);
int32_t sys_truncate(uint32_t path, uint32_t size);
int32_t sys_truncate64(uint32_t path, uint32_t low, uint32_t high);
int32_t sys_fchmodat(uint32_t dirfd, uint32_t path, uint32_t mode);
int32_t sys_chmod(uint32_t path, uint32_t mode);
int32_t sys_fchmod(uint32_t fd, uint32_t mode);
int32_t sys_fchownat(uint32_t dirfd, uint32_t path, uint32_t uid, uint32_t gid, uint32_t flags);
int32_t sys_chown32(uint32_t path, uint32_t uid, uint32_t gid);
int32_t sys_lchown32(uint32_t path, uint32_t uid, uint32_t gid);
int32_t sys_fchown32(uint32_t fd, uint32_t uid, uint32_t gid);
int32_t sys_chdir(uint32_t path);
int32_t sys_fchdir(uint32_t fd);
int32_t sys_getcwd(uint32_t out, uint32_t room);
int32_t sys_chroot(uint32_t path);

/* sys_process.c */
int32_t sys_getpid(void);
int32_t sys_getppid(void);
int32_t sys_zero(void);
int32_t sys_getpgid(uint32_t pid);
int32_t sys_getpgrp(void);
int32_t sys_setpgid(uint32_t pid);
int32_t sys_setsid(void);
int32_t sys_getresid(uint32_t real, uint32_t effective, uint32_t saved);
int32_t sys_getgroups(uint32_t size, uint32_t list);
int32_t sys_wait4(void);
int32_t sys_capget(uint32_t header, uint32_t data);
int32_t sys_uname(uint32_t out);
int32_t sys_sysinfo(uint32_t out);
int32_t sys_sethostname(void);
int32_t sys_getrlimit(uint32_t resource, uint32_t out);
int32_t sys_ugetrlimit(uint32_t resource, uint32_t out);
int32_t sys_setrlimit(uint32_t resource, uint32_t in);
int32_t sys_prlimit64(uint32_t pid, uint32_t resource, uint32_t in, uint32_t out);
int32_t sys_getrusage(uint32_t who, uint32_t out);
int32_t sys_getpriority(void);
int32_t sys_prctl(uint32_t option, uint32_t arg);
int32_t sys_personality(uint32_t persona);
int32_t sys_getrandom(uint32_t out, uint32_t n, uint32_t flags);

/* sys_signal.c */
int32_t sys_rt_sigaction(uint32_t signal, uint32_t in, uint32_t out, uint32_t size);
int32_t sys_sigaction(uint32_t signal, uint32_t in, uint32_t out);
int32_t sys_signal(uint32_t signal, uint32_t handler);
int32_t sys_rt_sigprocmask(uint32_t how, uint32_t in, uint32_t out, uint32_t size);
int32_t sys_sigprocmask(uint32_t how, uint32_t in, uint32_t out);
int32_t sys_rt_sigpending(uint32_t out, uint32_t size);
int32_t sys_sigpending(uint32_t out);
int32_t sys_rt_sigsuspend(uint32_t mask, uint32_t size);
int32_t sys_sigsuspend(uint32_t unused0, uint32_t unused1, uint32_t mask);
int32_t sys_pause(void);
int32_t sys_rt_sigtimedwait(uint32_t set, uint32_t info, uint32_t timeout, uint32_t size);
int32_t sys_rt_sigtimedwait_time64(uint32_t set, uint32_t info, uint32_t timeout, uint32_t size);
int32_t sys_kill(uint32_t pid, uint32_t signal);
int32_t sys_tkill(uint32_t tid, uint32_t signal);
int32_t sys_tgkill(uint32_t pid, uint32_t tid, uint32_t signal);
int32_t sys_rt_sigqueueinfo(uint32_t pid, uint32_t signal, uint32_t info);
int32_t sys_rt_tgsigqueueinfo(uint32_t pid, uint32_t tid, uint32_t signal, uint32_t info);
int32_t sys_sigaltstack(uint32_t in, uint32_t out);

/* sys_stat.c */
int32_t sys_stat(uint32_t path, uint32_t out);
int32_t sys_lstat(uint32_t path, uint32_t out);
int32_t sys_fstat(uint32_t fd, uint32_t out);
int32_t sys_fstatat64(uint32_t dirfd, uint32_t path, uint32_t out, uint32_t flags);
int32_t sys_stat64(uint32_t path, uint32_t out);
int32_t sys_lstat64(uint32_t path, uint32_t out);
int32_t sys_fstat64(uint32_t fd, uint32_t out);
int32_t sys_statx(uint32_t dirfd, uint32_t path, uint32_t flags, uint32_t mask, uint32_t out);
int32_t sys_getdents(uint32_t fd, uint32_t out, uint32_t room);
int32_t sys_getdents64(uint32_t fd, uint32_t out, uint32_t room);
int32_t sys_utimensat(uint32_t dirfd, uint32_t path, uint32_t times, uint32_t flags);
int32_t sys_utimensat_time64(uint32_t dirfd, uint32_t path, uint32_t times, uint32_t flags);
int32_t sys_utime(uint32_t path, uint32_t times);
int32_t sys_utimes(uint32_t path, uint32_t times);
int32_t sys_futimesat(uint32_t dirfd, uint32_t path, uint32_t times);
int32_t sys_statfs(uint32_t path, uint32_t out);
int32_t sys_fstatfs(uint32_t fd, uint32_t out);
int32_t sys_statfs64(uint32_t path, uint32_t size, uint32_t out);
int32_t sys_fstatfs64(uint32_t fd, uint32_t size, uint32_t out);
int32_t sys_getxattr(uint32_t path);
int32_t sys_lgetxattr(uint32_t path);
int32_t sys_fgetxattr(uint32_t fd);
int32_t sys_listxattr(uint32_t path);
int32_t sys_llistxattr(uint32_t path);
int32_t sys_flistxattr(uint32_t fd);
int32_t sys_setxattr(void);

/* sys_thread.c */
int32_t sys_set_thread_area(uint32_t desc);
int32_t sys_get_thread_area(uint32_t addr);
int32_t sys_modify_ldt(uint32_t function, uint32_t addr, uint32_t bytes);
int32_t sys_clone(uint32_t flags, uint32_t stack, uint32_t parent_tid, uint32_t tls,
                  uint32_t child_tid);
int32_t sys_clone3(uint32_t args, uint32_t size);
int32_t sys_set_tid_address(uint32_t addr);
int32_t sys_gettid(void);
int32_t sys_exit(uint32_t status);
int32_t sys_exit_group(uint32_t status);
int32_t sys_sched_yield(void);
int32_t sys_sched_getaffinity(uint32_t tid, uint32_t bytes, uint32_t mask);
int32_t sys_sched_setaffinity(uint32_t tid, uint32_t bytes, uint32_t mask);
int32_t sys_getcpu(uint32_t cpu, uint32_t node);
int32_t sys_sched_getscheduler(uint32_t tid);
int32_t sys_sched_setscheduler(uint32_t tid, uint32_t policy);
int32_t sys_sched_getparam(uint32_t tid, uint32_t param);
int32_t sys_sched_setparam(uint32_t tid);
int32_t sys_sched_get_priority_max(uint32_t policy);
int32_t sys_sched_get_priority_min(uint32_t policy);
int32_t sys_membarrier(uint32_t command);

/* sys_time.c */
int32_t sys_clock_gettime(uint32_t clock, uint32_t out);
int32_t sys_clock_gettime64(uint32_t clock, uint32_t out);
int32_t sys_clock_getres(uint32_t clock, uint32_t out);
int32_t sys_clock_getres64(uint32_t clock, uint32_t out);
int32_t sys_clock_settime(uint32_t clock, uint32_t in);
int32_t sys_clock_settime64(uint32_t clock, uint32_t in);
int32_t sys_gettimeofday(uint32_t tv, uint32_t tz);
int32_t sys_settimeofday(uint32_t tv, uint32_t tz);
int32_t sys_time(uint32_t out);
int32_t sys_times(uint32_t out);
int32_t sys_nanosleep(uint32_t in, uint32_t remaining);
int32_t sys_clock_nanosleep(uint32_t clock, uint32_t flags, uint32_t in, uint32_t remaining);
int32_t sys_clock_nanosleep_time64(uint32_t clock, uint32_t flags, uint32_t in, uint32_t remaining);

/* sys_timer.c */
int32_t sys_getitimer(uint32_t which, uint32_t out);
int32_t sys_setitimer(uint32_t which, uint32_t in, uint32_t out);
int32_t sys_alarm(uint32_t seconds);
int32_t sys_timer_create(uint32_t clock, uint32_t event, uint32_t out);
int32_t sys_timer_settime(uint32_t id, uint32_t flags, uint32_t in, uint32_t out);
int32_t sys_timer_settime64(uint32_t id, uint32_t flags, uint32_t in, uint32_t out);
int32_t sys_timer_gettime(uint32_t id, uint32_t out);
int32_t sys_timer_gettime64(uint32_t id, uint32_t out);
int32_t sys_timer_getoverrun(uint32_t id);
int32_t sys_timer_delete(uint32_t id);

#endif
