#!/bin/sh
# SPDX-License-Identifier: MIT
# Lua: numbers, strings, tables, coroutines, errors.
# timeout: 120
. "$SRCDIR/testsuite/debian/lib.sh"
cat >"$TMPDIR/a.lua" <<'END'
local function queens(n)
    local count, cols, d1, d2 = 0, {}, {}, {}
    local function place(r)
        if r > n then count = count + 1 return end
        for c = 1, n do
            if not (cols[c] or d1[r + c] or d2[r - c + n]) then
                cols[c], d1[r + c], d2[r - c + n] = true, true, true
                place(r + 1)
                cols[c], d1[r + c], d2[r - c + n] = nil, nil, nil
            end
        end
    end
    place(1)
    return count
end
print("queens", queens(8))
local t = {}
for i = 1, 200000 do t[i] = (i * 7919) % 100003 end
table.sort(t)
print(t[1], t[100000], t[200000], #t)
local s = 0.0
for i = 1, 300000 do s = s + math.sin(i) * math.sqrt(i) / (i + 0.5) end
print(string.format("%.17g %a", s, s))
for _, x in ipairs { 0.1, 1e300 * 10, -0.0, 1 / 3, 2 ^ 53, 5 // 0.3, -7 % 3, 7 % -3.5, math.pi, math.mininteger } do
    print(x, string.format("%g %.3e %10.4f", x, x, x), math.type(x))
end
print(0xffffffffffffffff, 1 << 62, -1 >> 1, 5 // -2, 5 % -2, 3 | 8, ~0)
local words = {}
for w in ("the quick brown fox jumps over the lazy dog"):rep(3000, " "):gmatch("%a+") do words[w] = (words[w] or 0) + 1 end
local keys = {}
for k in pairs(words) do keys[#keys + 1] = k end
table.sort(keys)
for _, k in ipairs(keys) do print(k, words[k]) end
local gen = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end)
print(gen(), gen(), gen())
print(pcall(function() error("code 5") end))
print(select("#", table.unpack({}, 1, 200)))
print(string.pack("<i4 d s2", 7, 1.5, "xyz"):byte(1, -1))
print(pcall(string.rep, "x", -1), ("x"):rep(10), #("ab"):rep(1000000))
for line in io.lines() do if line:find("^%d*7 ") then s = s + #line end end
print(s)
collectgarbage()
io.stderr:write("to stderr\n")
os.exit(17)
END
text 20000 "$TMPDIR/text"
# As an argument, so that stdin is free for data; then on stdin.
input=$TMPDIR/text
same lua5.4 -e "$(cat "$TMPDIR/a.lua")"
input=$TMPDIR/a.lua
same lua5.4 -
input=
same lua5.4 -e 'print(nil + 1)'
same lua5.4 -e 'local function f() return f() + 1 end print(pcall(f))'
