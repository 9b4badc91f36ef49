#!/bin/sh
# SPDX-License-Identifier: MIT
# Captures of an 80386 as public collections have them (captures.json, made by hand): as JSON, as a
# MOO file of version 1.1, and both cut off.
set -u
. "$SRCDIR/testsuite/pc/lib.sh"
cd "$TMPDIR" || exit 1
vectors=$BUILD/pc/vectors json=$SRCDIR/testsuite/pc/captures.json
"$vectors" "$json" >out 2>&1 || {
    grep -q damaged out && skip "this build reads no JSON"
    fail "$(cat out)"
}
need python3
cat >moo.py <<'END'
import json, struct, sys
order = "cr0 cr3 eax ebx ecx edx esi edi ebp esp cs ds es fs gs ss eip eflags dr6 dr7".split()
chunk = lambda tag, body: tag + struct.pack("<I", len(body)) + body
def registers(tag, regs):
    there = [i for i, n in enumerate(order) if n in regs]
    return chunk(tag, struct.pack("<I", sum(1 << i for i in there)) +
                 b"".join(struct.pack("<I", regs[order[i]]) for i in there))
def state(tag, s, more=b""):
    ram = b"".join(struct.pack("<IB", a, b) for a, b in s["ram"])
    return chunk(tag, registers(b"RG32", s["regs"]) + more +
                 chunk(b"RAM ", struct.pack("<I", len(s["ram"])) + ram) + chunk(b"QUEU", b"\0\0\0\0"))
def test(t):
    text = lambda b: struct.pack("<I", len(b)) + b
    body = struct.pack("<I", t["idx"]) + chunk(b"NAME", text(t["name"].encode()))
    body += chunk(b"BYTS", text(bytes(t["bytes"]))) + state(b"INIT", t["initial"], chunk(b"EA32", b"\2" + bytes(22)))
    body += state(b"FINA", t["final"]) + chunk(b"CYCL", b"\0\0\0\0")
    if "exception" in t:
        body += chunk(b"EXCP", struct.pack("<BI", t["exception"]["number"], t["exception"]["flag_address"]))
    return chunk(b"TEST", body + chunk(b"HASH", bytes(20)))
tests = json.load(open(sys.argv[1]))
out = chunk(b"MOO ", struct.pack("<BBHI", 1, 1, 0, len(tests)) + b"386E") + chunk(b"META", bytes(32))
out += registers(b"RM32", {"eflags": 0xffff})
sys.stdout.buffer.write(out + b"".join(map(test, tests)))
END
python3 moo.py "$json" >all.MOO || fail "no file was made"
python3 - <<'END'
import sys
whole = open("all.MOO", "rb").read()
for n in range(40):
    open("cut%02d.MOO" % n, "wb").write(whole[:len(whole) * n // 40])
END
head -c 3000 "$json" >cut.json
sed 's/"eax":305419896/"eax":1/' "$json" >wrong.json
for engine in interp dbt; do
    for file in "$json" all.MOO; do
        "$vectors" --engine $engine "$file" >out 2>&1
        status=$?
        grep -q '^SKIP' out && [ $engine != interp ] && continue
        [ $status -eq 0 ] || fail "$engine, $file: $(cat out)"
        grep -q '17 passed, 0 failed, 0 left out' out || fail "$engine, $file: $(cat out)"
    done
done
for file in cut*.MOO cut.json wrong.json; do
    "$vectors" "$file" >out 2>&1
    status=$?
    [ $status -eq 1 ] || fail "$file: status $status: $(cat out)"
done
exit 0
