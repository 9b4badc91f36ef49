#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The first program of the measured guest. The kernel's command line says what is run
# (programs=a,b,c) and how much of it (scale=PERCENT).
echo "MARKER boot"
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t tmpfs tmp /tmp
export PATH=/bin:/usr/bin BENCH_SCALE=100 LC_ALL=C PYTHONHASHSEED=0 HOME=/tmp
programs=
for word in $(cat /proc/cmdline); do
    case $word in
    programs=*) programs=$(echo "${word#programs=}" | tr , ' ') ;;
    scale=*) BENCH_SCALE=${word#scale=} ;;
    esac
done
scaled() { echo $(($1 * BENCH_SCALE / 100)); }
measure() { work time "$@"; }
text() { work text "$(scaled $1)" >/tmp/text; }
for p in $programs; do
    case $p in
    xz) text 3072 && measure xz xz -6 -T1 -c /tmp/text ;;
    bzip2) text 24576 && measure bzip2 bzip2 -9 -c /tmp/text ;;
    zstd) text 24576 && measure zstd zstd -12 -c -q --single-thread /tmp/text ;;
    lua) measure lua lua5.4 /bench.lua ;;
    sqlite) measure sqlite sqlite3 -cmd ".parameter set :scale $BENCH_SCALE" :memory: </bench.sql ;;
    python) measure python python3.11 -S /bench.py ;;
    gawk) measure gawk gawk -f /bench.awk ;;
    syscalls) measure syscalls work syscalls "$(scaled 4000000)" ;;
    forks) measure forks work forks "$(scaled 10000)" ;;
    switches) measure switches work switches "$(scaled 100000)" ;;
    *) echo "there is no program $p" ;;
    esac
    rm -f /tmp/*
done
echo "MARKER end"
poweroff -f
