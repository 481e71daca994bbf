#include "latchkey/v1/descriptors.h"
#include "server/service/request.h"
#include "server/service/services.h"

static enum lk_err get_descriptors(struct lk_request *request, const Latchkey__V1__GetDescriptorsRequest *message,
	Latchkey__V1__GetDescriptorsResponse *response)
{
	(void)request;
	(void)message;
	response->file_descriptor_set.data = (uint8_t *)(uintptr_t)latchkey_v1_descriptor_set;
	response->file_descriptor_set.len = latchkey_v1_descriptor_set_len;
	return LK_OK;
}

const struct latchkey_v1_reflection_handlers lk_reflection_handlers = {.get_descriptors = get_descriptors};
