/*
 * Calls of RoleService and OwnerService, for the tests of this folder: made as the operator or by a credential, and looked at.
 */
#ifndef LK_TESTS_UNIT_SERVICE_ROLE_CALLS_H
#define LK_TESTS_UNIT_SERVICE_ROLE_CALLS_H

#include <latchkey/v1/owner.client.h>
#include <latchkey/v1/role.client.h>

#include "tests/unit/service/service_fixture.h"

/* Calls with a credential (NULL: as the operator), and fails the test unless the answer has this code. */
struct loop_answer role_call(
	const char *credential, const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected);

/* The same, where only what is said matters: that it has `words` in it, in its message or its violations. */
void role_call_says(const char *credential, const struct lk_method *method, const ProtobufCMessage *request,
	enum lk_err expected, const char *words);

/* Makes a role of tenant "acme" that grants these permissions, as the operator. */
void role_make(const char *role, const char *const *permissions, size_t count);

/* A mask of the paths up to NULL, which it borrows. */
Google__Protobuf__FieldMask role_mask(const char *const *paths);
#define ROLE_MASK(...) role_mask((const char *const[]){__VA_ARGS__, NULL})

/*
 * Gives a key of "acme" these roles, by their numbers, straight in the store: how requests name them, and what they check,
 * others test.
 */
void role_give(const char *key, const uint32_t *roles, size_t count);

/* How many changes the store has made. */
uint64_t role_revision(void);

#endif
