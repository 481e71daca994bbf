# How long latchkeyd takes from its exec() to the first verdict, and how much memory is its own with 64 connections, for each number
# of keys. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154,SC2016 # the variables are tools/bench's, and jq has some too

# shellcheck source=tests/bench/runs.sh
. tests/bench/runs.sh

# own_memory PID: bytes that no other process has and no file: heap, stacks, locked memory. And Private_Dirty, which also counts the
# pages of the slots that this process alone has mapped and written, which are the file's.
own_memory() {
	awk '/^Anonymous:/ { anonymous = $2 } /^Private_Dirty:/ { dirty = $2 } /^Rss:/ { rss = $2 }
		END { printf "{\"anonymous_bytes\": %.0f, \"private_dirty_bytes\": %.0f, \"rss_bytes\": %.0f}\n",
			anonymous * 1024, dirty * 1024, rss * 1024 }' "/proc/$1/smaps_rollup"
}

# use_memory WHAT SECONDS: what the daemon holds while 64 connections ask, looked at ten times a second.
use_memory() {
	local driver
	"$bin/bench_drive" "$url" "$store/tokens" "$1" 64 1 "$2" 0 >/dev/null &
	driver=$!
	while kill -0 "$driver" 2>/dev/null; do
		own_memory "$daemon" | jq -c --arg what "$1" '{what: $what} + .' >>"$dir/memory"
		pause 0.1
	done
	wait "$driver"
}

start_at() {
	local i data=$store/data
	say "$1 keys: starts"
	cat "$data/data.mdb" "$data/slots.mmap" >/dev/null
	rm -f "$dir/starts" "$dir/memory"
	for ((i = 0; i <= pairs; i++)); do
		# The first brings in what the next ones find, and is not counted.
		"$bin/bench_start" "ipc://$data/latchkey.sock" "$store/tokens" build-bench/server/latchkeyd --data "$data" \
			--log-level warn >"$dir/start"
		[ "$i" -eq 0 ] || cat "$dir/start" >>"$dir/starts"
	done
	say "$1 keys: memory"
	start_daemon "$data"
	use_memory verify "$seconds"
	use_memory batch:1000 "$seconds"
	stop_daemon
	figure '{keys: $keys, starts: $starts, start_ms: ($starts | map(.start_ms) | spread), connections: 64,
		anonymous_bytes: ($memory | map(.anonymous_bytes) | max), private_dirty_bytes: ($memory | map(.private_dirty_bytes) | max),
		rss_bytes: ($memory | map(.rss_bytes) | max)}' \
		-n --argjson keys "$1" --slurpfile starts "$dir/starts" --slurpfile memory "$dir/memory" >>"$dir/start.stores"
}

measure_start() {
	local size why
	: >"$dir/start.stores"
	for size in "${sizes[@]}"; do
		why=$(why_not "$size")
		if [ -n "$why" ]; then
			say "$size keys are skipped: $why"
		else
			take_store "$size"
			start_at "$size"
		fi
	done
	jq -s '{stores: .}' "$dir/start.stores" >"$dir/start.json"
}

report_start() {
	heading "latchkeyd's start, and its memory with 64 connections"
	figure 'def mib: . / 1048576 | digits;
		(["keys", "exec to first verdict, ms", "anonymous memory, MiB", "Private_Dirty, the slots among it, MiB"] | @tsv),
		(.stores[] | [.keys, (.start_ms | spread_text(digits)), (.anonymous_bytes | mib), (.private_dirty_bytes | mib)] | @tsv)
		' -r "$1" | table
}
