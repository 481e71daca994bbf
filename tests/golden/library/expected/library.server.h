/*
 * A service's handlers, and the table that leads to them; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from library.proto: not to be edited.
 */
#ifndef LIBRARY_SERVER_H
#define LIBRARY_SERVER_H

#include "library.pb-c.h"
#include "server/service/method.h"

/*
 * Looks after the books.
 * It has a method of every kind.
 */
struct golden_library_v1_book_handlers {
	/* Adds a book. */
	struct {
		enum lk_err (*build)(struct lk_request *request,
			const Golden__Library__V1__CreateBookRequest *message, Latchkey__Store__Change *change,
			Golden__Library__V1__CreateBookResponse *response);
		/* May be NULL: there is nothing to add. */
		void (*reply)(struct lk_request *request,
			const Golden__Library__V1__CreateBookRequest *message, const Latchkey__Store__Change *change,
			Golden__Library__V1__CreateBookResponse *response);
	} create;
	/* Lists books by title. */
	enum lk_err (*list)(struct lk_request *request,
		const Golden__Library__V1__ListBooksRequest *message, Golden__Library__V1__ListBooksResponse *response);
	/* Takes books away. A keyword of C++ is a method's name like another. */
	struct {
		enum lk_err (*build)(struct lk_request *request,
			const Golden__Library__V1__DeleteBooksRequest *message, Latchkey__Store__Change *change,
			Golden__Library__V1__DeleteBooksResponse *response);
		/* May be NULL: there is nothing to add. */
		void (*reply)(struct lk_request *request,
			const Golden__Library__V1__DeleteBooksRequest *message, const Latchkey__Store__Change *change,
			Golden__Library__V1__DeleteBooksResponse *response);
	} delete_;
	/* Changes what update_mask names. */
	struct {
		enum lk_err (*build)(struct lk_request *request,
			const Golden__Library__V1__UpdateBookRequest *message, Latchkey__Store__Change *change,
			Golden__Library__V1__CreateBookResponse *response);
		/* May be NULL: there is nothing to add. */
		void (*reply)(struct lk_request *request,
			const Golden__Library__V1__UpdateBookRequest *message, const Latchkey__Store__Change *change,
			Golden__Library__V1__CreateBookResponse *response);
	} update;
	/* Takes over the books of another library. */
	struct {
		enum lk_err (*build)(struct lk_request *request,
			const Golden__Library__V1__ImportBooksRequest *message, Latchkey__Store__Change *change,
			Golden__Library__V1__ImportBooksResponse *response);
		/* May be NULL: there is nothing to add. */
		void (*reply)(struct lk_request *request,
			const Golden__Library__V1__ImportBooksRequest *message, const Latchkey__Store__Change *change,
			Golden__Library__V1__ImportBooksResponse *response);
	} import;
};

extern const struct lk_server_service golden_library_v1_book_service;

/* Answers questions about the library itself. */
struct golden_library_v1_desk_handlers {
	/* Says who asks. */
	enum lk_err (*who_am_i)(struct lk_request *request,
		const Golden__Library__V1__Readers *message, Golden__Library__V1__Readers *response);
};

extern const struct lk_server_service golden_library_v1_desk_service;

#endif
