-- What became of the messages: `stats.rs`, `history.rs` and `oracle.rs`. The hash holds the counts of all
-- time as `total:kind`, and those of the newest windows as `place:kind` in a ring of places, with the
-- window's number at `place`.

local WINDOWS, MONTH = 60, 2592000000
local ORACLE, BLOCKED = 0, 1

local function count(kind)
  local window = math.floor(now / P)
  local place = window % WINDOWS
  if tonumber(redis.call('HGET', FIGURES, place) or '') ~= window then
    local stale = {}
    for other = 0, KINDS - 1 do stale[#stale + 1] = place .. ':' .. other end
    redis.call('HDEL', FIGURES, unpack(stale))
    redis.call('HSET', FIGURES, place, whole(window))
    redis.call('PEXPIRE', FIGURES, whole(WINDOWS * P + MONTH))
  end
  redis.call('HINCRBY', FIGURES, place .. ':' .. kind, 1)
  redis.call('HINCRBY', FIGURES, 'total:' .. kind, 1)
end

-- The tally of a message: the kinds from this argument on.
local function tally(first)
  for index = first, #ARGV do count(ARGV[index]) end
end

local function values_at(place, answer)
  local fields = {}
  for kind = 0, KINDS - 1 do fields[#fields + 1] = place .. ':' .. kind end
  for _, value in ipairs(redis.call('HMGET', FIGURES, unpack(fields))) do
    answer[#answer + 1] = tonumber(value or '0')
  end
end

-- Waiting, the counts of all time, and for each window its start and counts, newest first.
local function figures()
  local answer = { now, state.waiting }
  values_at('total', answer)
  local window = math.floor(now / P)
  for number = window, window - WINDOWS + 1, -1 do
    local place = number % WINDOWS
    if tonumber(redis.call('HGET', FIGURES, place) or '') == number then
      answer[#answer + 1] = number * P
      values_at(place, answer)
    end
  end
  return answer
end

-- Whether the oracle sends a message of now free.
local function oracle_sends()
  local at, calls = state.oracle_at, state.oracle_count
  local room
  if model == 'sliding' then
    local first = redis.call('LINDEX', RECENT, 0)
    while first and first + P <= now do
      redis.call('LPOP', RECENT)
      first = redis.call('LINDEX', RECENT, 0)
    end
    if redis.call('LLEN', RECENT) >= state.limit then return false end
    redis.call('RPUSH', RECENT, whole(now))
    redis.call('PEXPIRE', RECENT, whole(P + MONTH))
    return true
  elseif aligned then
    local least, most = ahead()
    local start = math.floor((now + math.floor((least + most) / 2)) / P) * P
    if start ~= at then at, calls = start, 0 end
    room = calls < state.limit
    if room then calls = calls + 1 end
  elseif anchored then
    if now >= at + P then at, calls = now, 0 end
    room = calls < state.limit
    if room then calls = calls + 1 end
  elseif bucket then
    calls = math.min(calls + math.min(now - at, P) * state.limit, state.limit * P)
    at, room = now, calls >= P
    if room then calls = calls - P end
  else
    room = now >= at
    if room then calls = calls + 1 end
    if room and calls >= state.limit then at, calls = now + B, 0 end
  end
  state.oracle_at, state.oracle_count = at, calls
  return room
end
