/*
 * protoc-gen-messages: protoc-c for the messages alone. It takes the services out of protoc's request and hands the rest on.
 *
 * protoc-c would make stubs of its own for them, over a runtime that does not exist here, and write a method's name into its
 * headers as it is: a method Delete, and no C++ compiler takes the header.
 */
#include <stdio.h>
#include <stdlib.h>

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "tools/protoc-gen-latchkey/pool.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_message;

static void drop_services(Google__Protobuf__FileDescriptorProto *file)
{
	for (size_t i = 0; i < file->n_service; i++) {
		google__protobuf__service_descriptor_proto__free_unpacked(file->service[i], NULL);
	}
	file->n_service = 0;
}

/* Hands the request to protoc-gen-c, whose standard output is this program's. */
static int hand_on(const request_message *request)
{
	size_t len = google__protobuf__compiler__code_generator_request__get_packed_size(request);
	uint8_t *bytes = lk_pool_grow(NULL, len + 1);
	FILE *generator = popen("exec " PROTOC_GEN_C, "w");
	int failed = 1;

	google__protobuf__compiler__code_generator_request__pack(request, bytes);
	if (!generator) {
		perror("protoc-gen-messages: cannot start " PROTOC_GEN_C);
	} else {
		failed = fwrite(bytes, 1, len, generator) != len;
		failed |= pclose(generator) != 0;
	}
	free(bytes);
	return failed;
}

int main(void)
{
	size_t len;
	uint8_t *bytes = lk_pool_read(stdin, &len);
	request_message *request = google__protobuf__compiler__code_generator_request__unpack(NULL, len, bytes);
	int failed;

	free(bytes);
	if (!request) {
		fputs("protoc-gen-messages: standard input holds no CodeGeneratorRequest; let protoc start this "
		      "program\n",
			stderr);
		return 1;
	}
	for (size_t i = 0; i < request->n_proto_file; i++) {
		drop_services(request->proto_file[i]);
	}
	failed = hand_on(request);
	google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
	return failed;
}
