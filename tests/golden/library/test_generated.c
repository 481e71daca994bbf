/*
 * What is generated from library.proto does what it should. The runtime that the client stubs call is this test itself: it shows
 * what a stub hands over, and answers as it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "book.wire.h"
#include "envelope.wire.h"
#include "library.client.h"
#include "library.flags.h"
#include "library.server.h"
#include "library.wire.h"

typedef Golden__Library__V1__CreateBookRequest create_request;
typedef Golden__Library__V1__CreateBookResponse create_response;
typedef Golden__Library__V1__ListBooksRequest list_request;
typedef Golden__Library__V1__ListBooksResponse list_response;

/* What the runtime was called with, and what it answers. */
static struct {
	struct lk_channel *channel;
	const struct lk_method *method;
	const ProtobufCMessage *request;
	struct lk_call *call;
	lk_done_fn done;
	void *context;
	enum lk_err err;
	ProtobufCMessage *response;
} runtime;

enum lk_err lk_channel_call(struct lk_channel *channel, const struct lk_method *method, const ProtobufCMessage *request,
	ProtobufCMessage **ret_response, struct lk_call *call)
{
	runtime.channel = channel;
	runtime.method = method;
	runtime.request = request;
	runtime.call = call;
	if (runtime.err == LK_OK)
		*ret_response = runtime.response;
	return runtime.err;
}

enum lk_err lk_channel_start(struct lk_channel *channel, const struct lk_method *method,
	const ProtobufCMessage *request, struct lk_call *call, lk_done_fn done, void *context)
{
	runtime.channel = channel;
	runtime.method = method;
	runtime.request = request;
	runtime.call = call;
	runtime.done = done;
	runtime.context = context;
	return runtime.err;
}

static int reset(void **state)
{
	(void)state;
	memset(&runtime, 0, sizeof(runtime));
	return 0;
}

/* A pointer that is never followed. */
static struct lk_channel *some_channel(void)
{
	static char channel;

	return (struct lk_channel *)&channel;
}

static void test_client_call_hands_over_and_returns(void **state)
{
	list_request request = GOLDEN__LIBRARY__V1__LIST_BOOKS_REQUEST__INIT;
	list_response answer = GOLDEN__LIBRARY__V1__LIST_BOOKS_RESPONSE__INIT;
	list_response *response = NULL;
	struct lk_call call = LK_CALL_INIT;

	(void)state;
	runtime.response = &answer.base;
	assert_int_equal(golden_library_v1_book_list(some_channel(), &request, &response, &call), LK_OK);
	assert_ptr_equal(runtime.channel, some_channel());
	assert_ptr_equal(runtime.method, &golden_library_v1_book_list_method);
	assert_ptr_equal(runtime.request, &request);
	assert_ptr_equal(runtime.call, &call);
	assert_ptr_equal(response, &answer);
}

static void test_client_failed_call_leaves_response(void **state)
{
	list_request request = GOLDEN__LIBRARY__V1__LIST_BOOKS_REQUEST__INIT;
	list_response untouched = GOLDEN__LIBRARY__V1__LIST_BOOKS_RESPONSE__INIT;
	list_response *response = &untouched;

	(void)state;
	runtime.err = LK_NOT_FOUND;
	assert_int_equal(golden_library_v1_book_list(some_channel(), &request, &response, NULL), LK_NOT_FOUND);
	assert_ptr_equal(response, &untouched);
}

struct told {
	enum lk_err err;
	list_response *response;
	struct lk_call *call;
	int times;
};

static void tell(enum lk_err err, list_response *response, struct lk_call *call, void *context)
{
	struct told *told = context;

	*told = (struct told){.err = err, .response = response, .call = call, .times = told->times + 1};
}

static void test_client_start_tells_the_typed_callback(void **state)
{
	list_request request = GOLDEN__LIBRARY__V1__LIST_BOOKS_REQUEST__INIT;
	list_response answer = GOLDEN__LIBRARY__V1__LIST_BOOKS_RESPONSE__INIT;
	struct lk_call call = LK_CALL_INIT;
	struct told told = {0};

	(void)state;
	assert_int_equal(golden_library_v1_book_list_start(some_channel(), &request, &call, tell, &told), LK_OK);
	assert_ptr_equal(runtime.method, &golden_library_v1_book_list_method);
	assert_ptr_equal(runtime.request, &request);
	assert_int_equal(told.times, 0);
	runtime.done(LK_OK, &answer.base, &call, runtime.context);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.err, LK_OK);
	assert_ptr_equal(told.response, &answer);
	assert_ptr_equal(told.call, &call);
	runtime.done(LK_UNAVAILABLE, NULL, &call, runtime.context);
	assert_int_equal(told.err, LK_UNAVAILABLE);
	assert_null(told.response);
}

