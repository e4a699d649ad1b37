-- The free tier's counter in Redis: the rules of `ledger.rs`, which says why they hold, in one script. Its
-- parts are joined in `redis.rs`.
--
-- KEYS  state (hash), open and settled slots (sorted sets by release time), the mark of a fresh provider,
--       the line by number and by lease (sorted sets of message ids), the figures (hash), the oracle's latest
--       calls (list)
-- ARGV  operation, time or '' for the server's own, model, N, P, B, T, u (milliseconds), how many kinds of
--       things are counted, and
--       to reserve: the message's id, how long it would wait in milliseconds or '', 1 when it asks first
--       to record: the kinds to count
--       to settle: the slot's reservation time, number, `used` and `probes`, the outcome, the provider's
--       Retry-After in milliseconds; of what its answer told, or '': q, r, t in milliseconds, its time; the
--       kinds to count
--
-- Answers are whole numbers, the time first:
--   reserve  {time, 1, number, remaining, used, probes}, {time, 0, reason, reopens at} or
--            {time, 2, ask again at}
--   settle   {time}
--   record   {time}
--   figures  {time, waiting, counts of all time, and for each window its start and counts}
--   status   {time, limit, used, remaining, window start, window end, reason or 0, reopens at}
-- Reasons: 1 exhausted, 2 blocked, 3 failing.
--
-- A call costs a fixed number of commands of O(log N), and removes every slot once. All numbers are whole
-- and below 2^53, which is exact here.

local STATE, OPEN, SETTLED, FRESH, LINE, LEASES, FIGURES, RECENT = unpack(KEYS)
local operation, model = ARGV[1], ARGV[3]
local N, P, B = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local T, u, KINDS = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
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

-- The names are those of `State` in `ledger.rs`. Of the breaker: `block` is its deadline, `cause` a reason.
-- Of what is learned: `least`, `most` and `moved_at` are the phase.
local FIELDS = {
  'seen', 'open_from', 'newest', 'block', 'cause', 'failures', 'probe',
  'earliest', 'since', 'witness', 'full', 'level', 'at', 'sure', 'doubt', 'open', 'settled',
  'place', 'waiting', 'limit', 'told', 'room', 'room_until', 'cap', 'cap_until', 'least', 'most', 'moved_at',
  'oracle_at', 'oracle_count',
}
-- Another server, or this one started anew, may know an old state that lacks the newest slots.
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
local state, stored = {}, {}
local values = redis.call('HMGET', STATE, 'server', unpack(FIELDS))
for index, field in ipairs(FIELDS) do
  local value = tonumber(values[index + 1] or '')
  state[field], stored[field] = value, value
end
local open, settled = redis.call('ZCARD', OPEN), redis.call('ZCARD', SETTLED)

-- The least and the most that the provider's clock is ahead.
local function ahead()
  if state.moved_at then return state.least - 2 * u, state.most + 2 * u end
  return -u, u
end

-- When a call that ended at `c` can share no window with a new one.
local function release(c)
  if aligned then
    local least, most = ahead()
    return (math.floor((c + most) / P) + 1) * P - least
  end
  if counting then return c + B end
  if bucket then return c end
  return c + P
end

-- A key may also be lost alone, when the server evicts: what is left is worth nothing then. An older script
-- left no oracle.
if values[1] ~= server or not state.oracle_at or state.open ~= open or state.settled ~= settled then
  redis.call('DEL', OPEN, SETTLED, STATE, LINE, LEASES, RECENT)
  redis.call('HSET', STATE, 'server', server)
  open, settled, stored = 0, 0, {}
  state = {
    seen = now, open_from = now, newest = 0, failures = 0,
    earliest = 0, since = 0, level = N * P, at = now, sure = 0, doubt = 0,
    place = 0, waiting = 0, limit = N, oracle_at = 0, oracle_count = 0,
  }
  if redis.call('DEL', FRESH) == 0 then
    state.open_from = bucket and given_up(now) + P or release(given_up(now))
    state.doubt = N - 1
  end
end
now = math.max(now, state.seen)
state.seen = now

-- Calls per window that are allowed at `time`.
local function limit_at(time)
  local limit = math.min(N, state.told or N)
  if state.room and time < state.room_until then limit = math.min(limit, state.room) end
  if state.cap and time < state.cap_until then limit = math.min(limit, state.cap) end
  return math.max(limit, 1)
end
