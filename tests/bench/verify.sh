# Verdicts: unary, in batches, by the batching client and in-process, beside peers that do the same or less. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/runs.sh
. tests/bench/runs.sh
for peer in echo grpc postgres redis; do
	# shellcheck source=/dev/null
	. "tests/bench/peers/$peer.sh"
done

# has PROGRAM: whether it was built.
has() {
	[ -x "$bin/$1" ]
}

# The peers, each where its driver was built; those that hold keys are given the same tokens.
start_peers() {
	start_echo "$reply_bytes" 64 "tcp://127.0.0.1:$((port + 1))"
	server_pid[echo-tcp]=$echo_pid
	start_echo "$reply_bytes"
	server_pid[echo-ipc]=$echo_pid
	if has bench_grpc; then
		start_grpc "$reply_bytes"
		server_pid[grpc]=$grpc_pid
	fi
	if has bench_redis; then
		say "Redis is given its keys"
		start_redis "$tokens" >&2
		server_pid[redis]=$redis_pid
	fi
	if has bench_select; then
		say "PostgreSQL is given its keys"
		start_postgres "$tokens" >&2
		server_pid[postgres]=$postgres_pid
	fi
}

stop_peers() {
	end_server "${server_pid[echo-tcp]}"
	end_server "${server_pid[echo-ipc]}"
	[ -z "${server_pid[grpc]:-}" ] || stop_grpc
	[ -z "${server_pid[redis]:-}" ] || stop_redis
	[ -z "${server_pid[postgres]:-}" ] || stop_postgres
}

# The subjects that there are, for the store and the servers that run.
define_subjects() {
	local n tcp=tcp://127.0.0.1:$port
	for n in 1x1 1x32 8x8; do
		local words=("${n%x*}" "${n#*x}" LENGTH RATE)
		local under="${n/x/ x } under way"
		subject "verify-ipc-$n" "Verify, ipc, $under" daemon "$bin/bench_drive" "$url" "$tokens" verify "${words[@]}"
		subject "echo-ipc-$n" "nng echo, ipc, $under" echo-ipc "$bin/bench_drive" "ipc://$dir/echo.sock" "$tokens" echo "${words[@]}"
		subject "verify-tcp-$n" "Verify, tcp, $under" daemon "$bin/bench_drive" "$tcp" "$tokens" verify "${words[@]}" "$store/root"
		subject "echo-tcp-$n" "nng echo, tcp, $under" echo-tcp \
			"$bin/bench_drive" "tcp://127.0.0.1:$((port + 1))" "$tokens" echo "${words[@]}" "$store/root"
	done
	subject grpc-32 "gRPC C++ echo, ipc, 32 under way" grpc \
		"$bin/bench_grpc" drive "unix:$dir/grpc.sock" "$request_bytes" 32 LENGTH RATE 1 1
	for n in 64 1000; do
		subject "batch-$n" "VerifyBatch of $n" daemon "$bin/bench_drive" "$url" "$tokens" "batch:$n" 1 2 LENGTH RATE
	done
	for n in 1 8 64; do
		subject "batching-$n" "batching client, callers: $n" daemon "$bin/bench_verifier" "$url" "$tokens" async "$n" LENGTH RATE
		subject "unary-$n" "Verify by the library, callers: $n" daemon "$bin/bench_verifier" "$url" "$tokens" unary "$n" LENGTH RATE
		subject "batching-threads-$n" "batching client, threads: $n" daemon \
			"$bin/bench_verifier" "$url" "$tokens" threads "$n" LENGTH RATE
		subject "wake-$n" "waking threads: $n" - "$bin/bench_verifier" "$url" "$tokens" wake "$n" LENGTH RATE
	done
	for n in 1 2; do
		subject "local-$n" "in-process, threads: $n" - "$bin/bench_local" "$store/data" "$tokens" "$n" LENGTH RATE packed
	done
	subject local-message "in-process, 1 thread, unpacked" - "$bin/bench_local" "$store/data" "$tokens" 1 LENGTH RATE message
	subject floor "LMDB get + BLAKE2b, one snapshot" - "$bin/bench_floor" "$store/data" "$tokens" 1 LENGTH RATE held
	subject floor-2 "LMDB get + BLAKE2b, 2 threads" - "$bin/bench_floor" "$store/data" "$tokens" 2 LENGTH RATE held
	subject floor-renewed "LMDB get + BLAKE2b, renewed" - "$bin/bench_floor" "$store/data" "$tokens" 1 LENGTH RATE renewed
	subject redis-1 "Redis HMGET + HINCRBY, 1 at a time" redis "$bin/bench_redis" drive "$dir/redis.sock" "$tokens" 1 LENGTH RATE 1
	subject redis-32 "Redis HMGET + HINCRBY, 32 connections" redis \
		"$bin/bench_redis" drive "$dir/redis.sock" "$tokens" 32 LENGTH RATE 1
	# On one connection client and server wait for each other in turn; on two they need not, like a VerifyBatch of which two are
	# under way.
	subject redis-pipelined "Redis HMGET + HINCRBY, pipelined 64" redis \
		"$bin/bench_redis" drive "$dir/redis.sock" "$tokens" 1 LENGTH RATE 64
	subject redis-pipelined-2 "Redis HMGET + HINCRBY, 2 connections, pipelined 64" redis \
		"$bin/bench_redis" drive "$dir/redis.sock" "$tokens" 2 LENGTH RATE 64
	subject select-1 "PostgreSQL SELECT, 1 at a time" postgres "$bin/bench_select" drive "$dir/postgres-select" "$tokens" 1 LENGTH RATE
	subject select-32 "PostgreSQL SELECT, 32 connections" postgres \
		"$bin/bench_select" drive "$dir/postgres-select" "$tokens" 32 LENGTH RATE
}

