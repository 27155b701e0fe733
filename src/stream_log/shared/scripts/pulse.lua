-- Shows that a replica lives, and what its streams cost; returns the same of the others: {replica, last pulse, {caller, bytes, …}}.
-- ARGV: prefix, replica, then callers and bytes.
local replica = ARGV[2]
local replicas = prefix .. ':replicas'
local function bytes(of) return prefix .. ':bytes:' .. of end
redis.call('ZADD', replicas, clock(), replica)
redis.call('DEL', bytes(replica))
if #ARGV > 2 then
    redis.call('HSET', bytes(replica), unpack(ARGV, 3))
    redis.call('PEXPIRE', bytes(replica), 5000)
end
local others = {}
local known = redis.call('ZRANGE', replicas, 0, -1, 'WITHSCORES')
for at = 1, #known, 2 do
    if known[at] ~= replica then
        table.insert(others, {known[at], known[at + 1], redis.call('HGETALL', bytes(known[at]))})
    end
end
return others
