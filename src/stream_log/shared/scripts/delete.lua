-- Makes a stream unknown and tells its producer to stop it. What it writes until then is for those who read it now.
-- ARGV: prefix, id. Returns 1 if it was known.
local id = ARGV[2]
local known = redis.call('HMGET', about(id), 'caller', 'replica')
if not known[1] then return 0 end
redis.call('HSET', about(id), 'deleted', 1)
redis.call('PEXPIRE', about(id), 60000)
redis.call('PEXPIRE', frames(id), 60000)
redis.call('ZREM', all, id)
redis.call('ZREM', all_ended, id)
redis.call('ZREM', streams_of(known[1]), id)
redis.call('ZREM', ended_of(known[1]), id)
tell(known[2], 'stop', id)
return 1
