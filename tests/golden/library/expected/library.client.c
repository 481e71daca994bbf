/* Made by protoc-gen-latchkey from library.proto: not to be edited. */
#include "library.client.h"

const struct lk_method golden_library_v1_book_create_method = {
	.name = "golden.library.v1.BookService/Create",
	.access = "books.create",
	.request = &golden__library__v1__create_book_request__descriptor,
	.response = &golden__library__v1__create_book_response__descriptor,
	.effect = LK_EFFECT_WRITE,
	.large_request = false,
	.own = false,
};

enum lk_err golden_library_v1_book_create(struct lk_channel *channel,
	const Golden__Library__V1__CreateBookRequest *request, Golden__Library__V1__CreateBookResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_book_create_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__CreateBookResponse *)response;
	return err;
}

static void golden_library_v1_book_create_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_book_create_done_fn done = (golden_library_v1_book_create_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__CreateBookResponse *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_book_create_start(struct lk_channel *channel,
	const Golden__Library__V1__CreateBookRequest *request, struct lk_call *call,
	golden_library_v1_book_create_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_book_create_method, &request->base, call, golden_library_v1_book_create_done, NULL);
}

const struct lk_method golden_library_v1_book_list_method = {
	.name = "golden.library.v1.BookService/List",
	.access = "books.list",
	.request = &golden__library__v1__list_books_request__descriptor,
	.response = &golden__library__v1__list_books_response__descriptor,
	.effect = LK_EFFECT_SCAN,
	.large_request = false,
	.own = false,
};

enum lk_err golden_library_v1_book_list(struct lk_channel *channel,
	const Golden__Library__V1__ListBooksRequest *request, Golden__Library__V1__ListBooksResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_book_list_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__ListBooksResponse *)response;
	return err;
}

static void golden_library_v1_book_list_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_book_list_done_fn done = (golden_library_v1_book_list_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__ListBooksResponse *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_book_list_start(struct lk_channel *channel,
	const Golden__Library__V1__ListBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_list_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_book_list_method, &request->base, call, golden_library_v1_book_list_done, NULL);
}

const struct lk_method golden_library_v1_book_delete_method = {
	.name = "golden.library.v1.BookService/Delete",
	.access = "books.delete",
	.request = &golden__library__v1__delete_books_request__descriptor,
	.response = &golden__library__v1__delete_books_response__descriptor,
	.effect = LK_EFFECT_WRITE,
	.large_request = true,
	.own = false,
};

enum lk_err golden_library_v1_book_delete(struct lk_channel *channel,
	const Golden__Library__V1__DeleteBooksRequest *request, Golden__Library__V1__DeleteBooksResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_book_delete_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__DeleteBooksResponse *)response;
	return err;
}

static void golden_library_v1_book_delete_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_book_delete_done_fn done = (golden_library_v1_book_delete_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__DeleteBooksResponse *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_book_delete_start(struct lk_channel *channel,
	const Golden__Library__V1__DeleteBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_delete_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_book_delete_method, &request->base, call, golden_library_v1_book_delete_done, NULL);
}

const struct lk_method golden_library_v1_book_update_method = {
	.name = "golden.library.v1.BookService/Update",
	.access = "books.update",
	.request = &golden__library__v1__update_book_request__descriptor,
	.response = &golden__library__v1__create_book_response__descriptor,
	.effect = LK_EFFECT_WRITE,
	.large_request = false,
	.own = false,
};

enum lk_err golden_library_v1_book_update(struct lk_channel *channel,
	const Golden__Library__V1__UpdateBookRequest *request, Golden__Library__V1__CreateBookResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_book_update_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__CreateBookResponse *)response;
	return err;
}

static void golden_library_v1_book_update_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_book_update_done_fn done = (golden_library_v1_book_update_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__CreateBookResponse *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_book_update_start(struct lk_channel *channel,
	const Golden__Library__V1__UpdateBookRequest *request, struct lk_call *call,
	golden_library_v1_book_update_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_book_update_method, &request->base, call, golden_library_v1_book_update_done, NULL);
}

const struct lk_method golden_library_v1_book_import_method = {
	.name = "golden.library.v1.BookService/Import",
	.access = "books.import",
	.request = &golden__library__v1__import_books_request__descriptor,
	.response = &golden__library__v1__import_books_response__descriptor,
	.effect = LK_EFFECT_BULK,
	.large_request = true,
	.own = false,
};

enum lk_err golden_library_v1_book_import(struct lk_channel *channel,
	const Golden__Library__V1__ImportBooksRequest *request, Golden__Library__V1__ImportBooksResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_book_import_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__ImportBooksResponse *)response;
	return err;
}

static void golden_library_v1_book_import_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_book_import_done_fn done = (golden_library_v1_book_import_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__ImportBooksResponse *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_book_import_start(struct lk_channel *channel,
	const Golden__Library__V1__ImportBooksRequest *request, struct lk_call *call,
	golden_library_v1_book_import_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_book_import_method, &request->base, call, golden_library_v1_book_import_done, NULL);
}

const struct lk_method golden_library_v1_desk_who_am_i_method = {
	.name = "golden.library.v1.Desk/WhoAmI",
	.access = "caller",
	.request = &golden__library__v1__readers__descriptor,
	.response = &golden__library__v1__readers__descriptor,
	.effect = LK_EFFECT_READ,
	.large_request = false,
	.own = false,
};

enum lk_err golden_library_v1_desk_who_am_i(struct lk_channel *channel,
	const Golden__Library__V1__Readers *request, Golden__Library__V1__Readers **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_library_v1_desk_who_am_i_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Library__V1__Readers *)response;
	return err;
}

static void golden_library_v1_desk_who_am_i_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_library_v1_desk_who_am_i_done_fn done = (golden_library_v1_desk_who_am_i_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Library__V1__Readers *)response, call, call->typed_context);
}

enum lk_err golden_library_v1_desk_who_am_i_start(struct lk_channel *channel,
	const Golden__Library__V1__Readers *request, struct lk_call *call,
	golden_library_v1_desk_who_am_i_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_library_v1_desk_who_am_i_method, &request->base, call, golden_library_v1_desk_who_am_i_done, NULL);
}
