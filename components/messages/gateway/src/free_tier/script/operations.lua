-- The operations.

local answer

if operation == 'reserve' then
  local id, patience = ARGV[10], tonumber(ARGV[11])
  if ARGV[12] == '1' and not oracle_sends() then count(ORACLE) end
  local reason, reopens_at = closed()
  local ahead = before(id)
  -- A single probe; a lone call is one, too.
  local room = state.block and 1 or math.max(remaining(), 1)
  if reason == 0 and ahead < room then
    leave(id)
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
    local left = remaining()
    local used = state.doubt > 0 and 0 or state.limit - left
    answer = { now, 1, state.newest, math.max(left, 0), used, probes }
  else
    local in_time
    if reason == 0 then
      -- Those before it come for what is left.
      reason, reopens_at, in_time = 1, now + ASK_AGAIN, true
    else
      if reason == 1 and anchored and held() >= lasting_limit(now) then state.full = 1 end
      in_time = patience and reopens_at <= now + patience
    end
    if in_time and patience and patience > 0 and join(id) then
      answer = { now, 2, math.min(reopens_at, now + ASK_AGAIN, now + patience) }
    else
      leave(id)
      answer = { now, 0, reason, reopens_at }
    end
  end
elseif operation == 'settle' then
  local s, number, used = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
  local probed, outcome, wait = ARGV[13] == '1', ARGV[14], tonumber(ARGV[15])
  if outcome == 'refused' then count(BLOCKED) end
  tally(22)
  local slot = name(s, number)
  -- A slot whose outcome is unknown counts as ending when it must have: it is held so already.
  local ends = outcome == 'answered' or outcome == 'refused' or outcome == 'not_sent' or outcome == 'unused'
  local was_held = ends and redis.call('ZREM', OPEN, slot) == 1
  if was_held then open = open - 1 end
  local probe = state.probe == number
  local moved = learn(s, number, used, probed, was_held, outcome)
  if probe then state.probe = nil end

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
    refused(now + math.max(wait, B))
    if was_held and counting then
      release_settled(release(s))
      state.sure, state.doubt, state.anew_after = 0, 0, state.newest
    elseif was_held then
      finish()
    end
  elseif outcome == 'overloaded' then
    refused(now + wait)
  elseif outcome == 'rejected' then
    rejected(probe)
  elseif outcome == 'unused' then
    unused(probe)
  else
    failed(probe)
  end
  -- What was reserved before lies in windows that were taken to be elsewhere.
  if moved then refused(release(given_up(now))) end
  if outcome == 'answered' then answer = { now, 0, 0 } else answer = { now, closed() } end
elseif operation == 'record' then
  tally(10)
  answer = { now }
elseif operation == 'figures' then
  answer = figures()
else
  local reason, reopens_at = closed()
  local left = math.min(math.max(remaining(), 0), state.limit)
  local window_start, window_end = now - P, first_release()
  if window_end == math.huge then window_end = now end
  if aligned then
    local least, most = ahead()
    local middle = math.floor((least + most) / 2)
    window_start = math.floor((now + middle) / P) * P - middle
    window_end = window_start + P
  elseif anchored and held() > 0 then
    window_start, window_end = state.earliest, (state.witness or state.earliest) + P
  end
  local free = reason == 0 and math.max(left - state.waiting, 0) or 0
  local limit = lasting_limit(now)
  answer = { now, limit, state.limit - left, free, window_start, window_end, reason, reopens_at }
end

-- Kept for a month longer than anything in it matters, so that a quiet time is not taken for a loss.
state.open, state.settled = open, settled
local closed_for = math.max(state.block or now, state.open_from) - now
local lifetime = whole(math.max(closed_for, 2 * P, B) + T + u + MONTH)
redis.call('SET', STATE, cmsgpack.pack(state), 'PX', lifetime)
if open > 0 then redis.call('PEXPIRE', OPEN, lifetime) end
if settled > 0 then redis.call('PEXPIRE', SETTLED, lifetime) end

return answer
