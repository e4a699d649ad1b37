-- The breaker: `breaker.rs`.

local FAILURES, COOL_DOWN, LONGEST_COOL_DOWN = 5, 5000, 60000

local function refused(until_time)
  state.failures = 0
  -- Who probes now has no say any more.
  state.probe = nil
  if not state.block or state.block < until_time then state.block, state.cause = until_time, 2 end
end

local function failed(probe)
  if probe then
    state.failures = math.max(state.failures + 1, FAILURES)
  elseif not state.block then
    state.failures = state.failures + 1
  else
    return
  end
  if state.failures >= FAILURES then
    local doublings = math.min(state.failures - FAILURES, 16)
    state.block, state.cause = now + math.min(COOL_DOWN * 2 ^ doublings, LONGEST_COOL_DOWN), 3
  end
end

local function unused(probe)
  if probe then state.block = now end
end

local function answered(probe)
  state.failures = 0
  if probe then state.block = nil end
end

-- A message that is refused says nothing of others: only a probe learns that the provider is there.
local function rejected(probe)
  if probe then answered(probe) end
end
