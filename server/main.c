/*
 * latchkeyd: reads its configuration, opens the store, serves until it is told to stop.
 *
 * The main thread only waits: for signals, and for the next time to look after the store. Exit codes: 0 after a stop that was
 * asked for, 1 where it could not start or serve, 2 for a wrong command line or config file.
 */
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "server/config.h"
#include "server/jose/fetch.h"
#include "server/jose/issuers.h"
#include "server/jose/memory.h"
#include "server/log.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/transport.h"
#include "server/store/store.h"

enum {
	EXIT_USAGE = 2,
	/* Until the last connection is gone. */
	CLOSE_MS = 1000,
	/* Scans that wait for the scanner's thread. */
	SCAN_QUEUE = 256,
	/* What a thread keeps of memory that it has freed; and what is so large that it goes back to the system at once. */
	KEPT_MAX = 4 << 20,
	KEPT_LARGEST = 1 << 20,
};

struct daemon {
	const struct lk_config *config;
	struct lk_store *store;
	struct lk_issuers *issuers;
	struct lk_dispatcher *dispatcher;
	struct lk_transport *transport;
};

/* Nothing that this process knows may end up in a core file, or be read by a debugger of its own user. */
static void harden(void)
{
	const struct rlimit none = {0, 0};
	struct rlimit files = {0};

	(void)umask(0007);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* The signals that stop the daemon, blocked before any thread is there to take them. */
static void block_signals(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set);
	(void)sigaddset(ret_set, SIGTERM);
	(void)sigaddset(ret_set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Its terminal may go: it serves on. */
	(void)signal(SIGHUP, SIG_IGN);
}

static int64_t now_us(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum lk_err open_transport(struct daemon *daemon, char *ret_message)
{
	const struct lk_config *config = daemon->config;
	const struct lk_transport_options options = {
		.urls = (const char *const *)config->listen,
		.n_urls = config->n_listen,
		.handler = lk_dispatcher_handler(daemon->dispatcher),
		.limits =
			{
				.exchanges_max = (uint32_t)config->exchanges_max,
				.exchanges_reserved = (uint32_t)config->exchanges_reserved,
				.connections_max = (uint32_t)config->connections_max,
				.in_flight_max = (uint32_t)config->in_flight_max,
			},
	};

	return lk_transport_open(&options, &daemon->transport, ret_message);
}

/* Without any configured there is nothing to start, and no credential is looked at for being a token. */
static enum lk_err start_issuers(struct daemon *daemon, char *ret_message, size_t size)
{
	const struct lk_config *config = daemon->config;

	if (config->n_issuers == 0) {
		return LK_OK;
	}
	lk_jose_wipe_memory();
	json_object_seed(0);
	enum lk_err err = lk_fetch_set_up();
	if (err == LK_OK) {
		err = lk_issuers_start(config->issuers, config->n_issuers, &daemon->issuers);
	}
	if (err != LK_OK) {
		(void)snprintf(ret_message, size, "cannot start with the issuers (%s): what was logged before says why",
			lk_err_text(err));
	}
	return err;
}

static enum lk_err start(struct daemon *daemon)
{
	char message[LK_TRANSPORT_FAULT_LEN > LK_STORE_MESSAGE_LEN ? LK_TRANSPORT_FAULT_LEN : LK_STORE_MESSAGE_LEN] =
		"";
	const struct lk_store_options store_options = {
		.dir = daemon->config->data_dir,
		.map_size = (size_t)daemon->config->map_size,
		.max_slots = daemon->config->slots_max,
		.now_us = now_us(),
	};
	enum lk_err err = lk_store_open(&store_options, &daemon->store, message);

	if (err == LK_OK) {
		err = start_issuers(daemon, message, sizeof(message));
	}
	if (err == LK_OK) {
		const struct lk_dispatcher_options dispatcher_options = {
			.store = daemon->store,
			.issuers = daemon->issuers,
			.write_queue = (size_t)daemon->config->writer_queue,
			.scan_queue = SCAN_QUEUE,
		};

		err = lk_dispatcher_new(&dispatcher_options, &daemon->dispatcher);
		if (err != LK_OK) {
			(void)snprintf(message, sizeof(message), "cannot start the dispatcher: %s", lk_err_text(err));
		}
	}
	if (err == LK_OK) {
		err = open_transport(daemon, message);
	}
	if (err != LK_OK) {
		LK_LOG(LK_LOG_ERROR, "cannot start", LK_STR("error", message), LK_STR("code", lk_err_name(err)));
	}
	return err;
}

/* "url=... url=..." would repeat a key; one line a URL would not be one event: so the URLs stand in one field. */
static void announce(const struct daemon *daemon)
{
	char urls[2048] = "";
	const char *url = NULL;
	size_t len = 0;

	for (size_t i = 0; (url = lk_transport_url(daemon->transport, i)) != NULL && len < sizeof(urls); i++) {
		len += (size_t)snprintf(urls + len, sizeof(urls) - len, "%s%s", i > 0 ? "," : "", url);
	}
	LK_LOG(LK_LOG_INFO, "ready", LK_STR("url", urls), LK_STR("data", daemon->config->data_dir),
		LK_STR("version", LK_VERSION), LK_INT("pid", getpid()));
	(void)sd_notify(0, "READY=1");
}

/* The end of the audit chain is logged, so that a chain that was cut off later shows. */
static void tend(const struct daemon *daemon)
{
	struct lk_store_state state = {0};
	char hash[2 * LK_DIGEST_LEN + 1] = "";
	enum lk_err err = lk_store_tend(daemon->store, &state);

	if (err != LK_OK) {
		LK_LOG(LK_LOG_ERROR, "cannot look after the store", LK_STR("code", lk_err_name(err)));
		return;
	}
	(void)sodium_bin2hex(hash, sizeof(hash), state.audit_hash, sizeof(state.audit_hash));
	LK_LOG(LK_LOG_INFO, "store", LK_UINT("revision", state.revision), LK_UINT("audit", state.last_audit),
		LK_STR("audit_hash", hash), LK_INT("dead_readers", state.dead_readers));
}

/* Returns the signal that ends the daemon. */
static int serve(const struct daemon *daemon, const sigset_t *signals)
{
	const struct timespec period = {.tv_sec = (time_t)daemon->config->slots_sync_s};
	int signal_number = -1;

	while (signal_number < 0) {
		tend(daemon);
		signal_number = sigtimedwait(signals, NULL, &period);
		if (signal_number < 0 && errno != EAGAIN && errno != EINTR) {
			return 0;
		}
	}
	return signal_number;
}

/*
 * Stops in the order of the arrows: nothing new comes in, what is under way is answered, the chores end and then the writer, the
 * connections are closed, then the issuers and the store. Where the transport cannot be closed, its threads may still hold
 * what would be freed: the slots are written, and the process ends as it is.
 */
static void stop(struct daemon *daemon)
{
	struct lk_store_state state = {0};

	(void)sd_notify(0, "STOPPING=1");
	if (daemon->transport != NULL &&
		lk_transport_drain(daemon->transport, (uint32_t)daemon->config->drain_ms) != LK_OK) {
		LK_LOG(LK_LOG_WARN, "requests are left unanswered");
	}
	if (daemon->dispatcher != NULL) {
		lk_dispatcher_stop(daemon->dispatcher);
	}
	if (lk_transport_close(daemon->transport, CLOSE_MS) != LK_OK) {
		LK_LOG(LK_LOG_WARN, "the transport did not close in time");
		(void)!lk_store_tend(daemon->store, &state);
		_exit(EXIT_SUCCESS);
	}
	lk_dispatcher_free(daemon->dispatcher);
	lk_issuers_stop(daemon->issuers);
	lk_store_close(daemon->store);
}

/*
 * Batches take some hundred KiB each, which malloc would give back behind every one, and the kernel make anew, page by page, for
 * the next. Both are hints: where they are not taken, it goes slower.
 */
static void keep_memory(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_MAX);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_LARGEST);
}

