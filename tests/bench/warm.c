#include "tests/bench/warm.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/check.h"

static bool is_named(const char *path, const char *name)
{
	const char *last = strrchr(path, '/');

	return last != NULL && strcmp(last + 1, name) == 0;
}

/* No further than the file goes: the rest of the map is room to grow. */
static void warm(uintptr_t start, uintptr_t end, uint64_t offset, const char *path, bool to_write)
{
	struct stat status = {0};

	if (stat(path, &status) != 0 || (uint64_t)status.st_size <= offset) {
		return;
	}
	uint64_t len = (uint64_t)status.st_size - offset;
	len = len < end - start ? len : end - start;
	(void)madvise((void *)start, len, to_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void lk_warm_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[PATH_MAX + 128] = "";

	CHECK(maps != NULL);
	while (fgets(line, sizeof line, maps) != NULL) {
		uintptr_t start = 0;
		uintptr_t end = 0;
		uint64_t offset = 0;
		char rights[5] = "";
		int path = 0;
		int fields = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64 " %*s %*s %n", &start, &end, rights,
			&offset, &path);
		line[strcspn(line, "\n")] = '\0';
		if (fields == 4 && path > 0 && is_named(line + path, "data.mdb")) {
			warm(start, end, offset, line + path, false);
		} else if (fields == 4 && path > 0 && is_named(line + path, "slots.mmap") && rights[1] == 'w') {
			warm(start, end, offset, line + path, true);
		}
	}
	CHECK(fclose(maps) == 0);
}
