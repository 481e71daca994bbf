# Unary Verify of keys with permissions, a rate limit and a list of addresses, all asked for and charged, beside plain Verify of keys
# without; one store, one daemon, half of the keys each. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/runs.sh
. tests/bench/runs.sh

measure_gates() {
	take_store "$keys" ruled
	start_daemon "$store/data"
	server_pid=([daemon]=$daemon)
	subject gates "Verify, every gate" daemon "$bin/bench_drive" "$url" "$store/ruled" gates 1 32 LENGTH RATE
	subject plain "Verify, plain" daemon "$bin/bench_drive" "$url" "$store/tokens" verify 1 32 LENGTH RATE
	say "warming up"
	run_subject gates 0 >/dev/null
	run_subject plain 0 >/dev/null
	rounds=$pairs
	group "$dir/gates.runs" "$keys" gates 0 gates plain
	stop_daemon
	summarise "$dir/gates.runs" >"$dir/gates.json"
}

report_gates() {
	report_runs "$1"
}
