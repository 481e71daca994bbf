# What runs of tools/bench say: the input is an array of runs (see tools/bench --help), in the order in which they were made.

def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# Of numbers; null where there are none.
def spread: map(select(. != null)) | if length == 0 then null else {median: median, least: min, most: max} end;

# The different values of f, in the order in which they come.
def in_order(f): reduce (.[] | f) as $value ([]; if any(.[]; . == $value) then . else . + [$value] end);

# The runs of one subject, by round.
def of($keys; $group; $what): map(select(.keys == $keys and .group == $group and .what == $what)) | sort_by(.round);

# The pairs of two subjects' runs: those of the same round.
def pairs($keys; $group; $first; $second): [of($keys; $group; $first), of($keys; $group; $second)] | transpose
	| map(select(.[0] != null and .[1] != null));

def subjects: . as $runs | in_order({keys, group, what, name, asked}) | map(. as $one
	| ($runs | of($one.keys; $one.group; $one.what)) as $mine
	| . + {rate: ($mine | map(.rate) | spread), p50_us: ($mine | map(.p50_us) | spread), p99_us: ($mine | map(.p99_us) | spread),
		p999_us: ($mine | map(.p999_us) | spread), server_us: ($mine | map(.server_us) | spread),
		client_us: ($mine | map(.client_us) | spread)});

# Each group's first subject beside each other one, pair by pair.
def ratios: . as $runs | in_order({keys, group}) | map(. as $group
	| ($runs | map(select({keys, group} == $group)) | in_order(.what)) as $names
	| $names[1:][] | . as $second
	| ($runs | pairs($group.keys; $group.group; $names[0]; $second)) as $pairs
	| $group + {first: $names[0], second: $second, rate: ($pairs | map(.[0].rate / .[1].rate) | spread),
		p50: ($pairs | map(.[0].p50_us / .[1].p50_us) | spread), p99: ($pairs | map(.[0].p99_us / .[1].p99_us) | spread),
		added_server_us: ($pairs | map(if .[0].server_us != null and .[1].server_us != null
			then .[0].server_us - .[1].server_us else null end) | spread)});

# Three digits that count.
def digits: if . == null then "-" elif . == 0 then "0" elif fabs >= 100 then round | tostring
	elif fabs >= 10 then . * 10 | round / 10 | tostring else . * 100 | round / 100 | tostring end;
def ratio: . * 1000 | round / 1000 | tostring;
def spread_text(f): if . == null then "-" else "\(.median | f) (\(.least | f) to \(.most | f))" end;

# Rows for people, of a part's figures: the subjects of the stores with so many keys.
def table($keys):
	(["", "a second", "p50 us", "p99 us", "p999 us", "server us", "client us", "first / this"] | @tsv),
	(.ratios as $ratios | .subjects[] | select(.keys == $keys) | . as $one
		| ([$ratios[] | select(.keys == $keys and .group == $one.group and .second == $one.what)][0]) as $ratio
		| [(if $ratio == null then "" else "- " end) + .name +
			(if .asked > 0 then ", open loop of \(.asked)/s" else "" end), (.rate.median | digits), (.p50_us.median | digits),
			(.p99_us.median | digits), (.p999_us.median | digits), (.server_us.median | digits), (.client_us.median | digits),
			(if $ratio == null then "-"
				# Both have the rate that was asked for.
				elif .asked > 0 then "p50: \($ratio.p50 | spread_text(ratio))"
				else $ratio.rate | spread_text(ratio) end)] | @tsv);
