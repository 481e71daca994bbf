/* Made by protoc-gen-latchkey from library.proto: not to be edited. */
#include "library.wire.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "book.wire.h"
#include "google/protobuf/field_mask.pb-c.h"

static const struct lk_wire_field google__protobuf__timestamp__wire_fields[] = {
	{0}, /* seconds */
	{0}, /* nanos */
};

static const struct lk_wire_message google__protobuf__timestamp__wire = {
	.descriptor = &google__protobuf__timestamp__descriptor,
	.fields = google__protobuf__timestamp__wire_fields,
};

static const struct lk_wire_field google__protobuf__field_mask__wire_fields[] = {
	{0}, /* paths */
};

static const struct lk_wire_message google__protobuf__field_mask__wire = {
	.descriptor = &google__protobuf__field_mask__descriptor,
	.fields = google__protobuf__field_mask__wire_fields,
};

static const struct lk_wire_field golden__library__v1__create_book_request__wire_fields[] = {
	{0}, /* title */
	{0}, /* donor */
	{0}, /* binding */
	{.max_items = 3}, /* authors */
	{.message = &google__protobuf__timestamp__wire}, /* time */
	{.is_map = true, .message = &golden__library__v1__create_book_request__words_entry__wire}, /* words */
	{0}, /* cover */
	{.message = &golden__library__v1__advice__wire}, /* advice */
};

const struct lk_wire_message golden__library__v1__create_book_request__wire = {
	.descriptor = &golden__library__v1__create_book_request__descriptor,
	.fields = golden__library__v1__create_book_request__wire_fields,
};

static const struct lk_wire_field golden__library__v1__create_book_request__words_entry__wire_fields[] = {
	{0}, /* key */
	{0}, /* value */
};

const struct lk_wire_message golden__library__v1__create_book_request__words_entry__wire = {
	.descriptor = &golden__library__v1__create_book_request__words_entry__descriptor,
	.fields = golden__library__v1__create_book_request__words_entry__wire_fields,
};

static const struct lk_wire_field golden__library__v1__advice__wire_fields[] = {
	{0}, /* help */
	{0}, /* pages */
};

const struct lk_wire_message golden__library__v1__advice__wire = {
	.descriptor = &golden__library__v1__advice__descriptor,
	.fields = golden__library__v1__advice__wire_fields,
};

static const struct lk_wire_field golden__library__v1__create_book_response__wire_fields[] = {
	{.message = &golden__library__v1__book__wire}, /* book */
};

const struct lk_wire_message golden__library__v1__create_book_response__wire = {
	.descriptor = &golden__library__v1__create_book_response__descriptor,
	.fields = golden__library__v1__create_book_response__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book_filter__wire_fields[] = {
	{0}, /* shelf */
	{0}, /* word */
	{.message = &golden__library__v1__book_place__wire}, /* place */
};

const struct lk_wire_message golden__library__v1__book_filter__wire = {
	.descriptor = &golden__library__v1__book_filter__descriptor,
	.fields = golden__library__v1__book_filter__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book_place__wire_fields[] = {
	{0}, /* room */
	{0}, /* floor */
};

const struct lk_wire_message golden__library__v1__book_place__wire = {
	.descriptor = &golden__library__v1__book_place__descriptor,
	.fields = golden__library__v1__book_place__wire_fields,
};

static const struct lk_wire_field golden__library__v1__list_books_request__wire_fields[] = {
	{.message = &golden__library__v1__book_filter__wire}, /* filter */
	{.message = &golden__library__v1__book_filter__wire}, /* except */
	{0}, /* room */
	{0}, /* page_size */
};

const struct lk_wire_message golden__library__v1__list_books_request__wire = {
	.descriptor = &golden__library__v1__list_books_request__descriptor,
	.fields = golden__library__v1__list_books_request__wire_fields,
};

static const struct lk_wire_field golden__library__v1__list_books_response__wire_fields[] = {
	{.message = &golden__library__v1__book__wire}, /* books */
};

const struct lk_wire_message golden__library__v1__list_books_response__wire = {
	.descriptor = &golden__library__v1__list_books_response__descriptor,
	.fields = golden__library__v1__list_books_response__wire_fields,
};

static const struct lk_wire_field golden__library__v1__delete_books_request__wire_fields[] = {
	{.max_length = 200, .max_items = 1000}, /* titles */
};

const struct lk_wire_message golden__library__v1__delete_books_request__wire = {
	.descriptor = &golden__library__v1__delete_books_request__descriptor,
	.fields = golden__library__v1__delete_books_request__wire_fields,
};

const struct lk_wire_message golden__library__v1__delete_books_response__wire = {
	.descriptor = &golden__library__v1__delete_books_response__descriptor,
};

static const struct lk_wire_field golden__library__v1__loan__wire_fields[] = {
	{0}, /* id */
	{0}, /* reader */
	{0}, /* times */
};

const struct lk_wire_message golden__library__v1__loan__wire = {
	.descriptor = &golden__library__v1__loan__descriptor,
	.fields = golden__library__v1__loan__wire_fields,
};

static const struct lk_wire_field golden__library__v1__update_book_request__wire_fields[] = {
	{.message = &golden__library__v1__loan__wire}, /* loan */
	{.message = &google__protobuf__field_mask__wire}, /* update_mask */
};

const struct lk_wire_message golden__library__v1__update_book_request__wire = {
	.descriptor = &golden__library__v1__update_book_request__descriptor,
	.fields = golden__library__v1__update_book_request__wire_fields,
};

static const struct lk_wire_field golden__library__v1__import_books_request__wire_fields[] = {
	{.message = &golden__library__v1__book__wire}, /* books */
	{.message = &google__protobuf__timestamp__wire}, /* after */
	{.message = &google__protobuf__timestamp__wire}, /* due */
};

const struct lk_wire_message golden__library__v1__import_books_request__wire = {
	.descriptor = &golden__library__v1__import_books_request__descriptor,
	.fields = golden__library__v1__import_books_request__wire_fields,
};

const struct lk_wire_message golden__library__v1__import_books_response__wire = {
	.descriptor = &golden__library__v1__import_books_response__descriptor,
};
