#include "tools/protoc-gen-latchkey/model.h"

#include <string.h>

const struct lk_proto_message *lk_model_message(const struct lk_model *model, const char *full_name)
{
	for (size_t i = 0; i < model->n_files; i++) {
		for (size_t j = 0; j < model->files[i].n_messages; j++) {
			if (strcmp(model->files[i].messages[j].element.full_name, full_name) == 0) {
				return &model->files[i].messages[j];
			}
		}
	}
	return NULL;
}

const struct lk_proto_field *lk_model_field(const struct lk_proto_message *message, const char *name)
{
	for (size_t i = 0; i < message->n_fields; i++) {
		if (strcmp(message->fields[i].element.name, name) == 0) {
			return &message->fields[i];
		}
	}
	return NULL;
}
