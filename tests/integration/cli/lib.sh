# For the tests in this folder, to be sourced: a daemon on a fresh data directory, and commands whose outcome is compared.
# Meson gives LATCHKEYD and LATCHKEY, the programs, and LATCHKEY_GEN, the folder of what was generated.
# shellcheck shell=sh
set -eu

dir=$(mktemp -d)
daemon=
unset LATCHKEY_CREDENTIAL LATCHKEY_URL COLUMNS NO_COLOR

clean_up() {
	code=$?
	trap - EXIT INT TERM
	[ -z "$daemon" ] || {
		kill -TERM "$daemon" 2>/dev/null || true
		wait "$daemon" || {
			echo "FAIL: the daemon exited with $? on SIGTERM"
			[ "$code" -ne 0 ] || code=1
		}
	}
	[ "$code" -eq 0 ] || [ ! -s "$dir/log" ] || {
		echo "-- the daemon's log:"
		tail -n 30 "$dir/log"
	}
	rm -rf "$dir"
	exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
	echo "FAIL: $*"
	for file in out err; do
		echo "-- std$file:"
		cat "$dir/$file" 2>/dev/null || true
	done
	exit 1
}

# Starts the daemon with the arguments given, over ipc and a free tcp port: LATCHKEY_URL and tcp_url.
start_daemon() {
	mkfifo "$dir/ready"
	"$LATCHKEYD" --data "$dir/data" --listen "ipc://$dir/sock" --listen tcp://127.0.0.1:0 "$@" 2>"$dir/ready" &
	daemon=$!
	# Waits for the line itself: the reader goes on to the log behind it, and keeps the pipe open.
	exec 9<"$dir/ready"
	line=
	while IFS= read -r line <&9; do
		printf '%s\n' "$line" >>"$dir/log"
		case $line in
		*msg=ready*) break ;;
		esac
	done
	cat <&9 >>"$dir/log" &
	exec 9<&-
	LATCHKEY_URL=ipc://$dir/sock
	export LATCHKEY_URL
	tcp_url=$(grep -om 1 'tcp://127\.0\.0\.1:[0-9]*' "$dir/log") || fail "the daemon listens at no tcp port"
}

# Stops the daemon, so that it can be started again on the same data.
stop_daemon() {
	kill -TERM "$daemon"
	wait "$daemon" || fail "the daemon exited with $? on SIGTERM"
	daemon=
	rm "$dir/ready" "$dir/log"
}

lk() {
	"$LATCHKEY" "$@"
}

# expect CODE COMMAND...: runs it with its output in $dir/out and $dir/err.
expect() {
	wanted=$1
	shift
	code=0
	"$@" >"$dir/out" 2>"$dir/err" || code=$?
	[ "$code" -eq "$wanted" ] || fail "$*: exited with $code, not $wanted"
}

out_has() {
	grep -Eq -e "$1" "$dir/out" || fail "standard output lacks /$1/"
}

out_lacks() {
	! grep -Fq -e "$1" "$dir/out" || fail "standard output has \"$1\""
}

err_has() {
	grep -Eq -e "$1" "$dir/err" || fail "standard error lacks /$1/"
}

err_is_empty() {
	[ ! -s "$dir/err" ] || fail "something was said on standard error"
}

# json FILTER EXPECTED: what jq's filter makes of the output.
json() {
	got=$(jq -cr "$1" <"$dir/out") || fail "the output is no JSON"
	[ "$got" = "$2" ] || fail "$1 is $got, not $2"
}
