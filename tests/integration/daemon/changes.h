/*
 * Every change that the API has, as a request and as what it must come to: for tests of changes that are asked for twice.
 */
#ifndef LK_TESTS_INTEGRATION_DAEMON_CHANGES_H
#define LK_TESTS_INTEGRATION_DAEMON_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include <latchkey/latchkey.h>

/* What each case finds: a keyspace of "acme" and a tenant of its own, and in the keyspace two keys. */
struct place {
	char keyspace[16];
	char tenant[16];
	char new_id[16];
	char *keys[2];
	char *tokens[2];
};

/* Makes a request; another one, that differs in something, where `other` is set. Good until it is called again. */
typedef const ProtobufCMessage *make_request(const struct place *place, bool other);

struct change {
	const struct lk_method *method;
	make_request *make;
	/* How many records it changes, each with an audit record of its method; how many more keys there are then. */
	int records;
	int keys;
	/* What is to happen before: NULL, or a method and its request. */
	const struct lk_method *first_method;
	make_request *first;
	/* The response has a token. */
	bool mints;
};

/* One for each method that changes something, and some that find nothing to do. */
extern const struct change changes[];
extern const size_t n_changes;

/* Those of them that tests make their own cases of. */
make_request change_create_key;
make_request change_activate_key;
make_request change_suspend_key;
make_request change_create_keyspace;
make_request change_create_tenant;

#endif
