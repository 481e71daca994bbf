/*
 * How messages must look on the wire, as their options say; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from book.proto: not to be edited.
 */
#ifndef BOOK_WIRE_H
#define BOOK_WIRE_H

#include "book.pb-c.h"
#include "server/service/method.h"

extern const struct lk_wire_message golden__library__v1__book__wire;
extern const struct lk_wire_message golden__library__v1__book__author__wire;
extern const struct lk_wire_message golden__library__v1__book__words_entry__wire;
extern const struct lk_wire_message golden__library__v1__book__reviews_entry__wire;
extern const struct lk_wire_message golden__library__v1__readers__wire;
extern const struct lk_wire_message golden__library__v1__review__wire;

#endif
