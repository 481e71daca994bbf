/* Made by protoc-gen-latchkey from echo.proto: not to be edited. */
#include "echo.flags.h"

#include "echo.client.h"

static const struct lk_flag golden_echo_echo_echo_flags[] = {
	{
		.name = "text",
		.path = "text",
		.kind = LK_FLAG_STRING,
		.repeated = false,
		.ago = false,
		.metavar = "TEXT",
		.enum_prefix = NULL,
		.help = "What to say.",
	},
};

static const struct lk_cli_method golden_echo_echo_cli_methods[] = {
	{
		.method = &golden_echo_echo_echo_method,
		.noun = "echo",
		.verb = "echo",
		.help = "Says it back.",
		.flags = golden_echo_echo_echo_flags,
		.n_flags = sizeof(golden_echo_echo_echo_flags) / sizeof(golden_echo_echo_echo_flags[0]),
	},
};

const struct lk_cli_service golden_echo_echo_cli = {
	.noun = "echo",
	.help = "Says back what it is told.",
	.methods = golden_echo_echo_cli_methods,
	.n_methods = sizeof(golden_echo_echo_cli_methods) / sizeof(golden_echo_echo_cli_methods[0]),
};