static int run(const struct lk_config *config)
{
	struct daemon daemon = {.config = config};
	enum lk_err err = LK_OK;
	int signal_number = 0;
	sigset_t signals;

	lk_log_setup(STDERR_FILENO, config->log_level);
	harden();
	keep_memory();
	block_signals(&signals);
	if (sodium_init() < 0) {
		LK_LOG(LK_LOG_ERROR, "cannot start", LK_STR("error", "libsodium finds no source of randomness"));
		return EXIT_FAILURE;
	}
	err = start(&daemon);
	if (err == LK_OK) {
		announce(&daemon);
		signal_number = serve(&daemon, &signals);
		LK_LOG(LK_LOG_INFO, "stopping", LK_STR("signal", strsignal(signal_number)));
	}
	stop(&daemon);
	if (err == LK_OK) {
		LK_LOG(LK_LOG_INFO, "stopped");
	}
	return err == LK_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_help(void)
{
	char *help = lk_config_help();
	int shown = help != NULL ? fputs(help, stdout) : EOF;

	free(help);
	return shown >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
	struct lk_config config = {0};
	char *faults = NULL;
	enum lk_err err = lk_config_load(argc, argv, &config, &faults);
	int code = EXIT_USAGE;

	if (err == LK_INVALID_ARGUMENT) {
		(void)fprintf(stderr, "%s\n", faults);
	} else if (err != LK_OK) {
		(void)fprintf(stderr, "latchkeyd: %s\n", lk_err_text(err));
	} else if (config.action == LK_CONFIG_HELP) {
		code = show_help();
	} else if (config.action == LK_CONFIG_VERSION) {
		code = printf("latchkeyd %s\n", LK_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	} else {
		code = run(&config);
	}
	free(faults);
	lk_config_done(&config);
	return code;
}
