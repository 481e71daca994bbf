/* Made by protoc-gen-latchkey from library.proto: not to be edited. */
#include "library.flags.h"

#include "library.client.h"

static const struct lk_flag golden_library_v1_book_create_flags[] = {
	{
		.name = "title",
		.path = "title",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "The title.",
	},
	{
		.name = "binding",
		.path = "binding",
		.kind = LK_FLAG_ENUM,
		.repeated = false,
		.metavar = "paper|half_cloth",
		.enum_prefix = "BINDING_",
		.help = "What it is bound in.",
	},
	{
		.name = "authors",
		.path = "authors",
		.kind = LK_FLAG_STRING,
		.repeated = true,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "The authors' names.",
	},
	{
		.name = "time",
		.path = "time",
		.kind = LK_FLAG_TIMESTAMP,
		.repeated = false,
		.metavar = "TIME",
		.enum_prefix = NULL,
		.help = "When it came.",
	},
	{
		.name = "words",
		.path = "words",
		.kind = LK_FLAG_MAP,
		.repeated = true,
		.metavar = "KEY=VALUE",
		.enum_prefix = NULL,
		.help = "Its words.",
	},
	{
		.name = "cover",
		.path = "cover",
		.kind = LK_FLAG_BYTES,
		.repeated = false,
		.metavar = "BASE64",
		.enum_prefix = NULL,
		.help = "Its cover.",
	},
	{
		.name = "advice-help",
		.path = "advice.help",
		.kind = LK_FLAG_BOOL,
		.repeated = false,
		.metavar = NULL,
		.enum_prefix = NULL,
		.help = "Ask for it.",
	},
	{
		.name = "pages",
		.path = "advice.pages",
		.kind = LK_FLAG_INT,
		.repeated = false,
		.metavar = "N",
		.enum_prefix = NULL,
		.help = "How much of it.",
	},
};

static const struct lk_flag golden_library_v1_book_list_flags[] = {
	{
		.name = "filter-shelf",
		.path = "filter.shelf",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "On this shelf.",
	},
	{
		.name = "filter-word",
		.path = "filter.word",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "With this word.",
	},
	{
		.name = "filter-place-room",
		.path = "filter.place.room",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "In this room.",
	},
	{
		.name = "filter-place-floor",
		.path = "filter.place.floor",
		.kind = LK_FLAG_INT,
		.repeated = false,
		.metavar = "N",
		.enum_prefix = NULL,
		.help = "On this floor.",
	},
	{
		.name = "except-shelf",
		.path = "except.shelf",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "On this shelf.",
	},
	{
		.name = "except-word",
		.path = "except.word",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "With this word.",
	},
	{
		.name = "except-place-room",
		.path = "except.place.room",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "In this room.",
	},
	{
		.name = "except-place-floor",
		.path = "except.place.floor",
		.kind = LK_FLAG_INT,
		.repeated = false,
		.metavar = "N",
		.enum_prefix = NULL,
		.help = "On this floor.",
	},
	{
		.name = "room",
		.path = "room",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "The room in which the reader waits.",
	},
	{
		.name = "page-size",
		.path = "page_size",
		.kind = LK_FLAG_UINT,
		.repeated = false,
		.metavar = "N",
		.enum_prefix = NULL,
		.help = "The most books to return.",
	},
};

static const struct lk_flag golden_library_v1_book_delete_flags[] = {
	{
		.name = "titles",
		.path = "titles",
		.kind = LK_FLAG_STRING,
		.repeated = true,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "The titles.",
	},
};

static const struct lk_cli_method golden_library_v1_book_cli_methods[] = {
	{
		.method = &golden_library_v1_book_create_method,
		.noun = "book",
		.verb = "create",
		.help = "Adds a book.",
		.flags = golden_library_v1_book_create_flags,
		.n_flags = sizeof(golden_library_v1_book_create_flags) / sizeof(golden_library_v1_book_create_flags[0]),
	},
	{
		.method = &golden_library_v1_book_list_method,
		.noun = "book",
		.verb = "list",
		.help = "Lists books by title.",
		.flags = golden_library_v1_book_list_flags,
		.n_flags = sizeof(golden_library_v1_book_list_flags) / sizeof(golden_library_v1_book_list_flags[0]),
	},
	{
		.method = &golden_library_v1_book_delete_method,
		.noun = "book",
		.verb = "delete",
		.help = "Takes books away. A keyword of C++ is a method's name like another.",
		.flags = golden_library_v1_book_delete_flags,
		.n_flags = sizeof(golden_library_v1_book_delete_flags) / sizeof(golden_library_v1_book_delete_flags[0]),
	},
};

const struct lk_cli_service golden_library_v1_book_cli = {
	.noun = "book",
	.help = "Looks after the books. It has a method of every kind.",
	.methods = golden_library_v1_book_cli_methods,
	.n_methods = sizeof(golden_library_v1_book_cli_methods) / sizeof(golden_library_v1_book_cli_methods[0]),
};

static const struct lk_flag golden_library_v1_desk_who_am_i_flags[] = {
	{
		.name = "numbers",
		.path = "numbers",
		.kind = LK_FLAG_UINT,
		.repeated = true,
		.metavar = "N",
		.enum_prefix = NULL,
		.help = "Their numbers.",
	},
};

static const struct lk_cli_method golden_library_v1_desk_cli_methods[] = {
	{
		.method = &golden_library_v1_desk_who_am_i_method,
		.noun = "desk",
		.verb = "who-am-i",
		.help = "Says who asks.",
		.flags = golden_library_v1_desk_who_am_i_flags,
		.n_flags = sizeof(golden_library_v1_desk_who_am_i_flags) / sizeof(golden_library_v1_desk_who_am_i_flags[0]),
	},
};

const struct lk_cli_service golden_library_v1_desk_cli = {
	.noun = "desk",
	.help = "Answers questions about the library itself.",
	.methods = golden_library_v1_desk_cli_methods,
	.n_methods = sizeof(golden_library_v1_desk_cli_methods) / sizeof(golden_library_v1_desk_cli_methods[0]),
};
