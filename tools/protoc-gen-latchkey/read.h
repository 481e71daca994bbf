/*
 * Reading: from protoc's request to the model. Only what the options say can be at fault here; all else is check.h's.
 */
#ifndef LK_GENERATOR_READ_H
#define LK_GENERATOR_READ_H

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "tools/protoc-gen-latchkey/model.h"

/* Reads all files of `request`, which the model then borrows from, as it does from `report->pool`. */
void lk_model_read(struct lk_report *report, const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
	struct lk_model *ret);

#endif
