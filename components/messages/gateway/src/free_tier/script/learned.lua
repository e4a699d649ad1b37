-- What answers teach: `learned.rs`.

local WHOLE_SECONDS, CAP_WINDOWS, MOVES = 1000, 10, 3600000

-- Whether a call sent at `s` that found so many calls allowed proves a bound wrong: only one sent later can.
local function is_disproved(calls, since, allowed, s) return (since or 0) <= s and calls < allowed end

local function raise_cap(allowed, s)
  if state.cap and is_disproved(state.cap, state.cap_since, allowed, s) then
    state.cap = allowed < N and allowed or nil
  end
end

local function limit_told(limit, s)
  state.told = nil
  if limit < N then state.told = math.max(limit, 1) end
  raise_cap(limit, s)
end

local function room_proved(calls, until_time)
  local lasts = state.room and state.room_until
  if not lasts or until_time > lasts + WHOLE_SECONDS then lasts = until_time end
  if not state.room or calls < state.room then state.room, state.room_since = calls, now end
  state.room_until = lasts
end

local function remaining_told(s, held, left, reset, is_foreign, quota)
  local most = held + left
  if quota and quota >= held then most = math.min(most, math.max(quota, 1)) end
  local until_time = now + P
  if reset then until_time = now + reset elseif aligned then until_time = release(now) end
  if state.shut and now >= state.shut then state.shut = nil end
  is_foreign = is_foreign or reset and reset > P
  if not is_foreign then
    if state.room and (now >= state.room_until or is_disproved(state.room, state.room_since, left + 1, s)) then
      state.room = nil
    end
    raise_cap(left + 1, s)
    if most >= lasting_limit(now) then return end
  end
  if left == 0 then
    if until_time > now then state.shut = math.max(state.shut or 0, until_time) end
  elseif not is_foreign then
    room_proved(most, until_time)
  end
end

local function refusal_teaches(used)
  local limit = limit_at(now)
  if used <= limit then
    state.cap, state.cap_since = math.max(used - 1, math.floor(limit / 2), 1), now
    state.cap_until = now + math.max(P, B) * CAP_WINDOWS
  end
end

-- A call that is over was told how many are left. If the provider had no other meanwhile, that tells where its
-- count stood.
local function count_told(s, number, left)
  local alone = open == 0 and state.newest == number
  if alone and (settled == 0 or score_at(SETTLED, -1) <= s + B) then
    state.sure, state.doubt = math.max(state.limit - left - 1 - held(), 0), 0
  end
end

-- True when the windows move.
local function date_told(s, date)
  local least, most = date - now, date + WHOLE_SECONDS - 1 - s
  local known_least, known_most = ahead()
  if most < known_least or known_most < least then
    if state.moved_at and state.moved_at + MOVES > now then return false end
    state.least, state.most, state.moved_at = least, most, now
    return true
  end
  if state.moved_at then
    least, most = math.max(state.least, least), math.min(state.most, most)
    if least <= most and 4 * (most - least) <= 3 * (state.most - state.least) then
      state.least, state.most = least, most
    end
  end
  return false
end

-- Learns from what the provider told, and from a refusal. True when its windows turn out to lie elsewhere.
local function learn(s, number, used, probed, was_held, outcome)
  local limit, left = tonumber(ARGV[16]), tonumber(ARGV[17])
  local reset, date, is_foreign = tonumber(ARGV[18]), tonumber(ARGV[19]), ARGV[20] == '1'
  if limit then limit_told(limit, s) end
  -- A provider that counts over any time has no window that r could be of.
  if left and was_held and not counting then
    remaining_told(s, used + state.newest - number, left, reset, is_foreign, tonumber(ARGV[21]))
  end
  -- A probe may be refused because the block lasts; so may be what was sent before it was known.
  local known = state.cause == 2 and state.block and now < state.block
  if outcome == 'refused' and was_held and used > 0 and not probed and not known and not is_foreign then
    refusal_teaches(used)
  end
  local moved = aligned and date and date_told(s, date)
  heed()
  if left and was_held and counting and outcome == 'answered' and not is_foreign then
    count_told(s, number, left)
  end
  return moved
end
