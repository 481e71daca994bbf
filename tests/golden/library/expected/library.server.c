/* Made by protoc-gen-latchkey from library.proto: not to be edited. */
#include "library.server.h"

#include "library.client.h"
#include "book.wire.h"
#include "library.wire.h"

static enum lk_err golden_library_v1_book_create_build(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (!typed->create.build)
		return LK_UNIMPLEMENTED;
	return typed->create.build(request, (const Golden__Library__V1__CreateBookRequest *)message,
		change, (Golden__Library__V1__CreateBookResponse *)response);
}

static void golden_library_v1_book_create_reply(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, const Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (typed->create.reply)
		typed->create.reply(request, (const Golden__Library__V1__CreateBookRequest *)message,
			change, (Golden__Library__V1__CreateBookResponse *)response);
}

static enum lk_err golden_library_v1_book_list_answer(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (!typed->list)
		return LK_UNIMPLEMENTED;
	return typed->list(request, (const Golden__Library__V1__ListBooksRequest *)message,
		(Golden__Library__V1__ListBooksResponse *)response);
}

static enum lk_err golden_library_v1_book_delete_build(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (!typed->delete_.build)
		return LK_UNIMPLEMENTED;
	return typed->delete_.build(request, (const Golden__Library__V1__DeleteBooksRequest *)message,
		change, (Golden__Library__V1__DeleteBooksResponse *)response);
}

static void golden_library_v1_book_delete_reply(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, const Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (typed->delete_.reply)
		typed->delete_.reply(request, (const Golden__Library__V1__DeleteBooksRequest *)message,
			change, (Golden__Library__V1__DeleteBooksResponse *)response);
}

static enum lk_err golden_library_v1_book_update_build(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (!typed->update.build)
		return LK_UNIMPLEMENTED;
	return typed->update.build(request, (const Golden__Library__V1__UpdateBookRequest *)message,
		change, (Golden__Library__V1__CreateBookResponse *)response);
}

static void golden_library_v1_book_update_reply(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, const Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (typed->update.reply)
		typed->update.reply(request, (const Golden__Library__V1__UpdateBookRequest *)message,
			change, (Golden__Library__V1__CreateBookResponse *)response);
}

static enum lk_err golden_library_v1_book_import_build(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (!typed->import.build)
		return LK_UNIMPLEMENTED;
	return typed->import.build(request, (const Golden__Library__V1__ImportBooksRequest *)message,
		change, (Golden__Library__V1__ImportBooksResponse *)response);
}

static void golden_library_v1_book_import_reply(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, const Latchkey__Store__Change *change,
	ProtobufCMessage *response)
{
	const struct golden_library_v1_book_handlers *typed = handlers;

	if (typed->import.reply)
		typed->import.reply(request, (const Golden__Library__V1__ImportBooksRequest *)message,
			change, (Golden__Library__V1__ImportBooksResponse *)response);
}

static const struct lk_server_method golden_library_v1_book_methods[] = {
	{
		.method = &golden_library_v1_book_create_method,
		.request = &golden__library__v1__create_book_request__wire,
		.build = golden_library_v1_book_create_build,
		.reply = golden_library_v1_book_create_reply,
	},
	{
		.method = &golden_library_v1_book_list_method,
		.request = &golden__library__v1__list_books_request__wire,
		.answer = golden_library_v1_book_list_answer,
	},
	{
		.method = &golden_library_v1_book_delete_method,
		.request = &golden__library__v1__delete_books_request__wire,
		.build = golden_library_v1_book_delete_build,
		.reply = golden_library_v1_book_delete_reply,
	},
	{
		.method = &golden_library_v1_book_update_method,
		.request = &golden__library__v1__update_book_request__wire,
		.build = golden_library_v1_book_update_build,
		.reply = golden_library_v1_book_update_reply,
	},
	{
		.method = &golden_library_v1_book_import_method,
		.request = &golden__library__v1__import_books_request__wire,
		.build = golden_library_v1_book_import_build,
		.reply = golden_library_v1_book_import_reply,
	},
};

const struct lk_server_service golden_library_v1_book_service = {
	.name = "golden.library.v1.BookService",
	.methods = golden_library_v1_book_methods,
	.n_methods = sizeof(golden_library_v1_book_methods) / sizeof(golden_library_v1_book_methods[0]),
};

static enum lk_err golden_library_v1_desk_who_am_i_answer(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, ProtobufCMessage *response)
{
	const struct golden_library_v1_desk_handlers *typed = handlers;

	if (!typed->who_am_i)
		return LK_UNIMPLEMENTED;
	return typed->who_am_i(request, (const Golden__Library__V1__Readers *)message,
		(Golden__Library__V1__Readers *)response);
}

static const struct lk_server_method golden_library_v1_desk_methods[] = {
	{
		.method = &golden_library_v1_desk_who_am_i_method,
		.request = &golden__library__v1__readers__wire,
		.answer = golden_library_v1_desk_who_am_i_answer,
	},
};

const struct lk_server_service golden_library_v1_desk_service = {
	.name = "golden.library.v1.Desk",
	.methods = golden_library_v1_desk_methods,
	.n_methods = sizeof(golden_library_v1_desk_methods) / sizeof(golden_library_v1_desk_methods[0]),
};
