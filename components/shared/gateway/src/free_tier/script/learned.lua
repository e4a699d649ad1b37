-- What answers teach: `learned.rs`.

local WHOLE_SECONDS, CAP_WINDOWS, MOVES = 1000, 10, 3600000

local function limit_told(limit)
  state.told = nil
  if limit < N then state.told = math.max(limit, 1) end
end

local function remaining_told(used, given_since, remaining, reset)
  local room = math.max(used + given_since + remaining, 1)
  local known, known_until = state.room, state.room_until
  if known and now >= known_until then known = nil end
  state.room = nil
  local others = limit_at(now)
  state.room = known
  if room >= others then return end
  local calls, until_time = math.min(room, known or room), now + math.max(reset or 0, P) + WHOLE_SECONDS
  -- What only lasts a little longer is not worth a change.
  if not known or calls < known or 2 * (until_time - known_until) >= P then
    state.room, state.room_until = calls, until_time
  end
end

local function refusal_teaches(used)
  local limit = limit_at(now)
  if used <= limit then
    state.cap = math.max(used - 1, math.floor(limit / 2), 1)
    state.cap_until = now + math.max(P, B) * CAP_WINDOWS
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
local function learn(s, number, used, probed, was_held, was_refused)
  local limit, remaining = tonumber(ARGV[16]), tonumber(ARGV[17])
  local reset, date = tonumber(ARGV[18]), tonumber(ARGV[19])
  if limit then limit_told(limit) end
  -- A provider that counts over any time has no window that r could be of.
  if remaining and was_held and not counting then
    remaining_told(used, state.newest - number, remaining, reset)
  end
  -- A probe may be refused because the block lasts; so may be what was sent before it was known.
  local known = state.cause == 2 and state.block and now < state.block
  if was_refused and was_held and used > 0 and not probed and not known then
    refusal_teaches(used)
  end
  local moved = aligned and date and date_told(s, date)
  heed()
  return moved
end
