#include "server/core/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "server/core/text.h"

#define V4_LEN 4
#define V6_LEN 16
/* The words of an IPv6 address, which its text is made of. */
#define V6_WORDS 8
/* How many bits of an IPv6 address say that it is an IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2). */
#define MAPPED_BITS 96

static const uint8_t mapped_start[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

/* What a text says of a range. */
enum reading {
	READ,
	/* It is no address, or no number follows its '/'. */
	NO_RANGE,
	/* The prefix is longer than the address. */
	PREFIX_TOO_LONG,
	/* IPv4 in IPv6's clothes, with a prefix that holds other addresses too. */
	MAPPED_TOO_WIDE,
	/* There are bits behind the prefix; the range is what is meant. */
	BITS_BEHIND,
};

static size_t address_bits(const struct lk_address *address)
{
	return 8 * (size_t)(address->family == LK_ADDRESS_V4 ? V4_LEN : V6_LEN);
}

/* As it is written: a mapped address stays one of IPv6. */
static bool parse_as_written(const char *text, struct lk_address *ret_address)
{
	struct lk_address address = {.family = LK_ADDRESS_V4};

	if (inet_pton(AF_INET, text, address.bytes) != 1) {
		address = (struct lk_address){.family = LK_ADDRESS_V6};
		if (inet_pton(AF_INET6, text, address.bytes) != 1) {
			return false;
		}
	}
	*ret_address = address;
	return true;
}

static bool is_mapped(const struct lk_address *address)
{
	return address->family == LK_ADDRESS_V6 && memcmp(address->bytes, mapped_start, sizeof mapped_start) == 0;
}

static struct lk_address unmap(const struct lk_address *address)
{
	struct lk_address v4 = {.family = LK_ADDRESS_V4};

	memcpy(v4.bytes, address->bytes + sizeof mapped_start, V4_LEN);
	return v4;
}

bool lk_address_parse(const char *text, struct lk_address *ret_address)
{
	struct lk_address address;

	if (!parse_as_written(text, &address)) {
		return false;
	}
	*ret_address = is_mapped(&address) ? unmap(&address) : address;
	return true;
}

/* The longest run of zero words, of two or more, the first of equals (RFC 5952, 4.2); its length 0 where there is none. */
static size_t longest_zeros(const uint16_t words[static V6_WORDS], size_t *ret_start)
{
	size_t longest = 0;

	*ret_start = 0;
	for (size_t start = 0; start < V6_WORDS; start++) {
		size_t len = 0;
		while (start + len < V6_WORDS && words[start + len] == 0) {
			len++;
		}
		if (len > 1 && len > longest) {
			longest = len;
			*ret_start = start;
		}
	}
	return longest;
}

/* Not by inet_ntop(), which writes what is in ::/96 as IPv4, and RFC 5952 knows no such form. */
static void format_v6(const uint8_t bytes[static V6_LEN], char ret_text[static LK_CIDR_TEXT_LEN])
{
	uint16_t words[V6_WORDS];
	size_t zeros_start = 0, len = 0;

	for (size_t i = 0; i < V6_WORDS; i++) {
		words[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	}
	size_t zeros = longest_zeros(words, &zeros_start);
	for (size_t i = 0; i < V6_WORDS; i++) {
		if (zeros > 0 && i == zeros_start) {
			ret_text[len++] = ':';
			ret_text[len++] = ':';
			i += zeros - 1;
			continue;
		}
		const char *colon = i > 0 && ret_text[len - 1] != ':' ? ":" : "";
		len += (size_t)snprintf(ret_text + len, LK_CIDR_TEXT_LEN - len, "%s%x", colon, words[i]);
	}
	ret_text[len] = '\0';
}

void lk_address_format(const struct lk_address *address, char ret_text[static LK_CIDR_TEXT_LEN])
{
	const uint8_t *bytes = address->bytes;

	if (address->family == LK_ADDRESS_V4) {
		snprintf(ret_text, LK_CIDR_TEXT_LEN, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
	} else if (address->family == LK_ADDRESS_V6) {
		format_v6(bytes, ret_text);
	} else {
		ret_text[0] = '\0';
	}
}

/* A number in decimal of at most three digits, without a sign, a blank or a leading zero. */
static bool parse_prefix(const char *text, size_t *ret_prefix)
{
	size_t len = strspn(text, "0123456789"), prefix = 0;

	if (len == 0 || len > 3 || text[len] != '\0' || (text[0] == '0' && len > 1)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		prefix = 10 * prefix + (size_t)(text[i] - '0');
	}
	*ret_prefix = prefix;
	return true;
}

/* Clears the bits behind the prefix; says whether there was one. */
static bool clear_behind(struct lk_cidr *cidr)
{
	bool found = false;

	for (size_t i = 0; i < V6_LEN; i++) {
		size_t first = 8 * i;
		uint8_t kept = cidr->prefix >= first + 8 ? 0xff
			       : cidr->prefix <= first   ? 0
							 : (uint8_t)(0xff << (first + 8 - cidr->prefix));
		found = found || (cidr->address.bytes[i] & ~kept) != 0;
		cidr->address.bytes[i] &= kept;
	}
	return found;
}

/* `ret_cidr` is set of READ and BITS_BEHIND. */
static enum reading read_range(const char *text, struct lk_cidr *ret_cidr)
{
	char buffer[INET6_ADDRSTRLEN];
	struct lk_cidr cidr = {0};
	size_t len = strcspn(text, "/"), prefix = 0;

	if (len >= sizeof buffer) {
		return NO_RANGE;
	}
	memcpy(buffer, text, len);
	buffer[len] = '\0';
	if (!parse_as_written(buffer, &cidr.address)) {
		return NO_RANGE;
	}
	size_t bits = address_bits(&cidr.address);
	if (text[len] == '\0') {
		prefix = bits;
	} else if (!parse_prefix(text + len + 1, &prefix)) {
		return NO_RANGE;
	}
	if (prefix > bits) {
		return PREFIX_TOO_LONG;
	}
	if (is_mapped(&cidr.address)) {
		if (prefix < MAPPED_BITS) {
			return MAPPED_TOO_WIDE;
		}
		cidr.address = unmap(&cidr.address);
		prefix -= MAPPED_BITS;
	}
	cidr.prefix = (uint8_t)prefix;
	bool behind = clear_behind(&cidr);
	*ret_cidr = cidr;
	return behind ? BITS_BEHIND : READ;
}

bool lk_cidr_parse(const char *text, struct lk_cidr *ret_cidr)
{
	struct lk_cidr cidr;

	if (read_range(text, &cidr) != READ) {
		return false;
	}
	*ret_cidr = cidr;
	return true;
}

bool lk_cidr_holds(const struct lk_cidr *cidr, const struct lk_address *address)
{
	size_t whole = cidr->prefix / 8, rest = cidr->prefix % 8;

	/* A range that no check would let pass, from a damaged record, holds nothing. */
	if (address->family == LK_ADDRESS_NONE || cidr->address.family != address->family ||
		cidr->prefix > address_bits(address)) {
		return false;
	}
	if (memcmp(cidr->address.bytes, address->bytes, whole) != 0) {
		return false;
	}
	return rest == 0 || ((cidr->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static char *format_range(struct lk_arena *arena, const struct lk_cidr *cidr)
{
	char text[LK_CIDR_TEXT_LEN];

	lk_address_format(&cidr->address, text);
	return lk_arena_printf(arena, "%s/%u", text, cidr->prefix);
}

static void add_fault(struct lk_faults *faults, const char *field, const char *text, enum reading reading,
	const struct lk_cidr *meant)
{
	const char *quoted = lk_text_quote(faults->arena, text);

	if (reading == PREFIX_TOO_LONG) {
		lk_fault_add(faults, field,
			"%s: the prefix is longer than the address: give at most /32 of IPv4, /128 of IPv6", quoted);
	} else if (reading == MAPPED_TOO_WIDE) {
		lk_fault_add(faults, field,
			"%s holds IPv4 addresses and others: write the range of IPv4 as such, for example "
			"\"10.0.0.0/8\"",
			quoted);
	} else if (reading == BITS_BEHIND) {
		const char *range = format_range(faults->arena, meant);
		lk_fault_add(faults, field, "%s has bits behind its prefix: give \"%s\" if that is what you mean",
			quoted, range == NULL ? "" : range);
	} else {
		lk_fault_add(faults, field,
			"%s is no address and no range of addresses: give one as \"192.0.2.7\", \"10.0.0.0/8\" or "
			"\"2001:db8::/32\"",
			quoted);
	}
}

static bool is_among(char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] != NULL && strcmp(list[i], text) == 0) {
			return true;
		}
	}
	return false;
}

/* The range in canonical form; as it was given where it is none. NULL where the arena is exhausted. */
static char *check_range(struct lk_faults *faults, const char *field, char *given, char *const *before, size_t n_before)
{
	struct lk_cidr cidr = {0};
	enum reading reading = read_range(given, &cidr);

	if (reading != READ) {
		add_fault(faults, field, given, reading, &cidr);
		return given;
	}
	char *canonical = format_range(faults->arena, &cidr);
	if (canonical != NULL && is_among(before, n_before, canonical)) {
		lk_fault_add(faults, field, "%s is given twice: give it once", lk_text_quote(faults->arena, given));
	}
	return canonical;
}

char **lk_cidr_check_list(struct lk_faults *faults, const char *field, char *const *list, size_t count)
{
	char **canonical = lk_arena_array(faults->arena, count, sizeof *canonical);

	if (canonical == NULL) {
		return NULL;
	}
	if (count > LK_CIDRS_MAX) {
		lk_fault_add(faults, field, "has %zu ranges of addresses: give at most %d", count, LK_CIDRS_MAX);
	}
	for (size_t i = 0; i < count; i++) {
		if (i >= LK_CIDRS_MAX) {
			/* So that no list takes long to check. */
			canonical[i] = list[i];
			continue;
		}
		const char *item = lk_arena_printf(faults->arena, "%s[%zu]", field, i);
		canonical[i] = check_range(faults, item == NULL ? field : item, list[i], canonical, i);
		if (canonical[i] == NULL) {
			return NULL;
		}
	}
	return canonical;
}
