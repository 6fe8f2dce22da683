/**
 * Takes from buckets in Redis, by its clock: what `Bucket` and `Buckets` do in a
 * process, in the same whole numbers.
 *
 * @since 0.1.0
 */
import type * as RedisDesk from "./RedisDesk.js"

/**
 * Each key is a bucket: the microsecond when it was full, the millionths of a
 * token used since, and how fast it fills. A bucket that would be full has
 * expired. For each are given the amount, the capacity, the tokens per second,
 * what is taken before anything is asked (negative to give back), how much more was
 * taken elsewhere, and since how many microseconds: when the bucket has not been
 * full since, all of that is missing too, as far as it has not flowed in again. Numbers are
 * written whole, for Lua's own way of writing them keeps 14 digits. It answers the
 * number of the bucket that refuses, or 0; the milliseconds to wait; and for each
 * bucket what is missing and the milliseconds until it is full. A bucket that is
 * ahead of the clock, since that was set back, fills from now on. A key that holds
 * something else is left alone, and the answer is -1.
 *
 * @since 0.1.0
 * @category constants
 */
export const takeScript: RedisDesk.Script = {
  name: "takeFromBuckets",
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local slack, most = 1 + 2 ^ -50, 2 ^ 51

local function missing(b)
  if b.used == 0 then
    if now > b.at then b.at = now end
    return 0
  end
  if now <= b.at then return b.used end
  local left = b.used - math.floor(b.rate * (now - b.at) * slack)
  if left > 0 then return left end
  b.at, b.used = now, 0
  return 0
end

local function fold(b)
  b.used = missing(b)
  if now > b.at then b.at = now end
end

local function use(b, amount)
  if missing(b) + amount <= 0 then
    b.at, b.used = math.max(b.at, now), 0
  else
    if b.used > most then fold(b) end
    b.used = math.min(b.used + amount, 2 * most)
  end
end

local function wait(b, least)
  local micros = b.at + math.ceil((b.used - least) / b.rate) - math.max(now, b.at)
  return math.min(math.ceil(math.max(0, micros) / 1000), 9007199254740991)
end

local buckets = {}
for i, key in ipairs(KEYS) do
  if not buckets[key] then
    local kept = redis.pcall('GET', key)
    local b = { at = now, used = 0, rate = tonumber(ARGV[6 * i - 3]), isChanged = false }
    if kept then
      if type(kept) ~= 'string' then return { -1 } end
      local at, used, rate = string.match(kept, '^(%d+) (%d+) ([%d%.e+-]+)$')
      b.at, b.used, b.rate = tonumber(at), tonumber(used), tonumber(rate)
      if not (b.at and b.used and b.rate and b.rate > 0) then return { -1 } end
      if b.at > now then b.at, b.isChanged = now, true end
    end
    buckets[key] = b
  end
end

local refused, longest, steps = 0, 0, {}
for i, key in ipairs(KEYS) do
  local b = buckets[key]
  local rate, before = tonumber(ARGV[6 * i - 3]), tonumber(ARGV[6 * i - 2])
  local more, since = tonumber(ARGV[6 * i - 1]), tonumber(ARGV[6 * i])
  local still = 0
  if more > 0 and b.at <= now - since then
    still = b.used + before + more - math.floor(b.rate * (now - b.at) * slack)
  end
  if b.rate ~= rate then
    fold(b)
    b.rate, b.isChanged = rate, true
  end
  if before ~= 0 or still > 0 then
    use(b, math.max(before, still - missing(b)))
    b.isChanged = true
  end
end
for i, key in ipairs(KEYS) do
  local b = buckets[key]
  local amount, capacity = tonumber(ARGV[6 * i - 5]), tonumber(ARGV[6 * i - 4])
  local least = capacity - math.min(amount, capacity)
  if amount > 0 and missing(b) > least then
    local millis = math.max(1, wait(b, least))
    if millis > longest then refused, longest = i, millis end
  end
  steps[i] = { at = b.at, used = b.used }
  use(b, amount)
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    if ARGV[6 * i - 5] ~= '0' then buckets[key].isChanged = true end
  end
else
  for i = #KEYS, 1, -1 do
    local b = buckets[KEYS[i]]
    b.at, b.used = steps[i].at, steps[i].used
  end
end

local answer = { refused, longest }
for i, key in ipairs(KEYS) do
  local b = buckets[key]
  local left = missing(b)
  local full = 0
  if left > 0 then full = wait(b, 0) end
  answer[2 * i + 1], answer[2 * i + 2] = left, full
  if b.isChanged then
    b.isChanged = false
    if left == 0 then
      redis.call('DEL', key)
    else
      local kept = string.format('%.0f %.0f %.17g', b.at, b.used, b.rate)
      redis.call('SET', key, kept, 'PX', string.format('%.0f', math.min(full, 1e13)))
    end
  end
end
return answer
`
}
