-- What all scripts share. Keys are computed from names, so a Redis cluster will not do; README says so.
local prefix = ARGV[1]
local all, all_ended = prefix .. ':streams', prefix .. ':ended'
local function about(id) return prefix .. ':{' .. id .. '}:about' end
local function frames(id) return prefix .. ':{' .. id .. '}:frames' end
local function streams_of(caller) return prefix .. ':streams:' .. caller end
local function ended_of(caller) return prefix .. ':ended:' .. caller end
local function running_at(replica) return prefix .. ':running:' .. replica end

local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Says something to a replica. One that is gone does not hear it, and its key does not stay.
local function tell(replica, what, id)
    local key = prefix .. ':control:' .. replica
    redis.call('XADD', key, 'MAXLEN', '~', 10000, '*', 'do', what, 'id', id)
    redis.call('PEXPIRE', key, 60000)
end

-- Takes a stream out of what counts.
local function discount(id, caller, replica)
    redis.call('ZREM', all, id)
    redis.call('ZREM', all_ended, id)
    if caller then
        redis.call('ZREM', streams_of(caller), id)
        redis.call('ZREM', ended_of(caller), id)
    end
    if replica then redis.call('SREM', running_at(replica), id) end
end

-- Forgets a stream, and returns whose it was.
local function forget(id)
    local known = redis.call('HMGET', about(id), 'caller', 'replica')
    redis.call('DEL', about(id), frames(id))
    discount(id, known[1], known[2])
    return known[2]
end

-- Ends a stream, for everybody and for good.
local function finish(id, state, by, keep)
    local known = redis.call('HMGET', about(id), 'last', 'caller', 'replica', 'deleted')
    local now = clock()
    redis.call('XADD', frames(id), string.format('%.0f-1', tonumber(known[1])), 'end', state)
    redis.call('HSET', about(id), 'state', state, 'ended', now, 'ended_by', by)
    redis.call('SREM', running_at(known[3]), id)
    if known[4] then
        -- Only for readers that are still to be told.
        keep = 10000
    else
        redis.call('ZADD', all, now + keep, id)
        redis.call('ZADD', streams_of(known[2]), now + keep, id)
        redis.call('ZADD', all_ended, now, id)
        redis.call('ZADD', ended_of(known[2]), now, id)
    end
    redis.call('PEXPIRE', about(id), keep)
    redis.call('PEXPIRE', frames(id), keep)
end
