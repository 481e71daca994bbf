/*
 * A model of Latchkey, and a daemon that has to agree with it.
 *
 * The model is plain arrays and no index: what a call must answer is computed from them by walking. A step is one call that may
 * change something, made by one of several clients; then what the step touched is asked for by Get, List and Verify. All choices
 * come from one seed. Where an answer depends on the clock, what would be right just before the call and what would be right just
 * after it are both taken for right.
 */
#ifndef LK_TESTS_MODEL_MODEL_H
#define LK_TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/daemon.h"
#include "tests/lib/verbs.h"

#define NONE        SIZE_MAX
#define N_TENANTS   4
#define N_KEYSPACES 3
#define TOKEN_ROOM  80
#define NAME_ROOM   128
#define MS          INT64_C(1000)

/* A set of errors has the bit of each. */
#define E(err) (1u << (err))

enum life {
	LIVE,
	/* Deleted: its keys have ended, and its id is free now or a little later. */
	CLOSED,
};

struct tenant {
	char id[8];
	enum life life;
	char display_name[NAME_ROOM];
	char etag[24];
	/* The highest number that one of its keys had. */
	uint64_t last_number;
};

struct rules {
	bool name_required;
	bool name_unique;
	bool expiry_required;
	bool revoke_deletes;
	bool owner_required;
	uint32_t name_min;
	/* 0: 100. */
	uint32_t name_max;
	int64_t default_ttl_us;
	int64_t max_ttl_us;
	/* A set of permissions() positions. */
	unsigned default_permissions;
};

struct keyspace {
	size_t tenant;
	char id[8];
	enum life life;
	struct rules rules;
	/* A set of cidr_names' positions; none: from anywhere. */
	unsigned cidrs;
	char display_name[NAME_ROOM];
	char etag[24];
};

struct role {
	size_t tenant;
	char id[4];
	enum life life;
	unsigned permissions;
	char etag[24];
};

enum stored {
	STORED_ACTIVE,
	STORED_SUSPENDED,
	STORED_REVOKED,
	STORED_GONE
};

struct key {
	size_t keyspace;
	char id[40];
	uint64_t number;
	char name[NAME_ROOM];
	char owner[NAME_ROOM];
	char reason[32];
	/* The value of its one word of metadata; "": it has none. */
	char word[16];
	/* "": not known since the last change. */
	char etag[24];
	/* The last time that it was touched. */
	size_t touched_at;
	char created_by[48];
	bool tenant_scope;
	enum stored stored;
	unsigned permissions;
	/* A set of role_ids' positions, and one of cidr_names'. */
	unsigned roles;
	unsigned cidrs;
	bool has_credits;
	uint64_t credits;
	/* What attempts whose answer did not arrive may have cost. */
	uint64_t credits_open;
	int64_t not_before_us;
	int64_t expire_us;
	int64_t create_us;
	/* 0: not known since the last change. */
	int64_t update_us;
	char display[24];
	char token[TOKEN_ROOM];
	/* The one before the last Rotate, and until when it is good; then those that are forgotten. */
	char previous[TOKEN_ROOM];
	int64_t previous_until_us;
	char forgotten[TOKEN_ROOM];
	uint64_t usage;
	/* Attempts to verify whose answer did not arrive: they may have counted. */
	uint64_t usage_open;
	/* Its last use was in between; 0: never used. */
	int64_t used_from_us;
	int64_t used_until_us;
};

struct client {
	const char *name;
	const char *const *methods;
	/* NULL: any. */
	const char *tenant;
	const char *keyspace;
	/* As it stands in created_by; "": the operator's, which is not known. */
	char caller_name[48];
	struct caller caller;
};

#define N_CLIENTS 5
#define N_NOTES   30
#define NOTE_ROOM 320
#define N_TOUCHED 64

struct world {
	uint64_t seed;
	uint64_t random;
	size_t step;
	struct daemon daemon;
	struct client clients[N_CLIENTS];
	struct tenant *tenants;
	size_t n_tenants, tenants_room;
	struct keyspace *keyspaces;
	size_t n_keyspaces, keyspaces_room;
	struct key *keys;
	size_t n_keys, keys_room;
	struct role *roles;
	size_t n_roles, roles_room;
	/* The keys that this step concerned, perhaps twice. */
	size_t touched[N_TOUCHED];
	size_t n_touched;
	/* Counts what is touched, and what was imported. */
	size_t touches;
	size_t imports;
	/* When the call under way began, and when it was answered. */
	int64_t before_us;
	int64_t after_us;
	char notes[N_NOTES][NOTE_ROOM];
	size_t n_notes;
	/* How often each outcome came, for the summary. */
	size_t n_ok, n_refused, n_races, n_verdicts, n_listed;
};

struct operation {
	const char *name;
	unsigned weight;
	void (*run)(struct world *world);
};

/* world.c: chance, what was done, and who is who. */

