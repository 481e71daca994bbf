/*
 * How messages must look on the wire, as their options say; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from echo.proto: not to be edited.
 */
#ifndef ECHO_WIRE_H
#define ECHO_WIRE_H

#include "echo.pb-c.h"
#include "server/service/method.h"

extern const struct lk_wire_message golden__echo__echo_request__wire;
extern const struct lk_wire_message golden__echo__echo_response__wire;

#endif
