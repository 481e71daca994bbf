/* Made by protoc-gen-latchkey from echo.proto: not to be edited. */
#include "echo.wire.h"

static const struct lk_wire_field golden__echo__echo_request__wire_fields[] = {
	{.max_length = 100}, /* text */
};

const struct lk_wire_message golden__echo__echo_request__wire = {
	.descriptor = &golden__echo__echo_request__descriptor,
	.fields = golden__echo__echo_request__wire_fields,
};

const struct lk_wire_message golden__echo__echo_response__wire = {
	.descriptor = &golden__echo__echo_response__descriptor,
};
