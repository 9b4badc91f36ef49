#!/bin/sh
# SPDX-License-Identifier: MIT
# The real gdb on a Linux program under Ilwaco: httpd's own lines while it serves, its variables,
# and the kernel under it with its symbols.
. "$SRCDIR/testsuite/debug/gdb_lib.sh"
need curl
[ -f "$BUILD/guests/httpd" ] && [ -f "$BUILD/guests/ilwaco" ] || skip "httpd or ilwaco is not built"
[ -x "$BUILD/denali-nat" ] || skip "this build has no NAT"

mkdir "$TMPDIR/site"
echo hello >"$TMPDIR/site/index.html"
hostport=$((17000 + $$ % 8000))
for engine in ${DENALI_ENGINES:-dbt interp}; do
    serve --engine "$engine" -p $hostport:80 --root "$TMPDIR/site" "$BUILD/guests/httpd" /
    (sleep 3; for _ in 1 2; do curl -s -m 30 http://127.0.0.1:$hostport/index.html; done >"$TMPDIR/curl" 2>&1) &
    client=$!
    in_gdb <<END
tbreak main
continue
break conn_work
continue
backtrace
info args
print c->fd
watch -location c->response.close
next
delete
add-symbol-file $BUILD/guests/ilwaco
tbreak sys_close
continue
backtrace 2
finish
tbreak conn_event
continue
print/x \$vr_trap_entry
info os processes
detach
END
    said 'Temporary breakpoint 1, main (argc=2' 'Breakpoint 2, conn_work (.*in=.*GET /index.html' \
        '#[0-9]* .*serve (s=.*httpd.c:' '#[0-9]* .*main (argc=2' 'len = [0-9]' ' = [0-9]' 'Hardware watchpoint 3' \
        'sys_close (.*) at .*ilwaco' 'conn_event (' 'httpd'
    wait $client
    grep -q hello "$TMPDIR/curl" || fail "$engine: curl got $(cat "$TMPDIR/curl")"
    kill $server
    wait $server || :
done
