/*
 * The report: every fault that was found in the .proto files, told together.
 */
#ifndef LK_GENERATOR_REPORT_H
#define LK_GENERATOR_REPORT_H

#include <stddef.h>

#include "tools/protoc-gen-latchkey/pool.h"

/* Where something stands. */
struct lk_origin {
	/* As protoc knows it: "latchkey/v1/key.proto". */
	const char *file;
	/* Counts from 1. */
	int line;
};

struct lk_fault;

struct lk_report {
	struct lk_pool *pool;
	struct lk_fault *faults;
	size_t n_faults;
	size_t size;
};

void lk_report_init(struct lk_report *report, struct lk_pool *pool);

void lk_report_done(struct lk_report *report);

/* Adds a fault: what is wrong, with which name, and the remedy. No full stop at its end. The same twice counts once. */
void lk_report_add(struct lk_report *report, struct lk_origin origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* All faults by file and line, one a line as "file:line: what", under a line that counts them; NULL where there are none. */
const char *lk_report_text(struct lk_report *report);

#endif
