#!/bin/sh
# SPDX-License-Identifier: MIT
# Python: its library, numbers, text, threads, files.
# timeout: 240
. "$SRCDIR/testsuite/debian/lib.sh"
cat >"$TMPDIR/a.py" <<'END'
import sys, os, json, re, hashlib, random, decimal, fractions, zlib, struct, math, datetime, threading
import collections, itertools, textwrap, csv, io, base64, statistics, string, tempfile, bisect, heapq, time
random.seed(12345)
print(sys.version_info[:2], sys.byteorder, sys.maxsize)
print([random.random() for _ in range(3)], random.sample(range(1000), 5))
data = {"k%d" % i: [i, i / 3, str(i), None, True, {"n": [i] * 3}] for i in range(2000)}
text = json.dumps(data, sort_keys=True)
print(len(text), hashlib.sha256(text.encode()).hexdigest(), json.loads(text) == data)
for name in ("md5", "sha1", "sha512", "blake2b", "sha3_256"):
    print(name, hashlib.new(name, text.encode()).hexdigest())
print(len(re.findall(r"k(\d+)7\b", text)), re.sub(r"(\d)(\d)", r"\2\1", "12345678"))
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), decimal.Decimal(1) / 7, fractions.Fraction(355, 113) ** 3)
print(2 ** 1000 % (10 ** 9 + 7), math.factorial(200) % 10 ** 20, pow(3, 10 ** 18, 998244353), (7 ** 3000) // (5 ** 2000) % 10 ** 30)
print(zlib.crc32(text.encode()), zlib.adler32(text.encode()), len(zlib.compress(text.encode(), 9)))
print(struct.pack("<bhiqfd", 1, -2, 3, -4, 0.1, 0.1).hex())
print([repr(f(x)) for f in (math.sin, math.exp, math.log1p, math.atan, math.gamma, math.erf) for x in (0.1, 1.5, 30.25)])
print(float("nan"), 1e308 * 10, -0.0, 0.1 + 0.2, 1e22, 1.7976931348623157e308, 5e-324, round(2.675, 2), "%.20f" % 0.1)
print(datetime.datetime.fromtimestamp(1e9, datetime.timezone.utc).isoformat(), datetime.date(2026, 11, 24).strftime("%A %j"))
primes = [True] * 200000
for i in range(2, 448):
    if primes[i]:
        primes[i * i :: i] = [False] * len(primes[i * i :: i])
print(sum(primes) - 2)
words = collections.Counter(sys.stdin.read().split())
print(words.most_common(8), len(words))
print(statistics.mean(range(1000)), statistics.stdev(range(1000)), list(itertools.islice(itertools.permutations("abcd"), 5)))
results = []
lock = threading.Lock()
def work(n):
    total = 0
    for i in range(20000):
        total += i * n
    with lock:
        results.append(total)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(results))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "f")
    with open(path, "w") as f:
        f.write("x" * 100000)
    os.rename(path, path + "2")
    print(os.stat(path + "2").st_size, os.listdir(folder), os.path.exists(path))
    with open(path + "2", "r+b") as f:
        f.seek(50000); f.write(b"yz"); f.truncate(60000); f.seek(49999); print(f.read(4))
print(sorted(os.listdir("/"))[:5], os.getcwd(), os.path.isdir("/usr/lib"))
out = io.StringIO(); csv.writer(out).writerows([[1, "a,b", 'q"'], [2.5, None, "x\ny"]]); print(repr(out.getvalue()))
print(base64.b85encode(bytes(range(40))), textwrap.fill("word " * 40, 33))
print("äöü€😀".encode(), "ß".upper(), "%08.3f|%-5s|%+d" % (3.14159, "ab", 5), f"{10**10:,} {0.5:.1%} {255:#x}")
class A:
    __slots__ = ("x",)
    def __init__(self, x): self.x = x
    def __lt__(self, o): return self.x < o.x
print([a.x for a in sorted(A(i * 7919 % 101) for i in range(20))])
start = time.monotonic(); time.sleep(0.05); print(0.05 <= time.monotonic() - start < 5)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
print(deep(900))
try:
    deep(100000)
except RecursionError as e:
    print(type(e).__name__)
print({1, 2, 3} & {2, 3, 4}, hash("x") == hash("x"), id(None) == id(None))
sys.exit("that is all")
END
text 20000 "$TMPDIR/text"
input=$TMPDIR/text
same python3 -c "$(cat "$TMPDIR/a.py")"
input=
same python3 -S -c 'print("small")'
same python3 -c 'import sys; sys.stdout.write("x" * 3000000)'
same python3 -c '1/0'
same python3 -m json.tool /no/such/file
