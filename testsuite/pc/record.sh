#!/bin/sh
# SPDX-License-Identifier: MIT
# Recordings of PCs: what was typed, read from a disk and heard from a network comes again at the same
# instructions, in any engine; damage is told.
# timeout: 280
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
[ -f "$BUILD/pc/guests/echo" ] || skip "no guests were built"
replay() {
    "$DENALI" replay --state-hash "$@" >replayed 2>err </dev/null
    status=$?
}
state() { sed -n 's/^denali: state \(.*\)/\1/p' err; }
same() { cmp -s out replayed || fail "the replay prints otherwise: $(cat replayed err)"; }

{ for word in abc def ghi jklq; do sleep 0.1; printf '%s' $word; done; } |
    "$DENALI" pc --kernel "$BUILD/pc/guests/echo" --exit-port --serial stdio --record rec --state-hash \
        --timeout 100 >out 2>err
[ $? = 11 ] || fail "recording: $(cat err)" # its exit port's
grep -q 'ABCDEFGHIJKL' out || fail "it was not heard: $(cat out)"
want=$(state)
for engine in $(pc_engines); do
    replay --engine $engine rec
    [ $status = 0 ] && grep -q 'all was as recorded' err || fail "$engine: $status $(cat err)"
    [ "$(state)" = "$want" ] || fail "$engine ends in $(state), not $want"
    same
done
"$DENALI" pc --kernel "$BUILD/pc/guests/echo" --record rec </dev/null 2>err
[ $? = 125 ] && grep -q 'a recording already' err || fail "a recording was written over"
# Damage: at the end, in the middle, of the options.
cp -r rec cut && truncate -s -20 cut/tape
replay cut
[ $status = 1 ] && grep -q 'ends without its end' err || fail "cut off: $status $(cat err)"
cp -r rec bad && printf '\377\377\377' | dd of=bad/tape bs=1 seek=40 conv=notrunc 2>/dev/null
replay bad
[ $status = 1 ] || fail "damaged: $status $(cat err)"
cp -r rec odd && truncate -s -1 odd/options
replay odd
[ $status = 125 ] && grep -q damaged err || fail "damaged options: $status $(cat err)"
# CMOS memory is kept as it was at the start; the file is the first run's alone.
if [ -f /usr/share/seabios/bios-256k.bin ]; then
    head -c 128 /dev/zero | tr '\0' '\125' >nv
    pc --cmos nv --record begun --at 0.3 --screen-text
    expect 0
    [ "$(wc -c <nv)" = 256 ] || fail "the CMOS memory was not kept"
    printf x | dd of=nv bs=1 seek=90 conv=notrunc 2>/dev/null
    cp nv before
    replay begun
    [ $status = 0 ] && grep -q 'all was as recorded' err || fail "with CMOS memory: $status $(cat err)"
    cmp -s nv before || fail "a replay wrote CMOS memory"
    cp -r begun without && rm without/cmos
    replay without
    [ $status = 1 ] || fail "without its CMOS memory: $status $(cat err)"
    cp -r begun short && truncate -s 100 short/cmos
    replay short
    [ $status = 125 ] && grep -q damaged err || fail "damaged CMOS memory: $status $(cat err)"
fi

# An operating system with a disk and a network.
case " ${DENALI_ENGINES:-dbt} " in *' dbt '*) ;; *) exit 0 ;; esac
media=$("$SRCDIR/testsuite/pc/fetch" "$BUILD/pc-media") || exit 0
PATH=$PATH:/sbin:/usr/sbin
command -v mkfs.ext2 >/dev/null 2>&1 || exit 0
truncate -s 4M disk && mkfs.ext2 -q -F disk || fail "mkfs.ext2"
"$DENALI" pc -m 96M --cpu pentium3 --kernel "$media/boot/vmlinuz-686" --initrd "$media/initrd-686" \
    --hda disk --net user --serial stdio --record linux --state-hash --timeout 250 \
    --append "console=ttyS0 quiet cryptomgr.notests do=mount_/dev/sda_/mnt,md5sum_/bin/busybox_>/mnt/s,cat_/mnt/s,umount_/mnt,net,ping_-c_1_10.0.2.2" \
    >out 2>err </dev/null || fail "recording Linux: $? $(tail -3 out err)"
grep -q ' 0% packet loss' out || fail "no network: $(tail -20 out)"
want=$(state)
truncate -s 0 disk && truncate -s 4M disk # what was read is on the tape
replay linux
[ $status = 0 ] && [ "$(state)" = "$want" ] || fail "Linux: $status $(cat err)"
same
exit 0
