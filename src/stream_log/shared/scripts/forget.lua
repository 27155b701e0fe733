-- Forgets a stream. ARGV: prefix, id.
forget(ARGV[2])
return 1
