-- Makes a stream known, if there is room for it or the limits are negative, or says how far it is known.
-- ARGV: prefix, id, replica, caller, max of the caller, max in total, life, keep (ms), age (ms), then fields and values.
-- Returns {the last number, 1 if it has ended, 1 if it has been deleted}; -1 where there is no room for the caller, -2 in total, -3 if another has ended it.
local id, replica, caller = ARGV[2], ARGV[3], ARGV[4]
local now, life, keep = clock(), tonumber(ARGV[7]), tonumber(ARGV[8])

local known = redis.call('HMGET', about(id), 'last', 'replica', 'ended_by', 'deleted')
if known[1] then
    if known[2] ~= replica or (known[3] and known[3] ~= replica) then return -3 end
    redis.call('HSET', about(id), unpack(ARGV, 10))
    return {tonumber(known[1]), known[3] and 1 or 0, known[4] and 1 or 0}
end

local function make_room(set, ended, max)
    redis.call('ZREMRANGEBYSCORE', set, '-inf', now)
    redis.call('ZREMRANGEBYSCORE', ended, '-inf', now - keep)
    while max >= 0 and redis.call('ZCARD', set) >= max do
        local eldest = redis.call('ZRANGE', ended, 0, 0)[1]
        if not eldest then return false end
        local whose = forget(eldest)
        redis.call('ZREM', ended, eldest)
        redis.call('ZREM', set, eldest)
        if whose then tell(whose, 'forget', eldest) end
    end
    return true
end
if not make_room(streams_of(caller), ended_of(caller), tonumber(ARGV[5])) then return -1 end
if not make_room(all, all_ended, tonumber(ARGV[6])) then return -2 end

redis.call('HSET', about(id), 'replica', replica, 'caller', caller, 'begun', now - tonumber(ARGV[9]),
    'state', 'running', 'last', 0, 'readers', 0, 'bytes', 0, unpack(ARGV, 10))
redis.call('PEXPIRE', about(id), life)
for _, set in ipairs({all, streams_of(caller)}) do
    redis.call('ZADD', set, now + life, id)
    redis.call('PEXPIRE', set, life)
end
redis.call('SADD', running_at(replica), id)
redis.call('PEXPIRE', running_at(replica), life)
return {0, 0, 0}
