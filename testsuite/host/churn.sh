#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything at once, at random: VMs made, cloned, stopped, killed, removed by several clients, workers,
# NATs and the daemon killed meanwhile. Afterwards the daemon knows exactly what was acknowledged,
# everything works, and no process is left. CHURN_SECONDS, CHURN_SEED.
. "$SRCDIR/testsuite/host/lib.sh"
need python3
host_start --workers 2
make_httpd web "$(free_port)" --group g --restart always
"$DENALI" start web >/dev/null || fail "start"
sleep 0.5
"$DENALI" snapshot web s >/dev/null || fail "snapshot"

cat >"$TMPDIR/client.py" <<'END'
import http.client, json, os, random, socket, sys, time
path, name, seed, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), time.time() + float(sys.argv[4])
build = sys.argv[5]
random.seed(seed)
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(30); self.sock.connect(path)
def ask(method, where, body=None):
    """(status, answer); None: nobody knows whether it was done."""
    c = Connection("x")
    try:
        c.request(method, where, json.dumps(body) if body is not None else None)
        r = c.getresponse(); text = r.read()
        return r.status, json.loads(text)
    except (OSError, http.client.HTTPException):
        time.sleep(0.05); return None
    finally: c.close()
mine, unsure, n = {}, set(), 0     # names that were acknowledged; those that nobody knows
while time.time() < end:
    n += 1
    what = random.choice(["create", "clone", "start", "stop", "kill", "rm", "logs", "stats"])
    if what == "create" or not mine:
        vm = f"{name}-{n}"
        r = ask("POST", "/v1/vms", {"name": vm, "image": build + "/guests/hello", "group": random.choice("gh"),
                "start": random.random() < 0.5, "restart": random.choice(["no", "on-failure"])})
        if r and r[0] in (200, 201): mine[vm] = True
        elif r is None or r[0] >= 500 or r[0] == 422: unsure.add(vm)
        continue
    if what == "clone":
        prefix, count = f"{name}c{n}", random.randint(2, 20)
        names = [f"{prefix}-{i + 1}" for i in range(count)]
        r = ask("POST", "/v1/snapshots/s/clone", {"count": count, "name": prefix})
        if r and r[0] == 201: mine.update((vm, True) for vm in names)
        elif r is None or r[0] >= 500 or r[0] == 422: unsure.update(names)
        continue
    vm = random.choice(list(mine))
    if what == "rm":
        r = ask("DELETE", f"/v1/vms/{vm}?force=true")
        if r and r[0] == 404: print("lost:", vm, r); sys.exit(1)
        if r and r[0] != 200 or r is None: unsure.add(vm)
        del mine[vm]
    else:
        r = ask("GET" if what in ("logs", "stats") else "POST", f"/v1/vms/{vm}/{what}",
                {"grace_s": 1} if what == "stop" else None) if what != "logs" else ask("GET", f"/v1/vms/{vm}")
        if r and r[0] == 404: print("lost:", vm, what, r); sys.exit(1)
json.dump([sorted(mine), sorted(unsure), n], sys.stdout)
END

seconds=${CHURN_SECONDS-12} seed=${CHURN_SEED-1}
clients=
for i in 1 2 3; do
    python3 "$TMPDIR/client.py" "$DENALI_HOST" "v$i" "$((seed * 10 + i))" "$seconds" "$BUILD" >"$TMPDIR/client$i" 2>&1 &
    clients="$clients $!"
done
stop=$(($(date +%s) + seconds))
n=0
while [ "$(date +%s)" -lt $stop ]; do
    sleep 0.7
    n=$((n + 1))
    case $((n % 5)) in
    1 | 3)
        api GET /v1/host
        pid=$(sed "s/.*\"index\":$((n / 2 % 2)),\"pid\":\([0-9]*\),.*/\1/" "$TMPDIR/answer")
        case $pid in *[!0-9]* | '' | 0) ;; *) kill -9 "$pid" ;; esac
        ;;
    4)
        kill -9 "$daemon_pid"
        host_start --workers 2
        ;;
    esac
done
bad=0
for p in $clients; do wait "$p" || bad=1; done
[ $bad = 0 ] || fail "a client: $(cat "$TMPDIR"/client?)"

"$DENALI" ps --json >"$TMPDIR/ps" || fail "ps"
python3 - "$TMPDIR" <<'END' || fail "what the daemon knows is not what it acknowledged"
import json, sys
there = {vm["name"] for vm in json.load(open(sys.argv[1] + "/ps"))["vms"]}
known, asked = {"web"}, 0
for i in "123":
    mine, unsure, n = json.load(open(f"{sys.argv[1]}/client{i}"))
    lost = set(mine) - there
    if lost: print("lost:", sorted(lost)); sys.exit(1)
    known |= set(mine) | set(unsure); asked += n
if there - known: print("nobody made:", sorted(there - known)); sys.exit(1)
print(len(there), "VMs,", asked, "requests")
END
grep -e 'killed by signal [0-8]' -e 'killed by signal 1' -e 'ended with status' -e 'bug:' "$TMPDIR/state/host.log" &&
    fail "a worker died of something else than us"
up() { [ "$(api GET /v1/host; grep -o '"state":"up"' "$TMPDIR/answer" | wc -l)" -eq 2 ]; }
await 100 up || fail "the workers are not up: $(cat "$TMPDIR/answer")"
await 100 is_state web running || fail "web"
api POST /v1/snapshots/s/clone -d '{"count":5,"name":"after"}'
[ "$code" = 201 ] || fail "clone: $code $(cat "$TMPDIR/answer")"
grep -q '"started":5' "$TMPDIR/answer" || fail "clones: $(cat "$TMPDIR/answer")"
host_end
exit 0
