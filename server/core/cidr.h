/*
 * Addresses and ranges of addresses: IPv4 (RFC 791) and IPv6 (RFC 4291, texts as RFC 5952), CIDR notation (RFC 4632). Pure.
 *
 * An IPv4 address in IPv6's clothes, "::ffff:10.0.0.1", is the IPv4 address; a range of such is one of IPv4. A range of one
 * family holds no address of the other.
 */
#ifndef LK_SERVER_CORE_CIDR_H
#define LK_SERVER_CORE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/faults.h"

#define LK_CIDRS_MAX 32
/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128" and a NUL. */
#define LK_CIDR_TEXT_LEN 50

enum lk_address_family {
	/* No address. */
	LK_ADDRESS_NONE = 0,
	LK_ADDRESS_V4 = 4,
	LK_ADDRESS_V6 = 6,
};

/* An address as it is kept and compared: 17 bytes without padding. */
struct lk_address {
	/* enum lk_address_family */
	uint8_t family;
	/* Of IPv4 the first 4; the rest 0. */
	uint8_t bytes[16];
};

/* A range: the address with all bits behind `prefix` 0. 18 bytes without padding. */
struct lk_cidr {
	struct lk_address address;
	uint8_t prefix;
};

/* Reads an address; false where `text` is none. Takes no zone ("%eth0"), no port, no brackets. */
bool lk_address_parse(const char *text, struct lk_address *ret_address);

/* Writes it in its canonical form; "" for none. */
void lk_address_format(const struct lk_address *address, char ret_text[static LK_CIDR_TEXT_LEN]);

/* Reads a range in canonical form, as lk_cidr_check_list() makes it, or a single address; false where it is none. */
bool lk_cidr_parse(const char *text, struct lk_cidr *ret_cidr);

/* Whether the range holds the address; NONE is in no range, and a range whose prefix is longer than its address holds none. */
bool lk_cidr_holds(const struct lk_cidr *cidr, const struct lk_address *address);

/*
 * Checks a list of ranges and single addresses. Faults of "`field`[0]" and so on: what is no range; bits behind the prefix
 * that are not 0, naming the range that is meant; what is given twice. More than LK_CIDRS_MAX: a fault of `field`. Returns
 * the list in canonical form (a single address as /32 or /128), in the arena of `faults`; NULL where that is exhausted.
 */
char **lk_cidr_check_list(struct lk_faults *faults, const char *field, char *const *list, size_t count);

#endif
