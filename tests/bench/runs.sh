# Runs of drivers, interleaved: what is put beside each other makes a group, and a group's subjects take turns, round by round.
# Sourced by the parts of tools/bench.
# shellcheck shell=bash disable=SC2154,SC2016 # the variables are tools/bench's, and jq has some too

# shellcheck source=tests/bench/peers/common.sh
. tests/bench/peers/common.sh

declare -A subject_name=() subject_server=() subject_command=() server_pid=([-]=none) skipped=()

# subject NAME LABEL SERVER COMMAND...: what can be measured. SERVER: a key of server_pid, or "-". The words RATE and LENGTH in the
# command are the rate that group() was told, and how many seconds a run takes ($length).
subject() {
	local name=$1
	subject_name[$name]=$2
	subject_server[$name]=$3
	shift 3
	subject_command[$name]=$(printf '%s\n' "$@")
}

# run_subject NAME RATE: one run of $length; prints its figures. Fails where the driver does.
run_subject() {
	local pid=${server_pid[${subject_server[$1]}]} command=() word
	while read -r word; do
		case $word in
		RATE) word=$2 ;;
		LENGTH) word=$length ;;
		esac
		command+=("$word")
	done <<<"${subject_command[$1]}"
	if [ "$pid" = none ]; then
		bounded "${command[@]}" 2>"$dir/log"
	else
		LATCHKEY_BENCH_SERVER=$pid bounded "${command[@]}" 2>"$dir/log"
	fi
}

# backwards WORD...: the last one first.
backwards() {
	local i
	for ((i = $#; i > 0; i--)); do
		echo "${!i}"
	done
}

# group RUNS KEYS NAME RATE SUBJECT...: so many rounds ($rounds), each of which runs every subject once; to the file RUNS, a line
# each. Every second round goes backwards, so that nobody always runs after the same one. Subjects whose program was not built, or
# whose server is not there, are left out, with a word.
group() {
	local runs=$1 keys=$2 name=$3 rate=$4 round subject figures program there=()
	shift 4
	for subject; do
		program=${subject_command[$subject]:-}
		program=${program%%$'\n'*}
		if [ -x "$program" ] && [ -n "${server_pid[${subject_server[$subject]}]:-}" ]; then
			there+=("$subject")
		elif [ -z "${skipped[$subject]:-}" ]; then
			say "$subject is skipped: ${program:-its program} was not built, or its server is not there"
			skipped[$subject]=1
		fi
	done
	for ((round = 1; round <= rounds; round++)); do
		say "$keys keys: $name, round $round of $rounds"
		[ "$round" -eq 1 ] || mapfile -t there < <(backwards "${there[@]}")
		for subject in "${there[@]}"; do
			figures=$(run_subject "$subject" "$rate") || { say "$subject failed: $(cat "$dir/log")"; exit 1; }
			jq -c --argjson keys "$keys" --arg group "$name" --argjson round "$round" --arg what "$subject" \
				--arg called "${subject_name[$subject]}" --argjson asked "$rate" \
				'{keys: $keys, group: $group, round: $round, what: $what, name: $called, asked: $asked} + .' \
				<<<"$figures" >>"$runs"
		done
	done
}

# short_group: group(), with runs a quarter ($short_runs) as long, and four times as many of them: for what has one request under
# way. Its latency depends on where the scheduler happens to put the threads, which stays as it is for most of a run.
short_group() {
	local rounds=$((rounds * short_runs)) length
	length=$(LC_ALL=C awk "BEGIN { print $seconds / $short_runs }")
	group "$@"
}

# eighth_of RUNS KEYS GROUP SUBJECT...: an eighth of what the slowest of them answered a second, in the median: the rate of an open
# loop. Why so little: see tools/bench.
eighth_of() {
	figure '[$ARGS.positional[] as $what | of($keys; $group; $what) | map(.rate) | median] | min / 8 | floor' \
		-s --argjson keys "$2" --arg group "$3" "$1" --args "${@:4}"
}

# summarise RUNS: the runs, with what they say.
summarise() {
	figure '{runs: ., subjects: subjects, ratios: ratios}' -s "$1"
}

# report_runs FIGURES: for people, a table for each store.
report_runs() {
	local keys
	for keys in $(jq -r '[.subjects[].keys] | unique[]' "$1"); do
		heading "$keys keys"
		figure 'table($keys)' -r --argjson keys "$keys" "$1" | table
	done
}
