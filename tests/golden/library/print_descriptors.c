/* Prints the generated descriptor set as it is. */
#include <stdio.h>

#include "descriptors.h"

int main(void)
{
	size_t n = fwrite(golden_library_v1_descriptor_set, 1, golden_library_v1_descriptor_set_len, stdout);

	return n != golden_library_v1_descriptor_set_len || fflush(stdout) != 0;
}