static void test_client_start_returns_the_failure(void **state)
{
	list_request request = GOLDEN__LIBRARY__V1__LIST_BOOKS_REQUEST__INIT;
	struct lk_call call = LK_CALL_INIT;
	struct told told = {0};

	(void)state;
	runtime.err = LK_NO_MEMORY;
	assert_int_equal(golden_library_v1_book_list_start(some_channel(), &request, &call, tell, &told), LK_NO_MEMORY);
	assert_int_equal(told.times, 0);
}

static void check_method(
	const struct lk_method *method, const char *name, const char *access, enum lk_effect effect, bool large_request)
{
	assert_string_equal(method->name, name);
	assert_string_equal(method->access, access);
	assert_int_equal(method->effect, effect);
	assert_int_equal(method->large_request, large_request);
}

static void test_methods_say_what_their_options_say(void **state)
{
	const struct lk_method *create = &golden_library_v1_book_create_method;

	(void)state;
	check_method(create, "golden.library.v1.BookService/Create", "books.create", LK_EFFECT_WRITE, false);
	check_method(&golden_library_v1_book_list_method, "golden.library.v1.BookService/List", "books.list",
		LK_EFFECT_SCAN, false);
	check_method(&golden_library_v1_book_delete_method, "golden.library.v1.BookService/Delete", "books.delete",
		LK_EFFECT_WRITE, true);
	check_method(&golden_library_v1_desk_who_am_i_method, "golden.library.v1.Desk/WhoAmI", "caller", LK_EFFECT_READ,
		false);
	assert_ptr_equal(create->request, &golden__library__v1__create_book_request__descriptor);
	assert_ptr_equal(create->response, &golden__library__v1__create_book_response__descriptor);
}

/* The method of this name in the service's table. */
static const struct lk_server_method *find_method(const struct lk_server_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		if (strcmp(strchr(service->methods[i].method->name, '/') + 1, name) == 0)
			return &service->methods[i];
	}
	fail_msg("no method %s", name);
	return NULL;
}

static void test_server_without_handlers_is_unimplemented(void **state)
{
	const struct golden_library_v1_book_handlers handlers = {0};
	const struct lk_server_method *list = find_method(&golden_library_v1_book_service, "List");
	const struct lk_server_method *create = find_method(&golden_library_v1_book_service, "Create");
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	list_request request = GOLDEN__LIBRARY__V1__LIST_BOOKS_REQUEST__INIT;
	list_response response = GOLDEN__LIBRARY__V1__LIST_BOOKS_RESPONSE__INIT;

	(void)state;
	assert_string_equal(golden_library_v1_book_service.name, "golden.library.v1.BookService");
	assert_int_equal(golden_library_v1_book_service.n_methods, 5);
	assert_int_equal(list->answer(&handlers, NULL, &request.base, &response.base), LK_UNIMPLEMENTED);
	assert_null(list->build);
	assert_null(list->reply);
	assert_int_equal(create->build(&handlers, NULL, &request.base, &change, &response.base), LK_UNIMPLEMENTED);
	create->reply(&handlers, NULL, &request.base, &change, &response.base);
	assert_null(create->answer);
}

static const void *seen[4];

static enum lk_err list_books(struct lk_request *request, const list_request *message, list_response *response)
{
	seen[0] = request;
	seen[1] = message;
	seen[2] = response;
	return LK_ABORTED;
}

static enum lk_err build_book(struct lk_request *request, const create_request *message,
	Latchkey__Store__Change *change, create_response *response)
{
	seen[0] = request;
	seen[1] = message;
	seen[2] = response;
	seen[3] = change;
	return LK_ALREADY_EXISTS;
}

