/*
 * Checking: what the generator refuses, each fault with its place and remedy. A model that passes can be emitted.
 */
#ifndef LK_GENERATOR_CHECK_H
#define LK_GENERATOR_CHECK_H

#include "tools/protoc-gen-latchkey/model.h"

/* Adds every fault of the model to the report. */
void lk_check(struct lk_report *report, const struct lk_model *model);

/* Its parts. What the API's rules say of each element by itself: */
void lk_check_elements(struct lk_report *report, const struct lk_model *model);

/* Messages that contain themselves, directly or through others; false where there are some. */
bool lk_check_cycles(struct lk_report *report, const struct lk_model *model);

/* Different names that would be the same in C. */
void lk_check_names(struct lk_report *report, const struct lk_model *model);

/* Fields of requests that cannot be flags of the command line. No request may contain itself. */
void lk_check_flags(struct lk_report *report, const struct lk_model *model);

#endif
