# What happens to keys beside Verify, and Create beside PostgreSQL. Sourced by tools/bench.
# shellcheck shell=bash disable=SC2154 # the variables are tools/bench's

# used_bytes DATA: what LMDB's pages hold, without those that are free.
used_bytes() {
	mdb_stat -e -ff "$1" | awk '
		/Page size:/ { size = $3 }
		/Number of pages used:/ { used = $5 }
		/Free pages:/ { free = $3 }
		END { print (used - free) * size }'
}

# create_latchkey CLIENTS, create_postgres CLIENTS: one run each.
create_latchkey() {
	"$bin/bench_life" "$url" create "$1" "$seconds" | jq -c '.what = "latchkey"' >>"$dir/life.runs"
}

create_postgres() {
	tests/bench/peers/postgres run "$dir/postgres" "$1" "$seconds" |
		jq -c --argjson clients "$1" '{what: "postgres", clients: $clients} + .' >>"$dir/life.runs"
}

measure_life() {
	local i postgres=tests/bench/peers/postgres bytes who order=(latchkey postgres)
	take_store "$keys"
	# It changes the store.
	cp -r --sparse=never "$store/data" "$dir/life"
	start_daemon "$dir/life"
	bytes=$(used_bytes "$dir/life")
	say "life: PostgreSQL makes its $keys keys"
	peers+=("$postgres stop $dir/postgres")
	$postgres start "$dir/postgres" "$keys"

	say "life: pages, filters, counts"
	for i in pages filters counts; do
		"$bin/bench_life" "$url" "$i" >>"$dir/life.runs"
	done
	for ((i = 1; i <= pairs; i++)); do
		for clients in 32 1; do
			say "life: Create with $clients clients, pair $i of $pairs"
			for who in "${order[@]}"; do
				"create_$who" "$clients"
			done
		done
		# Nobody always comes second, when the other one's pages are still on their way to the disk.
		order=("${order[1]}" "${order[0]}")
	done
	say "life: BulkRevoke, Import"
	# Names are service-N: a ninth of them all begin with any one digit.
	"$bin/bench_life" "$url" bulk-revoke service-9 >>"$dir/life.runs"
	"$bin/bench_life" "$url" import $((keys / 10)) >>"$dir/life.runs"
	stop_daemon
	rm -rf "$dir/life"
	figure '
		def one($what): map(select(.what == $what))[0];
		def pair($clients): {clients: $clients,
			latchkey: map(select(.what == "latchkey" and .clients == $clients)),
			postgres: map(select(.what == "postgres" and .clients == $clients))}
			| .ratio = ([.latchkey, .postgres] | transpose | map(.[0].rate / .[1].rate) | spread);
		{bytes_a_key: ($bytes / $keys), pages: one("pages").walks, filters: one("filters").filters,
		 counts: one("counts").filters, create: [pair(32), pair(1)], bulk_revoke: one("bulk-revoke"),
		 import: one("import"), postgres_bytes: $peer_bytes}
		' -s --argjson bytes "$bytes" --argjson keys "$keys" --argjson peer_bytes "$($postgres size "$dir/postgres")" \
		"$dir/life.runs" >"$dir/life.json"
	$postgres stop "$dir/postgres"
	peers=()
}

report_life() {
	heading "What happens to keys"
	figure '
		(["Create, durable", "latchkeyd/s", "p50 us", "p99 us", "PostgreSQL/s", "ratio"] | @tsv),
		(.create[] | ["\(.clients) client\(if .clients == 1 then "" else "s" end)", (.latchkey | map(.rate) | median | round),
			(.latchkey | map(.p50_us) | median | round), (.latchkey | map(.p99_us) | median | round),
			(.postgres | map(.rate) | median | round), (.ratio | spread_text(ratio))] | @tsv)
		' -r "$1" | table
	echo
	jq -r '
		(["List, pages of 1,000", "p50 us", "first pages", "last pages", "keys"] | @tsv),
		(.pages[] | ["by \(.order_by)", .p50_us, .first_p50_us, .last_p50_us, .keys] | @tsv)
		' "$1" | table
	echo
	jq -r '
		(["filter", "page, p50 us", "keys in it", "count_total, p50 us", "total"] | @tsv),
		([.filters, .counts] | transpose[] | [.[0].filter, .[0].p50_us, .[0].keys, .[1].p50_us, .[1].total] | @tsv)
		' "$1" | table
	jq -r '
		"\nBulkRevoke: \(.bulk_revoke.keys) keys in \(.bulk_revoke.seconds) s, \(.bulk_revoke.rate) a second",
		"Import: \(.import.keys) keys in \(.import.seconds) s, \(.import.rate) a second",
		"data.mdb: \(.bytes_a_key | round) bytes a key with its audit record, free pages left out"' "$1"
}