uint64_t draw(struct world *world);
/* 0 to n - 1; n is not 0. */
size_t pick(struct world *world, size_t n);
/* Whether one of n times. */
bool one_in(struct world *world, size_t n);
__attribute__((format(printf, 2, 3))) void note(struct world *world, const char *format, ...);
/* Says what was not as the model has it, and how to see it again, and ends the process. */
__attribute__((format(printf, 2, 3), noreturn)) void mismatch(struct world *world, const char *format, ...);
void touch(struct world *world, size_t key);
struct tenant *new_tenant(struct world *world);
struct keyspace *new_keyspace(struct world *world);
struct key *new_key(struct world *world);
struct role *new_role(struct world *world);
/* The tenant and keyspace of that id that are live; NONE. */
size_t find_tenant(const struct world *world, const char *id);
size_t find_keyspace(const struct world *world, size_t tenant, const char *id);
/* Whether the keyspace and its tenant are live. */
bool is_open(const struct world *world, size_t keyspace);
/* One of the ids that there may be; it is not always there. */
const char *pick_tenant_id(struct world *world);
const char *pick_keyspace_id(struct world *world);
/* Both, rather of a keyspace that is there. The texts may move with the next new tenant or keyspace. */
void pick_place(struct world *world, const char **ret_tenant, const char **ret_keyspace);
/* A key, rather one that is not gone; NONE where there are none. */
size_t pick_key(struct world *world);
struct client *pick_client(struct world *world);
/* A copy without what does not fit. */
void set_text(char *to, size_t room, const char *from);
/* Copies `from` into a fixed array. */
#define SET(to, from) set_text(to, sizeof(to), from)

/* judge.c: what a call must answer, and whether it did. */

bool may_call(const struct client *client, const char *access);
bool may_tenant(const struct client *client, const char *tenant);
bool may_keyspace(const struct client *client, const char *keyspace);
/*
 * Whether the client may make, change, rotate or give credits to a key of this scope: one of its tenant is good in every
 * keyspace.
 */
bool may_scope(const struct client *client, bool tenant_scope);
/* What stands against a call to something in this tenant; 0: nothing. */
unsigned against_tenant(const struct world *world, const struct client *client, const char *access, const char *tenant);
/* What stands against a call to this key; it must have been named by its own tenant. */
unsigned against_key(const struct world *world, const struct client *client, const char *access, const struct key *key);
/* Brackets a call: takes the time before, and after. */
void begin(struct world *world);
void finish(struct world *world);
/*
 * Whether the client's last call was answered OK. `before` and `after` are what stood against it when it began and when it was
 * answered: any of them is right, and OK where one of the two is empty.
 */
bool judge(struct world *world, struct client *client, unsigned before, unsigned after);
/* The call was refused for exactly these faults, where it was refused as INVALID_ARGUMENT; `prefix` stands before their names. */
void judge_faults(struct world *world, const struct client *client, const char *prefix, unsigned faults);

/* rules.c: what a key is at a time. */

extern const char *const permission_names[];
#define N_PERMISSIONS 6

bool is_gone(const struct world *world, const struct key *key);
Latchkey__V1__KeyState state_at(const struct key *key, int64_t now_us);
/* Whether the action changes the key in this state: KEPT as it is, CHANGED, or REFUSED. */
enum effect {
	KEPT,
	CHANGED,
	REFUSED
};
enum effect effect_of(Latchkey__V1__KeyState state, Latchkey__V1__KeyAction action);

/* What a key is to be, where its keyspace's rules have a say. */
struct wish {
	const char *name;
	const char *owner;
	int64_t not_before_us;
	/* 0: not given. */
	int64_t expire_us;
	int64_t ttl_us;
	/* What is not given comes from the rules. */
	bool defaults;
	/* It may have expired. */
	bool past_expiry;
};
/* The fields of a wish that may be at fault. */
enum {
	FAULT_NAME = 1,
	FAULT_OWNER = 2,
	FAULT_EXPIRE_TIME = 4,
	FAULT_TTL = 8,
};
/* What the rules (NULL: not known) say against it at a time, as a set of faults. */
unsigned faults_of(const struct rules *rules, const struct wish *wish, int64_t now_us);
/* When a key that is made so expires; 0: never. */
int64_t expiry_of(const struct rules *rules, const struct wish *wish, int64_t now_us);
bool name_is_taken(const struct world *world, size_t keyspace, const char *name, size_t but);
bool covers(unsigned permissions, const char *asked);
struct rules draw_rules(struct world *world);
/* Writes the rules as a policy, whose spans lie in `spans`, and whose permissions lie in `permissions`. */
void rules_to_policy(const struct rules *rules, Latchkey__V1__KeyPolicy *ret_policy,
	Google__Protobuf__Duration spans[static 2], char *permissions[static N_PERMISSIONS]);
/* A set of permissions as a list; how many they are. */
size_t list_permissions(unsigned set, char *ret_list[static N_PERMISSIONS]);

/*
 * places.c, keys.c, update.c, bulk.c, imports.c: the operations. Each picks a client and its arguments, calls, judges, and
 * changes the model.
 */

