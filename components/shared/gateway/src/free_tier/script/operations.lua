-- The operations.

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
  local probe = state.probe == number
  if probe then state.probe = nil end
  -- A slot whose outcome is unknown counts as ending when it must have: it is held so already.
  local was_held = outcome ~= 'unknown' and redis.call('ZREM', OPEN, slot) == 1
  if was_held then open = open - 1 end

  local function finish()
    if bucket then
      charge(now)
    else
      redis.call('ZADD', SETTLED, whole(release(now)), slot)
      settled = settled + 1
    end
  end

  if outcome == 'answered' then
    answered(probe)
    if was_held then
      finish()
      if anchored and s >= state.since and not state.witness then state.witness = now end
    end
  elseif outcome == 'refused' then
    refused(now + math.max(retry_after, B))
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
  else
    failed(probe)
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
