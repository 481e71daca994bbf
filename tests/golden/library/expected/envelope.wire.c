/* Made by protoc-gen-latchkey from envelope.proto: not to be edited. */
#include "envelope.wire.h"

static const struct lk_wire_field golden__library__v1__request__wire_fields[] = {
	{0}, /* method */
	{0}, /* card */
	{0}, /* payload */
};

const struct lk_wire_message golden__library__v1__request__wire = {
	.descriptor = &golden__library__v1__request__descriptor,
	.fields = golden__library__v1__request__wire_fields,
};

static const struct lk_wire_field golden__library__v1__response__wire_fields[] = {
	{0}, /* code */
	{.message = &golden__library__v1__complaint__wire}, /* complaints */
	{0}, /* mood */
	{0}, /* payload */
};

const struct lk_wire_message golden__library__v1__response__wire = {
	.descriptor = &golden__library__v1__response__descriptor,
	.fields = golden__library__v1__response__wire_fields,
};

static const struct lk_wire_field golden__library__v1__complaint__wire_fields[] = {
	{0}, /* field */
	{0}, /* text */
};

const struct lk_wire_message golden__library__v1__complaint__wire = {
	.descriptor = &golden__library__v1__complaint__descriptor,
	.fields = golden__library__v1__complaint__wire_fields,
};
