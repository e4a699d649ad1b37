-- The free tier's counter in Redis: the rules of `ledger.rs`, which says why they hold, in one script.
--
-- KEYS  state (hash), open and settled slots (sorted sets by release time), the mark of a fresh provider
-- ARGV  operation, time or '' for the server's own, model, N, P, B, T, u (milliseconds), and to settle:
--       the slot's reservation time and number, the outcome, the provider's Retry-After in milliseconds
--
-- Answers are whole numbers, the time first:
--   reserve  {time, 1, number, remaining, probes} or {time, 0, reason, reopens at}
--   settle   {time}
--   status   {time, used, remaining, window start, window end, reason or 0, reopens at}
-- Reasons: 1 exhausted, 2 blocked.
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

-- The state --------------------------------------------------------------------------------------------

local FIELDS = { 'seen', 'open_from', 'newest', 'block', 'probe', 'earliest', 'since', 'witness', 'level', 'at',
  'sure', 'doubt', 'open', 'settled', 'full' }
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
  state = { seen = now, open_from = now, newest = 0, earliest = 0, since = 0, level = N * P, at = now,
    sure = 0, doubt = 0 }
  if redis.call('DEL', FRESH) == 0 then
    state.open_from = bucket and given_up(now) + P or release(given_up(now))
    state.doubt = N - 1
  end
end
now = math.max(now, state.seen)
state.seen = now

local function held() return open + settled end

local function release_open(until_time)
  local released = redis.call('ZREMRANGEBYSCORE', OPEN, '-inf', whole(until_time))
  open = open - released
  return released
end

local function release_settled(until_time)
  local released = redis.call('ZREMRANGEBYSCORE', SETTLED, '-inf', whole(until_time))
  settled = settled - released
  return released
end

local function refill(at)
  local flowed = math.min(math.max(at - state.at, 0), P) * N
  state.level = math.min(state.level + flowed, N * P)
  state.at = math.max(state.at, at)
end

local function charge(at)
  refill(at)
  state.level = state.level - P
end

-- Time moves forward: what is over is released.
if bucket then
  if open > 0 then
    local gone = redis.call('ZRANGEBYSCORE', OPEN, '-inf', whole(now), 'WITHSCORES')
    for index = 2, #gone, 2 do charge(tonumber(gone[index])) end
    if #gone > 0 then release_open(now) end
  end
  refill(now)
else
  local doubtful = open > 0 and release_open(now) or 0
  local sure = settled > 0 and release_settled(now) or 0
  if counting then
    state.sure = (state.sure + sure) % N
    state.doubt = math.min(state.doubt + doubtful, N)
  elseif anchored and state.witness and state.witness + P <= now then
    release_open(state.earliest + 2 * P - 1)
    release_settled(state.earliest + 2 * P - 1)
    local first = now
    for _, key in ipairs({ OPEN, SETTLED }) do
      -- The names of slots begin with their reservation time.
      for _, slot in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        first = math.min(first, tonumber(string.match(slot, '^%d+')))
      end
    end
    state.earliest, state.since = math.max(first, state.earliest + P), now
    state.witness, state.full = nil, nil
  end
end

local function remaining()
  if bucket then return math.floor(state.level / P) - held() end
  if counting then return N - state.sure - state.doubt - held() end
  return N - held()
end

local function score_at(key, index)
  return tonumber(redis.call('ZRANGE', key, index, index, 'WITHSCORES')[2])
end

local function first_release()
  return math.min(score_at(OPEN, 0) or math.huge, score_at(SETTLED, 0) or math.huge)
end

-- When the next slot becomes free if no open call's end is told before.
local function next_release()
  if counting then return math.max(score_at(OPEN, -1) or now, score_at(SETTLED, -1) or now) end
  local first = first_release()
  if first == math.huge then first = now end
  if bucket then
    local full = now + math.ceil(((held() + 1) * P - state.level) / N)
    return held() < N and full or math.max(full, first)
  end
  if anchored and state.witness and first < state.earliest + 2 * P then
    return math.min(first, state.witness + P)
  end
  return first