void create_tenant(struct world *world);
void update_tenant(struct world *world);
void delete_tenant(struct world *world);
void create_keyspace(struct world *world);
void update_keyspace(struct world *world);
void delete_keyspace(struct world *world);
void create_key(struct world *world);
void update_key(struct world *world);
void activate_key(struct world *world);
void suspend_key(struct world *world);
void rotate_key(struct world *world);
void revoke_key(struct world *world);
void delete_key(struct world *world);
void bulk_revoke(struct world *world);
void import_keys(struct world *world);

/*
 * gates.c, roles.c: what stands between a key and a VALID verdict beside its state: permissions, roles, addresses, credits.
 */

#define N_ROLES 3
#define N_CIDRS 3
extern const char *const role_ids[N_ROLES];
extern const char *const cidr_names[N_CIDRS];

/* What a verdict is asked for. */
struct asked {
	/* "": nothing. */
	char expression[160];
	/* Of each way in which the expression is fulfilled, the permissions that it takes: names of asked_names, a set each. */
	unsigned ways[2];
	size_t n_ways;
	/* A position in the addresses; the last is none. */
	size_t address;
	/* 0: 1. */
	uint64_t cost;
};

/* Draws what to ask; mostly nothing. */
struct asked draw_asked(struct world *world);
const char *address_of(const struct asked *asked);
bool address_fits(const struct world *world, const struct key *key, const struct asked *asked);
/* Whether the key's holder may, by its permissions and its roles. */
bool permissions_fit(const struct world *world, const struct key *key, const struct asked *asked);
uint64_t cost_of(const struct asked *asked);
/* The roles of this set as a list of ids, and the ranges; how many they are. */
size_t list_roles(unsigned set, const char *ret_list[static N_ROLES]);
size_t list_cidrs(unsigned set, const char *ret_list[static N_CIDRS]);
/* A set of roles that the tenant has. */
unsigned draw_roles(struct world *world, size_t tenant);
unsigned draw_cidrs(struct world *world);
/* The role of this tenant that is live; NONE. */
size_t find_role(const struct world *world, size_t tenant, const char *id);

void create_role(struct world *world);
void update_role(struct world *world);
void delete_role(struct world *world);
void limit_keyspace(struct world *world);
void adjust_credits(struct world *world);

/* races.c: many calls at a time that cannot all have their way. */
void race(struct world *world);

/* Takes a new key into the model, as it was made. */
void take_new_key(struct world *world, const struct client *client, size_t keyspace, const struct wish *wish,
	const Latchkey__V1__CreateKeyResponse *made);
/* Notes when and to what the key was changed, from how it was shown; `changed`: it was not so before. */
void take_change(struct world *world, struct key *key, const Latchkey__V1__Key *shown, bool changed);
/* Of a key that is over: takes as known what Get shows, and asks for no verdict on its tokens any more. */
void forget_secrets(struct world *world, struct key *key);

/* A random name; the same one comes again. Static or in the world's notes: copy it. */
const char *draw_name(struct world *world, char ret_room[static NAME_ROOM]);
/* An end for a key: none, past, very near, or far; 0: none. */
int64_t draw_expiry(struct world *world);
/* Marks the key revoked, or gone where its keyspace deletes what is revoked. */
void end_key(struct world *world, struct key *key, const char *reason);
/* The key's name for messages and requests: its id or, now and then, its number. In `ret_room`. */
const char *name_key(struct world *world, const struct key *key, char ret_room[static 40]);

/* checks.c, lists.c: whether the daemon agrees. */

void check_touched(struct world *world);
void check_everything(struct world *world);
/* Asks for one key by Get, and compares all of it. */
void check_get(struct world *world, size_t key);
/* Compares a key as it was shown with the model's. */
void compare_key(struct world *world, const Latchkey__V1__Key *shown, struct key *key);
/* Asks for a verdict on each of the key's tokens. */
void check_verdicts(struct world *world, size_t key);
void check_places(struct world *world);
/* Waits until the ids of what was deleted are free again, and takes them. */
void check_reaped(struct world *world);
void check_list(struct world *world);
/* Lists in small pages, with changes between the pages. */
void list_among_changes(struct world *world);
/* One of the operations that change something but start no race and no list. Runs it. */
void change_something(struct world *world);

/* audits.c: that the audit records of a key tell what happened to it, and that the chain holds. */
void check_audit(struct world *world, size_t key);
void check_chain(struct world *world);

/* What a filter asks for, drawn so that it often matches. `message` points into it. */
struct filter {
	Latchkey__V1__KeyFilter message;
	Latchkey__V1__KeyState states[2];
	Google__Protobuf__Timestamp instants[4];
	char prefix[8];
};
void draw_filter(struct world *world, struct filter *ret_filter);
/* What stands against it, in a tenant: a keyspace that is not granted or not there. */
unsigned against_filter(
	const struct world *world, const struct client *client, size_t tenant, const struct filter *filter);
/* Whether the key matches, at that time: NO, YES, or MAYBE. */
enum match {
	NO,
	YES,
	MAYBE
};
enum match matches(const struct world *world, const struct client *client, size_t tenant, const struct filter *filter,
	const struct key *key);

#endif
