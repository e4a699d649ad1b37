-- The free tier's counter in Redis: the rules of `ledger.rs`, which says why they hold, in one script. Its
-- parts are joined in `redis.rs`.
--
-- KEYS  state (hash), open and settled slots (sorted sets by release time), the mark of a fresh provider
-- ARGV  operation, time or '' for the server's own, model, N, P, B, T, u (milliseconds), and to settle:
--       the slot's reservation time and number, the outcome, the provider's Retry-After in milliseconds
--
-- Answers are whole numbers, the time first:
--   reserve  {time, 1, number, remaining, probes} or {time, 0, reason, reopens at}
--   settle   {time}
--   status   {time, used, remaining, window start, window end, reason or 0, reopens at}
-- Reasons: 1 exhausted, 2 blocked, 3 failing.
--
-- A call costs a fixed number of commands of O(log N), and removes every slot once. All numbers are whole
-- and below 2^53, which is exact here.

local STATE, OPEN, SETTLED, FRESH = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local operation, model = ARGV[1], ARGV[3]
local N, P, B, T, u = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local aligned, anchored = model == 'aligned', model == 'anchored'
local bucket, counting = model == 'token_bucket', model == 'count_then_block'

local function whole(number) return string.format('%.0f', number) end

local now
if ARGV[2] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[2])
end

-- The latest time at which a call reserved at `s` can arrive.
local function given_up(s) return s + T + u end

-- When a call that ended at `c` can share no window with a new one.
local function release(c)
  if aligned then return (math.floor((c + u) / P) + 1) * P + u end
  if counting then return c + B end
  if bucket then return c end
  return c + P
end

-- The names are those of `State` in `ledger.rs`. Of the breaker: `block` is its deadline, `cause` a reason.
local FIELDS = {
  'seen', 'open_from', 'newest', 'block', 'cause', 'failures', 'probe',
  'earliest', 'since', 'witness', 'full', 'level', 'at', 'sure', 'doubt', 'open', 'settled',
}
-- Another server, or this one started anew, may know an old state that lacks the newest slots.
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
local state = {}
for index, value in ipairs(redis.call('HMGET', STATE, unpack(FIELDS))) do
  if value then state[FIELDS[index]] = tonumber(value) end
end
local open, settled = redis.call('ZCARD', OPEN), redis.call('ZCARD', SETTLED)

-- A key may also be lost alone, when the server evicts: what is left is worth nothing then.
if not state.seen or redis.call('HGET', STATE, 'server') ~= server or state.open ~= open or state.settled ~= settled then
  redis.call('DEL', OPEN, SETTLED, STATE)
  open, settled = 0, 0
  state = {
    seen = now, open_from = now, newest = 0, failures = 0,
    earliest = 0, since = 0, level = N * P, at = now, sure = 0, doubt = 0,
  }
  if redis.call('DEL', FRESH) == 0 then
    state.open_from = bucket and given_up(now) + P or release(given_up(now))
    state.doubt = N - 1
  end
end
now = math.max(now, state.seen)
state.seen = now
