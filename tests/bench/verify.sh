# Unary Verify over ipc beside an nng echo. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# shellcheck source=tests/bench/paired.sh
. tests/bench/paired.sh

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
	summarise "$dir/verify.runs" verify echo >"$dir/verify.json"
}

report_verify() {
	report_pairs "$1" verify echo Verify "nng echo"
}