static void reply_book(struct lk_request *request, const create_request *message, const Latchkey__Store__Change *change,
	create_response *response)
{
	seen[0] = response;
	seen[1] = change;
	seen[2] = message;
	seen[3] = request;
}

static void test_server_trampolines_reach_the_handlers(void **state)
{
	const struct golden_library_v1_book_handlers handlers = {
		.list = list_books,
		.create = {.build = build_book, .reply = reply_book},
	};
	const struct lk_server_method *list = find_method(&golden_library_v1_book_service, "List");
	const struct lk_server_method *create = find_method(&golden_library_v1_book_service, "Create");
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	create_request request = GOLDEN__LIBRARY__V1__CREATE_BOOK_REQUEST__INIT;
	create_response response = GOLDEN__LIBRARY__V1__CREATE_BOOK_RESPONSE__INIT;
	struct lk_request *context = (struct lk_request *)(void *)&request;

	(void)state;
	assert_int_equal(list->answer(&handlers, context, &request.base, &response.base), LK_ABORTED);
	assert_true(seen[0] == context && seen[1] == &request && seen[2] == &response);
	assert_int_equal(create->build(&handlers, context, &request.base, &change, &response.base), LK_ALREADY_EXISTS);
	assert_true(seen[0] == context && seen[1] == &request && seen[2] == &response && seen[3] == &change);
	create->reply(&handlers, context, &request.base, &change, &response.base);
	assert_true(seen[0] == &response && seen[1] == &change && seen[2] == &request && seen[3] == context);
}

/* Rules stand beside the fields that they are of, down to the last message; returns how many messages there were. */
static size_t check_wire(const struct lk_wire_message *wire)
{
	size_t n_messages = 1;

	for (unsigned i = 0; i < wire->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &wire->descriptor->fields[i];

		if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
			assert_null(wire->fields[i].message);
			continue;
		}
		assert_non_null(wire->fields[i].message);
		assert_ptr_equal(wire->fields[i].message->descriptor, field->descriptor);
		n_messages += check_wire(wire->fields[i].message);
	}
	return n_messages;
}

static const struct lk_wire_field *wire_field(const struct lk_wire_message *wire, const char *name)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(wire->descriptor, name);

	assert_non_null(field);
	return &wire->fields[field - wire->descriptor->fields];
}

static void test_wire_rules_stand_beside_their_fields(void **state)
{
	const struct lk_wire_message *book = &golden__library__v1__book__wire;

	(void)state;
	/* Book, Author, two entries, Review, Readers, a Duration and three Timestamps. */
	assert_int_equal(check_wire(book), 10);
	check_wire(&golden__library__v1__create_book_request__wire);
	check_wire(&golden__library__v1__request__wire);
	assert_int_equal(wire_field(book, "shelf")->max_length, 32);
	assert_int_equal(wire_field(book, "words")->max_items, 8);
	assert_true(wire_field(book, "words")->is_map);
	assert_true(wire_field(book, "reviews")->is_map);
	assert_false(wire_field(book, "author")->is_map);
	assert_true(wire_field(book, "author")->apart);
	assert_false(wire_field(book, "reviews")->apart);
	assert_int_equal(wire_field(&golden__library__v1__book__author__wire, "pseudonyms")->max_items, 4);
	assert_int_equal(wire_field(&golden__library__v1__book__author__wire, "pseudonyms")->max_length, 80);
	assert_null(golden__library__v1__delete_books_response__wire.fields);
	assert_ptr_equal(
		find_method(&golden_library_v1_desk_service, "WhoAmI")->request, &golden__library__v1__readers__wire);
}

/* The field at the end of a flag's path. */
static const ProtobufCFieldDescriptor *follow(const ProtobufCMessageDescriptor *message, const char *path)
{
	char name[64];
	size_t len = strcspn(path, ".");
	const ProtobufCFieldDescriptor *field;

	assert_true(len < sizeof(name));
	memcpy(name, path, len);
	name[len] = '\0';
	field = protobuf_c_message_descriptor_get_field_by_name(message, name);
	assert_non_null(field);
	return path[len] == '.' ? follow(field->descriptor, path + len + 1) : field;
}

