/*
 * protoc-gen-latchkey: a plugin of protoc. It reads a CodeGeneratorRequest from standard input and writes a
 * CodeGeneratorResponse to standard output (google/protobuf/compiler/plugin.proto).
 *
 * Faults of the .proto files go into the response, and protoc tells them; what is wrong with the request itself goes to standard
 * error, with an exit code other than 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/protoc-gen-latchkey/check.h"
#include "tools/protoc-gen-latchkey/emit.h"
#include "tools/protoc-gen-latchkey/read.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_message;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_message;

static const char usage[] =
	"Usage: protoc --plugin=protoc-gen-latchkey=PATH --latchkey_out=DIR -I DIR... FILE.proto...\n"
	"\n"
	"Writes client stubs, server tables, wire rules and command-line flags for the files named, which must be of "
	"one package,\n"
	"and for all of them calls.proto and the descriptor set. protoc starts this program; started alone it knows:\n"
	"\n"
	"  --help     print this\n"
	"  --version  print the version\n";

static request_message *read_request(void)
{
	size_t len;
	uint8_t *bytes = lk_pool_read(stdin, &len);
	request_message *request = google__protobuf__compiler__code_generator_request__unpack(NULL, len, bytes);

	free(bytes);
	return request;
}

static int write_response(const response_message *response)
{
	size_t len = google__protobuf__compiler__code_generator_response__get_packed_size(response);
	uint8_t *bytes = lk_pool_grow(NULL, len + 1);
	int failed;

	google__protobuf__compiler__code_generator_response__pack(response, bytes);
	failed = fwrite(bytes, 1, len, stdout) != len || fflush(stdout) != 0;
	if (failed) {
		perror("protoc-gen-latchkey: cannot write the response to standard output");
	}
	free(bytes);
	return failed;
}

static int generate(const request_message *request)
{
	response_message response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
	struct lk_pool pool = {0};
	struct lk_report report;
	struct lk_model model;
	struct lk_emit emit;
	int failed;

	/* protoc itself would refuse `optional` with less to say than check.c has. */
	response.has_supported_features = 1;
	response.supported_features =
		GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
	lk_report_init(&report, &pool);
	lk_model_read(&report, request, &model);
	lk_check(&report, &model);
	lk_emit_init(&emit, &model);
	response.error = (char *)lk_report_text(&report);
	if (request->parameter && *request->parameter) {
		response.error = lk_pool_printf(
			&pool, "unknown option \"%s\"; this generator has none, leave it out", request->parameter);
	}
	if (!response.error) {
		lk_emit_all(&emit);
		lk_emit_to_response(&emit, &response);
	}
	failed = write_response(&response);
	lk_emit_done(&emit);
	lk_report_done(&report);
	lk_pool_done(&pool);
	return failed;
}

static int talk(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("protoc-gen-latchkey " LK_VERSION);
		return 0;
	}
	if (argc > 1) {
		fprintf(stderr, "protoc-gen-latchkey: unknown argument \"%s\"\n", argv[1]);
	}
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	request_message *request;
	int failed;

	if (argc > 1 || isatty(STDIN_FILENO)) {
		return talk(argc, argv);
	}
	request = read_request();
	if (!request) {
		fputs("protoc-gen-latchkey: standard input holds no CodeGeneratorRequest; let protoc start this "
		      "program (see --help)\n",
			stderr);
		return 1;
	}
	failed = generate(request);
	google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
	return failed;
}
