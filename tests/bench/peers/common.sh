# What the peers' servers share. Sourced by their files, which tools/bench sources: $dir, $bin, $seconds, $peers, say and
# until_there are its own. Every server is a process of ours in $dir; what the distribution's packages have started is left
# alone.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# keep COMMAND: it is run when tools/bench ends, however that is. dropped COMMAND: it was run.
keep() {
	peers+=("$1")
}

dropped() {
	local one rest=()
	for one in "${peers[@]}"; do
		[ "$one" = "$1" ] || rest+=("$one")
	done
	peers=("${rest[@]}")
}

# end_server PID: ends one that keep() was told to kill.
end_server() {
	kill "$1"
	wait "$1" 2>/dev/null || true
	dropped "kill $1"
}

# bounded DRIVER...: runs a driver; fails where it has no end. An open loop may take longer than $seconds, until all is answered.
bounded() {
	local most=$((3 * seconds + 30))
	timeout --foreground "$most" "$@" || {
		say "${1##*/} has failed, or was not answered within $most s"
		return 1
	}
}
