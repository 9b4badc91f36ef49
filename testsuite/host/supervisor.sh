#!/bin/sh
# SPDX-License-Identifier: MIT
# The VM that makes VMs: with the capability it clones, asks, stops and removes VMs of its group
# through the API on its LAN; it cannot reach others, and nobody else can reach it.
. "$SRCDIR/testsuite/host/lib.sh"
[ -x "$BUILD/guests/supervisor" ] || skip "guests/supervisor is not built"
host_start --workers 2
S=$BUILD/guests/supervisor

"$DENALI" create --name web --group g --root "$TMPDIR/site" --start "$BUILD/guests/httpd" / >/dev/null || fail "web"
"$DENALI" create --name other --group h --start "$BUILD/guests/httpd" >/dev/null || fail "other"
serves() { "$DENALI" logs "$1" | grep -q "serving"; }
await 100 serves web || fail "web does not serve"
await 100 serves other || fail "other does not serve"
"$DENALI" snapshot web s >/dev/null || fail "snapshot"
"$DENALI" snapshot other t >/dev/null || fail "snapshot"

# vm STATUS NAME OPTIONS -- ARGS: a program in a VM of group g; its output in $TMPDIR/out.
vm() {
    _want=$1 _name=$2
    shift 2
    "$DENALI" create --name "$_name" --start "$@" >/dev/null || fail "create $_name"
    "$DENALI" wait --timeout 60 "$_name" >/dev/null
    status=$?
    "$DENALI" logs "$_name" >"$TMPDIR/out"
    [ $status -eq "$_want" ] || fail "$_name: status $status, not $_want: $(cat "$TMPDIR/out")"
}
says() { grep -q -e "$1" "$TMPDIR/out" || fail "no '$1' in: $(cat "$TMPDIR/out")"; }

vm 0 boss --supervisor --group g "$S" demo s 5
says "5 clones answered, 5 ended"
"$DENALI" ps | grep -q made && fail "the clones are still there"
vm 0 lists --supervisor --group g "$S" GET /v1/vms
says '"name":"web"'
grep -q -e other -e boss "$TMPDIR/out" && fail "it sees what it may not: $(cat "$TMPDIR/out")"
vm 0 kills --supervisor --group g "$S" POST /v1/vms/web/kill
is_state web ended || fail "web was not killed"
"$DENALI" start web >/dev/null || fail "start"

# What it may not.
vm 1 a --supervisor --group g "$S" GET /v1/vms/other
says not_found
vm 1 b --supervisor --group g "$S" POST /v1/vms/other/kill
vm 1 c --supervisor --group g "$S" POST /v1/vms "{\"image\":\"/etc/passwd\"}"
says forbidden
vm 1 d --supervisor --group g "$S" POST /v1/snapshots/t/clone '{}'
vm 1 e --supervisor --group g "$S" POST /v1/snapshots/s/clone '{"group":"h","count":-1}'
vm 1 f --supervisor --group g "$S" GET /v1/host
is_state other running || fail "other"

# Without the capability, and with the address of somebody else's.
vm 2 nobody --group g "$S" GET /v1/vms
says "no capability"
"$DENALI" create --name holder --supervisor --group g --start "$BUILD/guests/httpd" >/dev/null || fail "holder"
ip=$(sed -n 's/.*"name":"holder".*"api_ip":\([0-9]*\).*/\1/p' "$TMPDIR/state/journal" | tail -1)
ip=$((ip >> 24)).$((ip >> 16 & 255)).$((ip >> 8 & 255)).$((ip & 255))
vm 2 thief --group g --env DENALI_API="$ip" "$S" GET /v1/vms
says "does not answer"
"$DENALI" create --name alone --supervisor "$S" GET /v1/vms >/dev/null 2>&1 && fail "a supervisor without a group"
host_end
exit 0