# Every subject beside its peers.
measure_all() {
	local rate
	short_group "$1" "$2" ipc-1 0 verify-ipc-1x1 echo-ipc-1x1 redis-1 select-1
	group "$1" "$2" ipc-32 0 verify-ipc-1x32 echo-ipc-1x32 grpc-32 redis-32 select-32
	group "$1" "$2" batching 0 batching-64 unary-64 redis-pipelined redis-pipelined-2 verify-ipc-8x8
	group "$1" "$2" batch 0 batch-1000 floor batch-64 redis-pipelined redis-pipelined-2
	group "$1" "$2" local 0 local-1 floor local-2 floor-2 floor-renewed local-message
	short_group "$1" "$2" alone 0 batching-1 unary-1
	rate=$(eighth_of "$1" "$2" ipc-32 verify-ipc-1x32 echo-ipc-1x32)
	group "$1" "$2" open-ipc "$rate" verify-ipc-1x32 echo-ipc-1x32
	[ -n "$quick" ] || measure_rest "$1" "$2"
}

measure_rest() {
	local rate
	group "$1" "$2" ipc-8x8 0 verify-ipc-8x8 echo-ipc-8x8
	short_group "$1" "$2" tcp-1 0 verify-tcp-1x1 echo-tcp-1x1
	group "$1" "$2" tcp-32 0 verify-tcp-1x32 echo-tcp-1x32
	group "$1" "$2" tcp-8x8 0 verify-tcp-8x8 echo-tcp-8x8
	group "$1" "$2" batching-8 0 batching-8 unary-8
	group "$1" "$2" threads 0 batching-threads-64 wake-64
	group "$1" "$2" threads-8 0 batching-threads-8 wake-8 batching-threads-1
	if has bench_verifier; then
		rate=$(eighth_of "$1" "$2" batching batching-64)
		group "$1" "$2" open-batching "$rate" batching-64
	fi
}

# Where the number of keys may matter: what looks them up. The peers without a store do not.
measure_ours() {
	short_group "$1" "$2" ipc-1 0 verify-ipc-1x1
	group "$1" "$2" ipc-32 0 verify-ipc-1x32
	group "$1" "$2" ipc-8x8 0 verify-ipc-8x8
	group "$1" "$2" tcp-32 0 verify-tcp-1x32
	group "$1" "$2" batch 0 batch-1000 floor batch-64
	group "$1" "$2" batching 0 batching-64 unary-64
	group "$1" "$2" local 0 local-1 floor local-2 floor-2 floor-renewed
}

# warm_up KEYS: the daemon has the state of one that has run for long, in which about every key was asked for; tells how many bytes
# a request and a reply have.
warm_up() {
	local figures
	say "warming up"
	cat "$store/data/data.mdb" "$store/data/slots.mmap" >/dev/null
	"$bin/bench_drive" "$url" "$tokens" batch:1000 1 2 $(($1 / 400000 + 1)) 0 >/dev/null
	figures=$("$bin/bench_drive" "$url" "$tokens" verify 1 32 1 0)
	request_bytes=$(jq .request_bytes <<<"$figures")
	reply_bytes=$(jq .reply_bytes <<<"$figures")
}

# The peers have run before as well, on as many connections as they will have.
warm_peers() {
	local subject length=0.3
	say "warming up the peers"
	for subject in echo-ipc-8x8 echo-tcp-8x8 grpc-32 redis-pipelined redis-32 select-32; do
		[ -z "${server_pid[${subject_server[$subject]}]:-}" ] || run_subject "$subject" 0 >/dev/null
	done
}

# measure_at RUNS KEYS: with a store of so many keys.
measure_at() {
	take_store "$2"
	tokens=$store/tokens
	port=$(free_ports)
	start_daemon "$store/data" --listen "tcp://127.0.0.1:$port"
	server_pid=([-]=none [daemon]=$daemon)
	warm_up "$2"
	if [ "$2" -eq "$keys" ]; then
		rounds=$pairs
		start_peers
		define_subjects
		warm_peers
		measure_all "$1" "$2"
		stop_peers
	else
		# Fewer: there is less to compare.
		rounds=$(((pairs + 1) / 2))
		define_subjects
		measure_ours "$1" "$2"
	fi
	stop_daemon
}

measure_verify() {
	local size why
	: >"$dir/verify.runs"
	for size in "${sizes[@]}"; do
		why=$(why_not "$size")
		if [ -n "$why" ]; then
			say "$size keys are skipped: $why"
		else
			measure_at "$dir/verify.runs" "$size"
		fi
	done
	summarise "$dir/verify.runs" >"$dir/verify.json"
}

report_verify() {
	report_runs "$1"
}
