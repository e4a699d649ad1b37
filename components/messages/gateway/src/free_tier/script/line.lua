-- The line: `wait_queue.rs`.

local ASK_AGAIN, LEASE, LONGEST = 1000, 3000, 10000

if state.waiting > 0 then
  local lapsed = redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now))
  for _, id in ipairs(lapsed) do redis.call('ZREM', LINE, id) end
  if #lapsed > 0 then redis.call('ZREMRANGEBYSCORE', LEASES, '-inf', whole(now)) end
  state.waiting = redis.call('ZCARD', LINE)
end

-- How many stand before this message, in line or not.
local function before(id)
  return state.waiting > 0 and redis.call('ZRANK', LINE, id) or state.waiting
end

local function join(id)
  if not (state.waiting > 0 and redis.call('ZSCORE', LINE, id)) then
    if state.waiting >= LONGEST then return false end
    state.place = state.place + 1
    redis.call('ZADD', LINE, whole(state.place), id)
    state.waiting = state.waiting + 1
  end
  redis.call('ZADD', LEASES, whole(now + LEASE), id)
  -- Much longer than any lease: in virtual time the keys live by another clock.
  redis.call('PEXPIRE', LINE, 600000)
  redis.call('PEXPIRE', LEASES, 600000)
  return true
end

local function leave(id)
  if state.waiting > 0 and redis.call('ZREM', LINE, id) == 1 then
    redis.call('ZREM', LEASES, id)
    state.waiting = state.waiting - 1
  end
end
