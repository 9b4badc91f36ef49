-- SPDX-License-Identifier: MIT
-- Calls, tables, strings, closures, floats: what Lua programs do.
-- BENCH_SCALE in the environment: percent of the usual work.
local scale = (tonumber(os.getenv("BENCH_SCALE")) or 100) / 100
local function scaled(n) return math.floor(n * scale) end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function sieve(n)
  local composite, count = {}, 0
  for i = 2, n do
    if not composite[i] then
      count = count + 1
      for j = i * i, n, i do composite[j] = true end
    end
  end
  return count
end

local function words(n)
  local seen, seed = {}, 1
  for i = 1, n do
    seed = (seed * 1103515245 + 12345) % 2147483648
    local key = string.format("w%d", seed % 5000)
    seen[key] = (seen[key] or 0) + #key
  end
  local keys = {}
  for k, v in pairs(seen) do keys[#keys + 1] = k .. "=" .. v end
  table.sort(keys)
  return #table.concat(keys, ",")
end

local function spectral(n)
  local function a(i, j) return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1) end
  local sum = 0.0
  for i = 0, n - 1 do for j = 0, n - 1 do sum = sum + a(i, j) end end
  return sum
end

-- A call of fib(n - 1) is 0.618 of one of fib(n).
print(fib(34 + math.floor(math.log(scale) / math.log(1.618) + 0.5)), sieve(scaled(5000000)),
      words(scaled(2000000)), string.format("%.9f", spectral(math.floor(3000 * math.sqrt(scale)))))