static void check_flags(const struct lk_cli_method *method)
{
	for (size_t i = 0; i < method->n_flags; i++) {
		const struct lk_flag *flag = &method->flags[i];
		const ProtobufCFieldDescriptor *field = follow(method->method->request, flag->path);

		assert_int_equal(
			flag->repeated, field->label == PROTOBUF_C_LABEL_REPEATED || flag->kind == LK_FLAG_MASK);
		assert_true(!flag->ago || flag->kind == LK_FLAG_TIMESTAMP);
		assert_int_equal(flag->kind == LK_FLAG_ENUM, field->type == PROTOBUF_C_TYPE_ENUM);
		assert_int_equal(flag->kind == LK_FLAG_BYTES, field->type == PROTOBUF_C_TYPE_BYTES);
		assert_int_equal(flag->kind == LK_FLAG_STRING, field->type == PROTOBUF_C_TYPE_STRING);
		assert_int_equal(flag->kind == LK_FLAG_BOOL, field->type == PROTOBUF_C_TYPE_BOOL);
		assert_int_equal(flag->enum_prefix != NULL, flag->kind == LK_FLAG_ENUM);
		assert_true(strlen(flag->help) > 0);
	}
}

static const struct lk_flag *find_flag(const struct lk_cli_method *method, const char *name)
{
	for (size_t i = 0; i < method->n_flags; i++) {
		if (strcmp(method->flags[i].name, name) == 0)
			return &method->flags[i];
	}
	return NULL;
}

static void test_flags_lead_to_the_fields(void **state)
{
	const struct lk_cli_service *books = &golden_library_v1_book_cli;
	const struct lk_cli_method *create = &books->methods[0];
	const struct lk_cli_method *list = &books->methods[1];

	(void)state;
	assert_string_equal(books->noun, "book");
	assert_string_equal(books->help, "Looks after the books. It has a method of every kind.");
	assert_string_equal(golden_library_v1_desk_cli.methods[0].verb, "who-am-i");
	for (size_t i = 0; i < books->n_methods; i++)
		check_flags(&books->methods[i]);
	assert_string_equal(find_flag(create, "binding")->metavar, "paper|half_cloth");
	assert_string_equal(find_flag(create, "binding")->enum_prefix, "BINDING_");
	assert_null(find_flag(create, "donor"));
	assert_null(find_flag(create, "help"));
	assert_string_equal(find_flag(create, "advice-help")->path, "advice.help");
	assert_string_equal(find_flag(create, "pages")->path, "advice.pages");
	assert_int_equal(find_flag(create, "time")->kind, LK_FLAG_TIMESTAMP);
	assert_int_equal(find_flag(create, "words")->kind, LK_FLAG_MAP);
	assert_string_equal(find_flag(list, "room")->path, "room");
	assert_string_equal(find_flag(list, "filter-place-room")->path, "filter.place.room");
	assert_string_equal(find_flag(list, "except-shelf")->path, "except.shelf");
}

static void test_flags_obey_their_rules(void **state)
{
	const struct lk_cli_service *books = &golden_library_v1_book_cli;
	const struct lk_cli_method *update = &books->methods[3], *import = &books->methods[4];

	(void)state;
	assert_int_equal(find_flag(update, "update-mask")->kind, LK_FLAG_MASK);
	assert_string_equal(find_flag(update, "update-mask")->metavar, "FIELD");
	assert_non_null(find_flag(update, "reader"));
	assert_null(find_flag(update, "times"));
	assert_null(find_flag(import, "books"));
	assert_true(find_flag(import, "after")->ago);
	assert_false(find_flag(import, "due")->ago);
	assert_int_equal(import->method->effect, LK_EFFECT_BULK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_client_call_hands_over_and_returns, reset),
		cmocka_unit_test_setup(test_client_failed_call_leaves_response, reset),
		cmocka_unit_test_setup(test_client_start_tells_the_typed_callback, reset),
		cmocka_unit_test_setup(test_client_start_returns_the_failure, reset),
		cmocka_unit_test(test_methods_say_what_their_options_say),
		cmocka_unit_test(test_server_without_handlers_is_unimplemented),
		cmocka_unit_test(test_server_trampolines_reach_the_handlers),
		cmocka_unit_test(test_wire_rules_stand_beside_their_fields),
		cmocka_unit_test(test_flags_lead_to_the_fields),
		cmocka_unit_test(test_flags_obey_their_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
