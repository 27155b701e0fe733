-- Writes down what a stream has grown by. Written twice, it is there once.
-- ARGV: prefix, id, replica, first number kept, number of the first frame, readers, bytes, state at the end or '', keep (ms), then frames.
-- Returns the last number; -1 if the stream is not known, -2 if another has ended it.
local id, replica, number = ARGV[2], ARGV[3], tonumber(ARGV[5])
local known = redis.call('HMGET', about(id), 'last', 'replica', 'ended_by')
if not known[1] then return -1 end
if known[2] ~= replica or (known[3] and known[3] ~= replica) then return -2 end
local last = tonumber(known[1])
for at = 10, #ARGV do
    if number > last then
        redis.call('XADD', frames(id), string.format('%.0f-0', number), 'frame', ARGV[at])
        last = number
    end
    number = number + 1
end
if redis.call('TTL', frames(id)) == -1 then redis.call('PEXPIRE', frames(id), redis.call('PTTL', about(id))) end
if tonumber(ARGV[4]) > 1 then redis.call('XTRIM', frames(id), 'MINID', string.format('%.0f-0', tonumber(ARGV[4]))) end
redis.call('HSET', about(id), 'last', last, 'readers', ARGV[6], 'bytes', ARGV[7])
if ARGV[8] ~= '' and not known[3] then finish(id, ARGV[8], replica, tonumber(ARGV[9])) end
return last
