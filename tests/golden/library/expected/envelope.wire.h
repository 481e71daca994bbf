/*
 * How messages must look on the wire, as their options say; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from envelope.proto: not to be edited.
 */
#ifndef ENVELOPE_WIRE_H
#define ENVELOPE_WIRE_H

#include "envelope.pb-c.h"
#include "server/service/method.h"

extern const struct lk_wire_message golden__library__v1__request__wire;
extern const struct lk_wire_message golden__library__v1__response__wire;
extern const struct lk_wire_message golden__library__v1__complaint__wire;

#endif
