# SPDX-License-Identifier: MIT
# Objects, dictionaries, strings, big integers, sorting: what Python programs do.
# BENCH_SCALE in the environment: percent of the usual work.
import hashlib
import json
import os
import re

SCALE = int(os.environ.get("BENCH_SCALE", "100"))


def scaled(n):
    return n * SCALE // 100


class Node:
    def __init__(self, key):
        self.key, self.left, self.right = key, None, None

    def insert(self, key):
        node = self
        while True:
            side = "left" if key < node.key else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Node(key))
                return
            node = child


def tree(n):
    seed, root = 1, Node(1 << 30)
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) % (1 << 31)
        root.insert(seed)
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [c for node in level for c in (node.left, node.right) if c]
    return depth


def text(n):
    lines = ["%d item-%d value=%x" % (i, i * 7 % 1000, i * i) for i in range(n)]
    found = sum(len(m.group(1)) for m in map(re.compile(r"item-(\d+) ").search, lines) if m)
    back = json.loads(json.dumps(lines))
    return found, hashlib.md5("".join(sorted(back)).encode()).hexdigest()


def digits(n):
    return sum(int(digit, 16) for digit in hex(pow(7, n))[2:])


print(tree(scaled(250000)), text(scaled(400000)), digits(scaled(600000)))
print(sum(i * i % 7 for i in range(scaled(10000000))))
