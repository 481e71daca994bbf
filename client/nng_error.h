/* The one mapper from nng's errors to the house's. Pure. */
#ifndef LK_CLIENT_NNG_ERROR_H
#define LK_CLIENT_NNG_ERROR_H

#include <latchkey/error.h>

/* What `rv`, a result of nng's, means here; LK_IO for what has no meaning of its own. */
enum lk_err lk_err_from_nng(int rv);

#endif
