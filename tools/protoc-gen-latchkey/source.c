#include "tools/protoc-gen-latchkey/source.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

typedef Google__Protobuf__SourceCodeInfo__Location location;

struct lk_source_path lk_source_field(const struct lk_source_path *parent, int32_t number)
{
	struct lk_source_path path = *parent;

	assert(path.n_steps < LK_SOURCE_STEPS_MAX);
	path.steps[path.n_steps++] = number;
	return path;
}

struct lk_source_path lk_source_child(const struct lk_source_path *parent, int32_t number, size_t index)
{
	struct lk_source_path path = lk_source_field(parent, number);

	return lk_source_field(&path, (int32_t)index);
}

static const location *find(const Google__Protobuf__FileDescriptorProto *file, const struct lk_source_path *path)
{
	const Google__Protobuf__SourceCodeInfo *info = file->source_code_info;

	for (size_t i = 0; info && i < info->n_location; i++) {
		const location *at = info->location[i];

		if (at->n_path == path->n_steps &&
			(path->n_steps == 0 ||
				memcmp(at->path, path->steps, path->n_steps * sizeof(path->steps[0])) == 0)) {
			return at;
		}
	}
	return NULL;
}

struct lk_origin lk_source_origin(const Google__Protobuf__FileDescriptorProto *file, const struct lk_source_path *path)
{
	const location *at = find(file, path);

	return (struct lk_origin){.file = file->name, .line = at && at->n_span > 0 ? at->span[0] + 1 : 1};
}

/* protoc leaves the space behind the marks and the line's end in place. */
static const char *trim(struct lk_pool *pool, const char *raw)
{
	char *comment = lk_pool_array(pool, strlen(raw) + 1, 1);
	char *end = comment;

	while (*raw) {
		size_t len = strcspn(raw, "\n");
		size_t indent = *raw == ' ' ? 1 : 0;

		memcpy(end, raw + indent, len - indent);
		end += len - indent;
		while (end > comment && end[-1] != '\n' && isspace((unsigned char)end[-1])) {
			end--;
		}
		if (raw[len] == '\0') {
			break;
		}
		*end++ = '\n';
		raw += len + 1;
	}
	while (end > comment && isspace((unsigned char)end[-1])) {
		end--;
	}
	*end = '\0';
	while (isspace((unsigned char)*comment)) {
		comment++;
	}
	return *comment ? comment : NULL;
}

const char *lk_source_comment(
	struct lk_pool *pool, const Google__Protobuf__FileDescriptorProto *file, const struct lk_source_path *path)
{
	const location *at = find(file, path);
	const char *comment = NULL;

	if (at && at->leading_comments) {
		comment = trim(pool, at->leading_comments);
	}
	if (!comment && at && at->trailing_comments) {
		comment = trim(pool, at->trailing_comments);
	}
	return comment;
}
