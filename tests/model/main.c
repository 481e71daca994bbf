/*
 * Random operations against a daemon and against a model of it; see model.h.
 *
 *	model [--seed N] [--steps N]
 *
 * Between the steps the daemon is stopped or killed, and started again. Without --seed each run is another one; what it was is
 * printed first.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

#define STEPS 2000

static void restart(struct world *world)
{
	bool kill = one_in(world, 2);

	note(world, kill ? "kill -9" : "SIGTERM");
	if (kill) {
		daemon_kill(&world->daemon);
	} else {
		daemon_stop(&world->daemon);
	}
	daemon_restart(&world->daemon, NULL);
	for (size_t i = 0; i < 8 && world->n_keys > 0; i++) {
		touch(world, pick(world, world->n_keys));
	}
}

static const struct operation operations[] = {
	{"create tenant", 8, create_tenant},
	{"update tenant", 4, update_tenant},
	{"delete tenant", 1, delete_tenant},
	{"create keyspace", 16, create_keyspace},
	{"update keyspace", 8, update_keyspace},
	{"delete keyspace", 3, delete_keyspace},
	{"create key", 110, create_key},
	{"update key", 50, update_key},
	{"activate key", 30, activate_key},
	{"suspend key", 28, suspend_key},
	{"rotate key", 40, rotate_key},
	{"revoke key", 14, revoke_key},
	{"delete key", 10, delete_key},
	{"bulk revoke", 6, bulk_revoke},
	{"import keys", 10, import_keys},
	{"create role", 12, create_role},
	{"update role", 10, update_role},
	{"delete role", 5, delete_role},
	{"limit keyspace", 6, limit_keyspace},
	{"adjust credits", 14, adjust_credits},
	{"restart", 2, restart},
	/* These are no single changes, and stand last. */
	{"race", 40, race},
	{"list among changes", 10, list_among_changes},
};
#define N_OPERATIONS (sizeof operations / sizeof operations[0])
#define N_CHANGES    (N_OPERATIONS - 2)

/* One of the first `n`. */
static const struct operation *pick_operation(struct world *world, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += operations[i].weight;
	}
	size_t at = pick(world, sum);
	for (size_t i = 0; i < n; i++) {
		if (at < operations[i].weight) {
			return &operations[i];
		}
		at -= operations[i].weight;
	}
	return NULL;
}

void change_something(struct world *world)
{
	pick_operation(world, N_CHANGES)->run(world);
}

static void open_client(struct world *world, size_t at, const char *name, const char *const *methods,
	const char *tenant, const char *keyspace)
{
	struct client *client = &world->clients[at];
	struct caller *operator= & world->clients[0].caller;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *tenants[] = {TEXT(tenant == NULL ? "*" : tenant)};
	char *keyspaces[] = {TEXT(keyspace == NULL ? "*" : keyspace)};

	*client = (struct client){.name = name, .methods = methods, .tenant = tenant, .keyspace = keyspace};
	if (at == 0) {
		(void)snprintf(client->caller_name, sizeof client->caller_name, "uid:%ld", (long)geteuid());
		caller_open(&client->caller, world->daemon.url, NULL);
		return;
	}
	while (methods[grant.n_methods] != NULL) {
		grant.n_methods++;
	}
	grant.methods = (char **)(uintptr_t)methods;
	grant.tenants = tenants;
	grant.n_tenants = 1;
	grant.keyspaces = keyspaces;
	grant.n_keyspaces = 1;
	const Latchkey__V1__CreateKeyResponse *root = say_create(operator, &(struct new_key){.tenant = "system",
									 .keyspace = "root",
									 .name = name,
									 .grant = &grant});
	CHECK_MSG(root != NULL, operator->call.message);
	(void)snprintf(client->caller_name, sizeof client->caller_name, "key:%s", root->key->id);
	caller_open(&client->caller, world->daemon.url, root->token);
}

static void open_clients(struct world *world)
{
	static const char *const all[] = {"*", NULL};
	static const char *const most[] = {"keys.*", "keyspaces.*", "tenants.*", "roles.*", NULL};
	static const char *const keys[] = {"keys.*", NULL};
	static const char *const reads[] = {"keys.get", "keys.list", "keys.verify", NULL};

	open_client(world, 0, "operator", all, NULL, NULL);
	open_client(world, 1, "everything", all, NULL, NULL);
	open_client(world, 2, "all of t0", most, "t0", NULL);
	open_client(world, 3, "keys of k0", keys, NULL, "k0");
	open_client(world, 4, "reader", reads, NULL, NULL);
}

/* Between a call and the same call again. */
static void between(void *context)
{
	struct world *world = context;

	if (one_in(world, 20)) {
		daemon_kill(&world->daemon);
		daemon_restart(&world->daemon, NULL);
	}
}

static void run_step(struct world *world)
{
	const struct operation *operation = pick_operation(world, N_OPERATIONS);
	bool twice = one_in(world, 10);

	for (size_t i = 0; i < N_CLIENTS; i++) {
		world->clients[i].caller.between = twice ? between : NULL;
		world->clients[i].caller.context = world;
	}
	operation->run(world);
	check_touched(world);
	if (one_in(world, 3)) {
		check_list(world);
	}
	for (size_t i = 0; i < N_CLIENTS; i++) {
		caller_forget(&world->clients[i].caller);
	}
}

static struct world the_world;

/* A check of what the test stands on failed, on this thread: what was done belongs to what went wrong. */
static void on_abort(int number)
{
	(void)number;
	mismatch(&the_world, "a check failed, see above");
}

static uint64_t number_of(const char *text)
{
	char *end = NULL;
	unsigned long long number = strtoull(text, &end, 10);

	CHECK_MSG(*text != '\0' && *end == '\0', text);
	return number;
}

static void close_world(struct world *world)
{
	for (size_t i = 0; i < N_CLIENTS; i++) {
		caller_close(&world->clients[i].caller);
	}
	daemon_remove(&world->daemon);
	free(world->tenants);
	free(world->keyspaces);
	free(world->keys);
	free(world->roles);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'}, {"steps", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
	uint64_t steps = STEPS;

	the_world.seed = (uint64_t)now_us() % 1000000;
	for (int option = 0; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		CHECK_MSG(option == 's' || option == 'n', "model [--seed N] [--steps N]");
		*(option == 's' ? &the_world.seed : &steps) = number_of(optarg);
	}
	printf("seed %" PRIu64 ", %" PRIu64 " steps\n", the_world.seed, steps);
	(void)fflush(stdout);
	the_world.random = the_world.seed;
	(void)signal(SIGABRT, on_abort);
	daemon_start(&the_world.daemon);
	open_clients(&the_world);
	for (the_world.step = 0; the_world.step < steps; the_world.step++) {
		run_step(&the_world);
	}
	check_everything(&the_world);
	check_reaped(&the_world);
	printf("%zu calls OK, %zu refused, %zu verdicts, %zu rows listed, %zu races, %zu keys: as the model has it\n",
		the_world.n_ok, the_world.n_refused, the_world.n_verdicts, the_world.n_listed, the_world.n_races,
		the_world.n_keys);
	close_world(&the_world);
	return 0;
}
