-- Slots: held, released, and when one is to be had.

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

-- Of the settled slots that are over, how many may be out of the provider's count: it began anew after them.
local function settled_before_anew()
  local found = 0
  if state.anew_after then
    for _, slot in ipairs(redis.call('ZRANGEBYSCORE', SETTLED, '-inf', whole(now))) do
      if tonumber(string.match(slot, '%d+$')) <= state.anew_after then found = found + 1 end
    end
  end
  return found
end

-- By the limit at the time it was last refilled, which is the lower one if it rises meanwhile.
local function refill(at)
  local flowed = math.min(math.max(at - state.at, 0), P) * state.limit
  state.level = math.min(state.level + flowed, state.limit * P)
  state.at = math.max(state.at, at)
end

local function charge(at)
  refill(at)
  state.level = state.level - P
end

-- Brings the limit in force to bear.
local function heed()
  local limit = limit_at(now)
  if counting and limit < state.limit and state.sure + state.doubt + held() >= limit then
    -- The provider may have begun to count anew, and who knows when.
    state.sure, state.doubt = 0, limit - 1
  end
  -- How full a smaller bucket is that was refilled more slowly, nobody knows.
  if limit < state.limit then state.level = math.min(state.level, 0) end
  state.limit = limit
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
  local before_anew = counting and settled > 0 and settled_before_anew() or 0
  local doubtful = (open > 0 and release_open(now) or 0) + before_anew
  local sure = (settled > 0 and release_settled(now) or 0) - before_anew
  if counting then
    state.sure = (state.sure + sure) % state.limit
    state.doubt = math.min(state.doubt + doubtful, state.limit)
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
heed()

local function remaining()
  if bucket then return math.floor(state.level / P) - held() end
  if counting then return state.limit - state.sure - state.doubt - held() end
  return state.limit - held()
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
    local full = now + math.ceil(((held() + 1) * P - state.level) / state.limit)
    return held() < state.limit and full or math.max(full, first)
  end
  if anchored and state.witness and first < state.earliest + 2 * P then
    return math.min(first, state.witness + P)
  end
  return first
end

-- Until when there is no slot; nothing when there is one.
local function full()
  local taken
  if state.full and state.witness then
    taken = state.witness + P
  elseif remaining() < 1 and not (counting and held() == 0) then
    taken = next_release()
  end
  if state.shut and now < state.shut then taken = math.max(taken or 0, state.shut) end
  return taken
end

-- The reason why no slot is given and when that ends, the latest of what stands in the way; 0 when one is.
local function closed()
  local blocked, cause = state.open_from, 2
  if state.block and state.block > blocked then blocked, cause = state.block, state.cause end
  local taken = full()
  if blocked > now then return cause, math.max(blocked, taken or 0) end
  if taken then return 1, taken end
  return 0, 0
end

local function name(s, number) return whole(s) .. '-' .. whole(number) end
