/*
 * Typed calls: lk_channel_call() and lk_channel_start() for each method; see there for errors.
 *
 * Made by protoc-gen-latchkey from library.proto: not to be edited.
 */
#ifndef LIBRARY_CLIENT_H
#define LIBRARY_CLIENT_H

#include <latchkey/call.h>
#include <latchkey/channel.h>
#include <latchkey/error.h>
#include <latchkey/method.h>

#include "library.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct lk_method golden_library_v1_book_create_method;

/* Adds a book. */
LK_MUST_CHECK enum lk_err golden_library_v1_book_create(struct lk_channel *channel,
	const Golden__Library__V1__CreateBookRequest *request, Golden__Library__V1__CreateBookResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_book_create_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_book_create_done_fn)(enum lk_err err,
	Golden__Library__V1__CreateBookResponse *response, struct lk_call *call, void *context);

/* golden_library_v1_book_create() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_book_create_start(struct lk_channel *channel,
	const Golden__Library__V1__CreateBookRequest *request, struct lk_call *call,
	golden_library_v1_book_create_done_fn done, void *context);

extern const struct lk_method golden_library_v1_book_list_method;

/* Lists books by title. */
LK_MUST_CHECK enum lk_err golden_library_v1_book_list(struct lk_channel *channel,
	const Golden__Library__V1__ListBooksRequest *request, Golden__Library__V1__ListBooksResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_book_list_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_book_list_done_fn)(enum lk_err err,
	Golden__Library__V1__ListBooksResponse *response, struct lk_call *call, void *context);

/* golden_library_v1_book_list() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_book_list_start(struct lk_channel *channel,
	const Golden__Library__V1__ListBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_list_done_fn done, void *context);

extern const struct lk_method golden_library_v1_book_delete_method;

/* Takes books away. A keyword of C++ is a method's name like another. */
LK_MUST_CHECK enum lk_err golden_library_v1_book_delete(struct lk_channel *channel,
	const Golden__Library__V1__DeleteBooksRequest *request, Golden__Library__V1__DeleteBooksResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_book_delete_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_book_delete_done_fn)(enum lk_err err,
	Golden__Library__V1__DeleteBooksResponse *response, struct lk_call *call, void *context);

/* golden_library_v1_book_delete() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_book_delete_start(struct lk_channel *channel,
	const Golden__Library__V1__DeleteBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_delete_done_fn done, void *context);

extern const struct lk_method golden_library_v1_book_update_method;

/* Changes what update_mask names. */
LK_MUST_CHECK enum lk_err golden_library_v1_book_update(struct lk_channel *channel,
	const Golden__Library__V1__UpdateBookRequest *request, Golden__Library__V1__CreateBookResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_book_update_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_book_update_done_fn)(enum lk_err err,
	Golden__Library__V1__CreateBookResponse *response, struct lk_call *call, void *context);

/* golden_library_v1_book_update() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_book_update_start(struct lk_channel *channel,
	const Golden__Library__V1__UpdateBookRequest *request, struct lk_call *call,
	golden_library_v1_book_update_done_fn done, void *context);

extern const struct lk_method golden_library_v1_book_import_method;

/* Takes over the books of another library. */
LK_MUST_CHECK enum lk_err golden_library_v1_book_import(struct lk_channel *channel,
	const Golden__Library__V1__ImportBooksRequest *request, Golden__Library__V1__ImportBooksResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_book_import_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_book_import_done_fn)(enum lk_err err,
	Golden__Library__V1__ImportBooksResponse *response, struct lk_call *call, void *context);

/* golden_library_v1_book_import() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_book_import_start(struct lk_channel *channel,
	const Golden__Library__V1__ImportBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_import_done_fn done, void *context);

extern const struct lk_method golden_library_v1_desk_who_am_i_method;

/* Says who asks. */
LK_MUST_CHECK enum lk_err golden_library_v1_desk_who_am_i(struct lk_channel *channel,
	const Golden__Library__V1__Readers *request, Golden__Library__V1__Readers **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_library_v1_desk_who_am_i_start() has ended; see lk_done_fn. */
typedef void (*golden_library_v1_desk_who_am_i_done_fn)(enum lk_err err,
	Golden__Library__V1__Readers *response, struct lk_call *call, void *context);

/* golden_library_v1_desk_who_am_i() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_library_v1_desk_who_am_i_start(struct lk_channel *channel,
	const Golden__Library__V1__Readers *request, struct lk_call *call,
	golden_library_v1_desk_who_am_i_done_fn done, void *context);

#ifdef __cplusplus
}
#endif

#endif
