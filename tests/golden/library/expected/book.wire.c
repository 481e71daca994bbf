/* Made by protoc-gen-latchkey from book.proto: not to be edited. */
#include "book.wire.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

static const struct lk_wire_field google__protobuf__timestamp__wire_fields[] = {
	{0}, /* seconds */
	{0}, /* nanos */
};

static const struct lk_wire_message google__protobuf__timestamp__wire = {
	.descriptor = &google__protobuf__timestamp__descriptor,
	.fields = google__protobuf__timestamp__wire_fields,
};

static const struct lk_wire_field google__protobuf__duration__wire_fields[] = {
	{0}, /* seconds */
	{0}, /* nanos */
};

static const struct lk_wire_message google__protobuf__duration__wire = {
	.descriptor = &google__protobuf__duration__descriptor,
	.fields = google__protobuf__duration__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book__wire_fields[] = {
	{.max_length = 32}, /* shelf */
	{0}, /* title */
	{.apart = true, .message = &golden__library__v1__book__author__wire}, /* author */
	{.max_items = 8, .is_map = true, .message = &golden__library__v1__book__words_entry__wire}, /* words */
	{.message = &google__protobuf__timestamp__wire}, /* published */
	{.max_length = 4096}, /* cover */
	{0}, /* default */
	{0}, /* class */
	{0}, /* binding */
	{.message = &google__protobuf__duration__wire}, /* term */
	{.message = &google__protobuf__timestamp__wire}, /* until */
	{.message = &golden__library__v1__readers__wire}, /* readers */
	{.is_map = true, .message = &golden__library__v1__book__reviews_entry__wire}, /* reviews */
};

const struct lk_wire_message golden__library__v1__book__wire = {
	.descriptor = &golden__library__v1__book__descriptor,
	.fields = golden__library__v1__book__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book__author__wire_fields[] = {
	{.max_length = 80}, /* name */
	{.max_length = 80, .max_items = 4}, /* pseudonyms */
};

const struct lk_wire_message golden__library__v1__book__author__wire = {
	.descriptor = &golden__library__v1__book__author__descriptor,
	.fields = golden__library__v1__book__author__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book__words_entry__wire_fields[] = {
	{0}, /* key */
	{0}, /* value */
};

const struct lk_wire_message golden__library__v1__book__words_entry__wire = {
	.descriptor = &golden__library__v1__book__words_entry__descriptor,
	.fields = golden__library__v1__book__words_entry__wire_fields,
};

static const struct lk_wire_field golden__library__v1__book__reviews_entry__wire_fields[] = {
	{0}, /* key */
	{.message = &golden__library__v1__review__wire}, /* value */
};

const struct lk_wire_message golden__library__v1__book__reviews_entry__wire = {
	.descriptor = &golden__library__v1__book__reviews_entry__descriptor,
	.fields = golden__library__v1__book__reviews_entry__wire_fields,
};

static const struct lk_wire_field golden__library__v1__readers__wire_fields[] = {
	{0}, /* numbers */
};

const struct lk_wire_message golden__library__v1__readers__wire = {
	.descriptor = &golden__library__v1__readers__descriptor,
	.fields = golden__library__v1__readers__wire_fields,
};

static const struct lk_wire_field golden__library__v1__review__wire_fields[] = {
	{.message = &google__protobuf__timestamp__wire}, /* time */
	{0}, /* verdict */
};

const struct lk_wire_message golden__library__v1__review__wire = {
	.descriptor = &golden__library__v1__review__descriptor,
	.fields = golden__library__v1__review__wire_fields,
};
