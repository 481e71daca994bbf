-- What a Create does, in PostgreSQL's terms: a row with the same unique and secondary indexes, and its audit row.
-- Variable: keys, how many there are to begin with.
CREATE SEQUENCE slots;
CREATE SEQUENCE numbers;
CREATE TABLE key (
	slot bigint PRIMARY KEY,
	number bigint NOT NULL,
	id text NOT NULL,
	tenant integer NOT NULL,
	keyspace integer NOT NULL,
	name text,
	owner text,
	display_prefix text NOT NULL,
	state smallint NOT NULL,
	create_time timestamptz NOT NULL,
	update_time timestamptz NOT NULL,
	expire_time timestamptz,
	last_used_time timestamptz,
	created_by text NOT NULL,
	digest bytea NOT NULL
);
CREATE TABLE audit (
	number bigint PRIMARY KEY,
	key bigint NOT NULL,
	time timestamptz NOT NULL,
	actor text NOT NULL,
	method text NOT NULL,
	peer text NOT NULL,
	tenant text NOT NULL,
	resource text NOT NULL,
	after bytea NOT NULL,
	hash bytea NOT NULL
);

CREATE FUNCTION create_key(name text) RETURNS void LANGUAGE sql AS $$
	WITH made AS (
		INSERT INTO key
		SELECT nextval('slots'), nextval('numbers'),
			'key_' || lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 13, '0') ||
				left(replace(gen_random_uuid()::text, '-', ''), 13),
			1, 1, name, 'bench@example.org', 'sk-123456', 1, clock_timestamp(), clock_timestamp(),
			clock_timestamp() + interval '1 year', NULL, 'uid:0', sha256(uuid_send(gen_random_uuid()))
		RETURNING *)
	INSERT INTO audit
	SELECT slot, slot, create_time, created_by, 'latchkey.v1.KeyService/Create', 'ipc', 'bench', 'keys/' || id,
		convert_to(made::text, 'UTF8'), digest
	FROM made;
$$;

SELECT count(create_key('service-' || n)) FROM generate_series(1, :keys) AS n;

CREATE UNIQUE INDEX key_by_digest ON key (digest);
CREATE UNIQUE INDEX key_by_id ON key (id);
CREATE UNIQUE INDEX key_by_number ON key (tenant, number);
CREATE INDEX key_by_name ON key (keyspace, name, state);
CREATE INDEX key_by_owner ON key (keyspace, owner, create_time);
CREATE INDEX key_by_create ON key (keyspace, create_time);
CREATE INDEX key_by_expiry ON key (keyspace, expire_time);
CREATE INDEX key_by_used ON key (keyspace, last_used_time);
CREATE INDEX audit_by_key ON audit (key, number);
VACUUM ANALYZE;
CHECKPOINT;
