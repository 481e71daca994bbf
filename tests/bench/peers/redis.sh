# A Redis of our own; its driver is bench_redis, see redis.c. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

# start_redis TOKENS: a server with a hash for each token; prints what loading them has cost, {"keys", "seconds", "memory_bytes"}.
# In its favour: nothing is ever written to a disk. Its limits for small hashes are left as they come: with
# hash-max-listpack-value 256 it takes half of the memory, and a little more processor time a verdict.
start_redis() {
	mkdir -p "$dir/redis"
	rm -f "$dir/redis.sock"
	redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir/redis" --save '' --appendonly no \
		--loglevel warning >"$dir/redis.log" 2>&1 &
	redis_pid=$!
	keep "kill $redis_pid"
	until_there "$dir/redis.sock" "$redis_pid" || { cat "$dir/redis.log" >&2; return 1; }
	"$bin"/bench_redis load "$dir/redis.sock" "$1"
}

stop_redis() {
	end_server "$redis_pid"
}
