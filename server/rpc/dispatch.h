/*
 * The dispatcher: takes requests from a transport, and leads each to its method and back.
 *
 *	scan the envelope, find the method, take a snapshot, see who calls and whether that is allowed, check and unpack the message
 *	read:   answer in the transport's own call
 *	scan:   park; the scanner's thread takes a snapshot of its own, and answers
 *	bulk:   park; the scanner's thread builds the Change and hands it to the writer
 *	write:  build the Change, park, hand it to the writer; the answer goes out when it is durable
 *
 * An exchange's job is its state: an arena and a snapshot that are kept from request to request.
 */
#ifndef LK_SERVER_RPC_DISPATCH_H
#define LK_SERVER_RPC_DISPATCH_H

#include <stddef.h>

#include <latchkey/error.h>

#include "server/rpc/exchange.h"
#include "server/store/store.h"

struct lk_dispatcher;
struct lk_issuers;

struct lk_dispatcher_options {
	struct lk_store *store;
	/* Whose tokens are taken as credentials; NULL: nobody's. To outlive the dispatcher. */
	struct lk_issuers *issuers;
	/*
	 * The most writes that wait for the writer, urgent ones and others each, and the most scans that wait for the
	 * scanner; past them RESOURCE_EXHAUSTED.
	 */
	size_t write_queue;
	size_t scan_queue;
};

/* Makes a dispatcher, and starts the threads of the writer, the chores and the scanner. LK_NO_MEMORY, LK_RESOURCE_EXHAUSTED. */
LK_MUST_CHECK enum lk_err lk_dispatcher_new(
	const struct lk_dispatcher_options *options, struct lk_dispatcher **ret_dispatcher);

/* What a transport hands its exchanges to; good until lk_dispatcher_free(). */
struct lk_rpc_handler lk_dispatcher_handler(struct lk_dispatcher *dispatcher);

/* Answers what is queued, and ends the threads; no new request comes in any more. Blocks. */
void lk_dispatcher_stop(struct lk_dispatcher *dispatcher);

/* Frees; after lk_dispatcher_stop(), and when every exchange is closed. Takes NULL. */
void lk_dispatcher_free(struct lk_dispatcher *dispatcher);

#endif
