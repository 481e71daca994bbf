#include "tools/latchkey/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tools/latchkey/text.h"

struct lk_page lk_output_page(void)
{
	return (struct lk_page){
		.file = stdout,
		.columns = lk_text_columns(stdout),
		.coloured = lk_text_coloured(stdout),
	};
}

enum lk_err lk_output_json(const json_t *value)
{
	size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY;

	if (isatty(STDOUT_FILENO)) {
		flags |= JSON_ENSURE_ASCII;
	}
	if (json_dumpf(value, stdout, flags) != 0) {
		return ferror(stdout) ? LK_IO : LK_NO_MEMORY;
	}
	return putchar('\n') == EOF ? LK_IO : LK_OK;
}

enum lk_exit lk_output_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout)) {
		return LK_EXIT_OK;
	}
	/* A reader that has seen enough, as `head` has, knows that it has gone. */
	if (errno != EPIPE) {
		lk_say("cannot write the answer to standard output: %s", strerror(errno));
	}
	return LK_EXIT_USAGE;
}