end

-- The reason why no slot is given and when that ends; 0 when one is.
local function closed()
  local blocked = math.max(state.block or 0, state.open_from)
  if blocked > now then return 2, blocked end
  if state.full and state.witness then return 1, state.witness + P end
  if remaining() < 1 and not (counting and held() == 0) then return 1, next_release() end
  return 0, 0
end

local function name(s, number) return whole(s) .. '-' .. whole(number) end

-- The operations ---------------------------------------------------------------------------------------

local answer

if operation == 'reserve' then
  local reason, reopens_at = closed()
  if reason ~= 0 then
    if reason == 1 and anchored then state.full = 1 end
    answer = { now, 0, reason, reopens_at }
  else
    if anchored and held() == 0 then
      state.earliest, state.since, state.witness, state.full = now, now, nil, nil
    end
    state.newest = state.newest + 1
    local probes = 0
    if state.block then
      state.block, state.probe, probes = given_up(now), state.newest, 1
    end
    redis.call('ZADD', OPEN, whole(release(given_up(now))), name(now, state.newest))
    open = open + 1
    answer = { now, 1, state.newest, math.max(remaining(), 0), probes }
  end
elseif operation == 'settle' then
  local s, number, outcome, retry_after = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
  local slot = name(s, number)
  local own_probe = state.probe == number
  local was_held = redis.call('ZREM', OPEN, slot) == 1
  if was_held then open = open - 1 end

  local function finish()
    if bucket then
      charge(now)
    else
      redis.call('ZADD', SETTLED, whole(release(now)), slot)
      settled = settled + 1
    end
  end

  if outcome == 'not_sent' then
    if own_probe then state.block, state.probe = now, nil end
  elseif outcome == 'answered' then
    if own_probe then state.block, state.probe = nil, nil end
    if was_held then
      finish()
      if anchored and s >= state.since and not state.witness then state.witness = now end
    end
  elseif outcome == 'refused' then
    state.block = math.max(state.block or 0, now + math.max(retry_after, B))
    state.probe = nil
    if was_held and counting then
      release_settled(release(s))
      local others = redis.call('ZRANGE', SETTLED, 0, -1, 'WITHSCORES')
      for index = 1, #others, 2 do
        -- Another name: nobody settles it again.
        redis.call('ZADD', OPEN, others[index + 1], others[index] .. '-settled')
      end
      redis.call('DEL', SETTLED)
      open, settled = open + settled, 0
      state.sure, state.doubt = 0, 0
    elseif was_held then
      finish()
    end
  end
  answer = { now }
else
  local reason, reopens_at = closed()
  local left = math.min(math.max(remaining(), 0), N)
  local window_start, window_end = now - P, first_release()
  if window_end == math.huge then window_end = now end
  if aligned then
    window_start = math.floor(now / P) * P
    window_end = window_start + P
  elseif anchored and held() > 0 then
    window_start, window_end = state.earliest, (state.witness or state.earliest) + P
  end
  answer = { now, N - left, reason == 0 and left or 0, window_start, window_end, reason, reopens_at }
end

-- Kept for a month longer than anything in it matters, so that a quiet time is not taken for a loss.
state.open, state.settled = open, settled
local kept, gone = {}, {}
for _, field in ipairs(FIELDS) do
  if state[field] then
    kept[#kept + 1] = field
    kept[#kept + 1] = whole(state[field])
  else
    gone[#gone + 1] = field
  end
end
redis.call('HSET', STATE, 'server', server, unpack(kept))
if #gone > 0 then redis.call('HDEL', STATE, unpack(gone)) end
local lifetime = whole(math.max((state.block or now) - now, state.open_from - now, 2 * P, B) + T + u + 2592000000)
redis.call('PEXPIRE', STATE, lifetime)
if open > 0 then redis.call('PEXPIRE', OPEN, lifetime) end
if settled > 0 then redis.call('PEXPIRE', SETTLED, lifetime) end

return answer
