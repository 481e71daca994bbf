# Unary Verify over ipc beside an nng echo. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# drive WHAT URL PID: one run, with the processor time that the server has taken for each request.
drive() {
	local before after run
	before=$(awk '{print $14 + $15}' "/proc/$3/stat")
	run=$($bin/bench_drive "$2" "$dir/tokens" "$contexts" "$seconds" "$1")
	after=$(awk '{print $14 + $15}' "/proc/$3/stat")
	jq -c --argjson ticks $((after - before)) --argjson hz "$(getconf CLK_TCK)" --argjson seconds "$seconds" \
		--arg what "$1" '{what: $what} + . + {server_us: ($ticks / $hz * 1e6 / (.rate * $seconds))}' <<<"$run"
}

measure_verify() {
	local reply_bytes echo i
	start_daemon verify
	# The first run touches every page once, and tells how many bytes a reply has; it is not counted.
	say "warming up"
	reply_bytes=$(drive verify "$url" "$daemon" | jq .reply_bytes)
	$bin/bench_echo "ipc://$dir/echo.sock" "$reply_bytes" >"$dir/echo.out" &
	echo=$!
	peers+=("kill $echo")
	until_there "$dir/echo.out" "$echo"
	for ((i = 1; i <= pairs; i++)); do
		say "verify: pair $i of $pairs"
		drive verify "$url" "$daemon" >>"$dir/verify.runs"
		drive echo "ipc://$dir/echo.sock" "$echo" >>"$dir/verify.runs"
	done
	kill "$echo"
	peers=()
	stop_daemon
	rm -rf "$dir/verify"
	jq -s --argjson contexts "$contexts" '
		def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
		def of($what): map(select(.what == $what)) | {rate: (map(.rate) | median), p50_us: (map(.p50_us) | median),
			p99_us: (map(.p99_us) | median), server_us: (map(.server_us) | median)};
		def spread: {median: median, least: min, most: max};
		. as $runs
		| {contexts: $contexts, runs: $runs, verify: of("verify"), echo: of("echo"),
		   ratio: ([range(0; length; 2) | $runs[.].rate / $runs[. + 1].rate] | spread),
		   added_server_us: ([range(0; length; 2) | $runs[.].server_us - $runs[. + 1].server_us] | spread)}
		' "$dir/verify.runs" >"$dir/verify.json"
}

report_verify() {
	jq -r '
		def row($name): [$name, (.rate | round), .p50_us, .p99_us, (.server_us * 100 | round / 100)] | @tsv;
		(["unary, ipc, \(.contexts) contexts", "requests/s", "p50 us", "p99 us", "server us/request"] | @tsv),
		(.verify | row("Verify")), (.echo | row("nng echo"))' "$1" | column -t -s "$(printf '\t')"
	jq -r '
		def figure: . * 1000 | round / 1000;
		def spread: "\(.median | figure) (\(.least | figure) to \(.most | figure))";
		"\nVerify / echo, median of the pairs: \(.ratio | spread)",
		"processor time that Verify adds, us a request: \(.added_server_us | spread)"' "$1"
}
