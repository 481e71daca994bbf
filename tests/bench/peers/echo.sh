# The nng echo: see echo.c. Its client is bench_drive. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154,SC2034 # the variables are tools/bench's

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

# start_echo REPLY_BYTES [CONTEXTS] [URL]: sets $echo_pid and $echo_url, ipc unless told.
start_echo() {
	echo_url=${3:-ipc://$dir/echo.sock}
	rm -f "$dir/echo.sock" "$dir/echo.out"
	"$bin"/bench_echo "$echo_url" "$1" "${2:-64}" >"$dir/echo.out" &
	echo_pid=$!
	keep "kill $echo_pid"
	until_there "$dir/echo.out" "$echo_pid"
}

stop_echo() {
	end_server "$echo_pid"
}
