-- The free tier's counter in Redis: the rules of `ledger.rs`, which says why they hold, in one script. Its
-- parts are joined in `redis.rs`.
--
-- KEYS  state (one packed string), open and settled slots (sorted sets by release time), the mark of a fresh provider,
--       the line by number and by lease (sorted sets of message ids), the figures (hash), the oracle's latest
--       calls (list)
-- ARGV  operation, time or '' for the server's own, model, N, P, B, T, u (milliseconds), how many kinds of
--       things are counted, and
--       to reserve: the message's id, how long it would wait in milliseconds or '', 1 when it asks first
--       to record: the kinds to count
--       to settle: the slot's reservation time, number, `used` and `probes`, the outcome, for how long the
--       provider is to be left alone in milliseconds; of what its response told, or '': q, r, t in
--       milliseconds, its time; 1 when r is counted over another window, q of its policy; the kinds to count
--
-- Answers are whole numbers, the time first:
--   reserve  {time, 1, number, remaining, used, probes}, {time, 0, reason, reopens at} or
--            {time, 2, ask again at}
--   settle   {time, reason or 0, reopens at}, always 0 when all went well
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

-- The state is one packed string: as a hash of its fields it takes the server twice as long. The names are those
-- of `State` in `ledger.rs`. Of the breaker: `block` is its deadline, `cause` a reason. Of what is learned:
-- `room` and `cap` are bounds with `_since` and `_until`, `least`, `most` and `moved_at` are the phase.
local packed, state = redis.call('GET', STATE)
if packed then
  local read, value = pcall(cmsgpack.unpack, packed)
  state = read and type(value) == 'table' and value
end
state = state or {}

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
local lost = not state.oracle_at or state.open ~= open or state.settled ~= settled
-- Another server, or this one started anew, may know an old state that lacks the newest slots. Who asks for a
-- slot looks whose it is; what was settled before in a state that is not this server's goes with it.
local server = state.server
if lost or operation == 'reserve' or operation == 'status' then
  local info = redis.pcall('INFO', 'server')
  server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
end

if lost or state.server ~= server then
  redis.call('DEL', OPEN, SETTLED, STATE, LINE, LEASES, RECENT)
  open, settled = 0, 0
  state = {
    server = server, seen = now, open_from = now, newest = 0, failures = 0,
    earliest = 0, since = 0, level = N * P, at = now, sure = 0, doubt = 0,
    place = 0, waiting = 0, limit = N, oracle_at = 0, oracle_count = 0,
  }
  if redis.call('DEL', FRESH) == 0 then
    state.open_from = bucket and given_up(now) + P or release(given_up(now))
    if counting then state.doubt = N - 1 end
  end
end
now = math.max(now, state.seen)
state.seen = now

-- Calls per window that are allowed at `time`, without what only lasts until the next reset.
local function lasting_limit(time)
  local limit = math.min(N, state.told or N)
  if state.cap and time < state.cap_until then limit = math.min(limit, state.cap) end
  return math.max(limit, 1)
end

-- The same with it.
local function limit_at(time)
  local limit = lasting_limit(time)
  if state.room and time < state.room_until then limit = math.min(limit, state.room) end
  return limit
end
