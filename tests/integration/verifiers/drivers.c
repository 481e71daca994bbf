#include "tests/integration/verifiers/drivers.h"

const struct driver *const drivers[] = {
	&driver_unary,
	&driver_verifier,
	&driver_crowded,
	&driver_local,
	&driver_packed,
};

const size_t driver_count = sizeof(drivers) / sizeof(drivers[0]);
