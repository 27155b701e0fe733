-- Ends a stream whose replica is gone, with a frame that says so.
-- ARGV: prefix, id, the lost replica, who says so, the last number that was seen (-1: end it without a word), keep (ms), frame.
-- Returns 1 if that was done or is not to be done, 0 if the stream has grown and must be looked at again.
local id, lost, last = ARGV[2], ARGV[3], tonumber(ARGV[5])
local known = redis.call('HMGET', about(id), 'last', 'replica', 'state')
if not known[1] or known[2] ~= lost or known[3] ~= 'running' then
    redis.call('SREM', running_at(lost), id)
    return 1
end
if last >= 0 then
    if tonumber(known[1]) ~= last then return 0 end
    redis.call('XADD', frames(id), string.format('%.0f-0', last + 1), 'frame', ARGV[7])
    redis.call('HSET', about(id), 'last', last + 1)
end
finish(id, 'finished', ARGV[4], tonumber(ARGV[6]))
return 1
