# Unary Verify of keys with permissions, a rate limit and a list of addresses, all asked for and charged, beside plain Verify of keys
# without; one store, one daemon, half of the keys each. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/paired.sh
. tests/bench/paired.sh

measure_gates() {
	local i
	start_daemon gates "$dir/ruled"
	say "warming up"
	drive verify "$url" "$daemon" >/dev/null
	drive gates "$url" "$daemon" "$dir/ruled" >/dev/null
	for ((i = 1; i <= pairs; i++)); do
		say "gates: pair $i of $pairs"
		drive gates "$url" "$daemon" "$dir/ruled" >>"$dir/gates.runs"
		drive verify "$url" "$daemon" >>"$dir/gates.runs"
	done
	stop_daemon
	rm -rf "$dir/gates"
	summarise "$dir/gates.runs" gates verify >"$dir/gates.json"
}

report_gates() {
	report_pairs "$1" gates verify "Verify, every gate" "Verify, plain"
}
