# Runs of bench_drive in pairs, and what the pairs say: for the parts that put one server beside another. Sourced by them.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# drive WHAT URL PID [TOKENS]: one run, with the processor time that the server has taken for each request.
drive() {
	local before after run
	before=$(awk '{print $14 + $15}' "/proc/$3/stat")
	run=$($bin/bench_drive "$2" "${4:-$dir/tokens}" "$contexts" "$seconds" "$1")
	after=$(awk '{print $14 + $15}' "/proc/$3/stat")
	jq -c --argjson ticks $((after - before)) --argjson hz "$(getconf CLK_TCK)" --argjson seconds "$seconds" \
		--arg what "$1" '{what: $what} + . + {server_us: ($ticks / $hz * 1e6 / (.rate * $seconds))}' <<<"$run"
}

# summarise RUNS FIRST SECOND: of runs that alternate, the medians of each, and the ratio and the added processor time of the pairs.
summarise() {
	jq -s --argjson contexts "$contexts" --arg first "$2" --arg second "$3" '
		def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
		def of($what): map(select(.what == $what)) | {rate: (map(.rate) | median), p50_us: (map(.p50_us) | median),
			p99_us: (map(.p99_us) | median), server_us: (map(.server_us) | median)};
		def spread: {median: median, least: min, most: max};
		. as $runs
		| {contexts: $contexts, runs: $runs, ($first): of($first), ($second): of($second),
		   ratio: ([range(0; length; 2) | $runs[.].rate / $runs[. + 1].rate] | spread),
		   added_server_us: ([range(0; length; 2) | $runs[.].server_us - $runs[. + 1].server_us] | spread)}
		' "$1"
}

# report_pairs FIGURES FIRST SECOND NAME NAME: what summarise() found, for people.
report_pairs() {
	jq -r --arg first "$2" --arg second "$3" --arg first_name "$4" --arg second_name "$5" '
		def row($name): [$name, (.rate | round), .p50_us, .p99_us, (.server_us * 100 | round / 100)] | @tsv;
		(["unary, ipc, \(.contexts) contexts", "requests/s", "p50 us", "p99 us", "server us/request"] | @tsv),
		(.[$first] | row($first_name)), (.[$second] | row($second_name))' "$1" | column -t -s "$(printf '\t')"
	jq -r --arg names "$4 / $5" '
		def figure: . * 1000 | round / 1000;
		def spread: "\(.median | figure) (\(.least | figure) to \(.most | figure))";
		"\n\($names), median of the pairs: \(.ratio | spread)",
		"processor time that the first adds, us a request: \(.added_server_us | spread)"' "$1"
}
