/*
 * A service's handlers, and the table that leads to them; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from echo.proto: not to be edited.
 */
#ifndef ECHO_SERVER_H
#define ECHO_SERVER_H

#include "echo.pb-c.h"
#include "server/service/method.h"

/* Says back what it is told. */
struct golden_echo_echo_handlers {
	/* Says it back. */
	enum lk_err (*echo)(struct lk_request *request,
		const Golden__Echo__EchoRequest *message, Golden__Echo__EchoResponse *response);
};

extern const struct lk_server_service golden_echo_echo_service;

#endif
