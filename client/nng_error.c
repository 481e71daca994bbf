#include "client/nng_error.h"

#include <nng/nng.h>
#include <stddef.h>

static const struct {
	int rv;
	enum lk_err err;
} errors[] = {
	{0, LK_OK},
	{NNG_ENOMEM, LK_NO_MEMORY},
	{NNG_ENOSPC, LK_NO_MEMORY},
	{NNG_EINVAL, LK_INVALID_ARGUMENT},
	{NNG_EADDRINVAL, LK_INVALID_ARGUMENT},
	{NNG_ENOTSUP, LK_INVALID_ARGUMENT},
	{NNG_EADDRINUSE, LK_HELD},
	{NNG_EPERM, LK_PERMISSION_DENIED},
	{NNG_ETIMEDOUT, LK_DEADLINE_EXCEEDED},
	{NNG_ECANCELED, LK_CANCELLED},
	{NNG_ECLOSED, LK_CANCELLED},
	{NNG_ECONNREFUSED, LK_UNAVAILABLE},
	{NNG_ECONNABORTED, LK_UNAVAILABLE},
	{NNG_ECONNRESET, LK_UNAVAILABLE},
	{NNG_ECONNSHUT, LK_UNAVAILABLE},
	{NNG_EUNREACHABLE, LK_UNAVAILABLE},
	/* A receive whose request went down with its connection before the receive was started. */
	{NNG_ESTATE, LK_UNAVAILABLE},
	{NNG_EPROTO, LK_PROTOCOL},
	{NNG_EMSGSIZE, LK_PROTOCOL},
};

enum lk_err lk_err_from_nng(int rv)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].rv == rv) {
			return errors[i].err;
		}
	}
	return LK_IO;
}
