/*
 * How messages must look on the wire, as their options say; see server/service/method.h.
 *
 * Made by protoc-gen-latchkey from library.proto: not to be edited.
 */
#ifndef LIBRARY_WIRE_H
#define LIBRARY_WIRE_H

#include "library.pb-c.h"
#include "server/service/method.h"

extern const struct lk_wire_message golden__library__v1__create_book_request__wire;
extern const struct lk_wire_message golden__library__v1__create_book_request__words_entry__wire;
extern const struct lk_wire_message golden__library__v1__advice__wire;
extern const struct lk_wire_message golden__library__v1__create_book_response__wire;
extern const struct lk_wire_message golden__library__v1__book_filter__wire;
extern const struct lk_wire_message golden__library__v1__book_place__wire;
extern const struct lk_wire_message golden__library__v1__list_books_request__wire;
extern const struct lk_wire_message golden__library__v1__list_books_response__wire;
extern const struct lk_wire_message golden__library__v1__delete_books_request__wire;
extern const struct lk_wire_message golden__library__v1__delete_books_response__wire;
extern const struct lk_wire_message golden__library__v1__loan__wire;
extern const struct lk_wire_message golden__library__v1__update_book_request__wire;
extern const struct lk_wire_message golden__library__v1__import_books_request__wire;
extern const struct lk_wire_message golden__library__v1__import_books_response__wire;

#endif
