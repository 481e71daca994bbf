#include "tests/lib/call_counts.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The C library's own, by the names that it calls them by itself: nothing needs to be looked up, and dlsym() may allocate. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *data, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *data);

#define RANGES_MAX 512

/* Where the code lies whose calls are counted. */
static struct {
	uintptr_t begin;
	uintptr_t end;
} ranges[RANGES_MAX];
static size_t n_ranges;
static struct call_counts *counts;

/* Whose calls are their own business: nng's, the C library's, and ours. */
static bool is_exempt(const char *path)
{
	static const char *const names[] = {"libnng.so", "libc.so", "ld-linux", "linux-vdso", "call_counts"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strstr(path, names[i]) != NULL) {
			return true;
		}
	}
	return false;
}

static int add_ranges(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	for (size_t i = 0; !is_exempt(info->dlpi_name) && i < info->dlpi_phnum && n_ranges < RANGES_MAX; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0) {
			ranges[n_ranges].begin = info->dlpi_addr + header->p_vaddr;
			ranges[n_ranges].end = ranges[n_ranges].begin + header->p_memsz;
			n_ranges++;
		}
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv(CALL_COUNTS_VARIABLE);
	int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);

	if (file < 0) {
		return;
	}
	void *mapped = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (mapped == MAP_FAILED) {
		return;
	}
	(void)dl_iterate_phdr(add_ranges, NULL);
	counts = mapped;
	(void)atomic_fetch_add(&counts->ready, 1);
}

static void count(enum call_kind kind, const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	char thread[16] = "";
	bool counted = false;

	for (size_t i = 0; counts != NULL && i < n_ranges && !counted; i++) {
		counted = at >= ranges[i].begin && at < ranges[i].end;
	}
	if (counted && prctl(PR_GET_NAME, thread) == 0 && strncmp(thread, "nng:", 4) == 0) {
		(void)atomic_fetch_add(&counts->calls[kind], 1);
	}
}

#define COUNT(kind) count(kind, __builtin_return_address(0))

void *malloc(size_t size)
{
	COUNT(CALL_MEMORY);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	COUNT(CALL_MEMORY);
	return __libc_calloc(n, size);
}

void *realloc(void *data, size_t size)
{
	COUNT(CALL_MEMORY);
	return __libc_realloc(data, size);
}

void free(void *data)
{
	COUNT(CALL_MEMORY);
	__libc_free(data);
}

void *memalign(size_t alignment, size_t size)
{
	COUNT(CALL_MEMORY);
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	COUNT(CALL_MEMORY);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_data, size_t alignment, size_t size)
{
	COUNT(CALL_MEMORY);
	*ret_data = __libc_memalign(alignment, size);
	return *ret_data == NULL ? ENOMEM : 0;
}

/* The function of this name that stands behind ours: looked up by whoever needs it first, and always the same. */
#define NEXT(name)                                                                                                     \
	static __typeof__(&(name)) next_##name(void)                                                                   \
	{                                                                                                              \
		static _Atomic(__typeof__(&(name))) next;                                                              \
                                                                                                                       \
		if (atomic_load(&next) == NULL) {                                                                      \
			atomic_store(&next, (__typeof__(&(name)))dlsym(RTLD_NEXT, #name));                             \
		}                                                                                                      \
		return atomic_load(&next);                                                                             \
	}

#define LOCK(name, type)                                                                                               \
	NEXT(name)                                                                                                     \
	int name(type *lock)                                                                                           \
	{                                                                                                              \
		COUNT(CALL_LOCK);                                                                                      \
		return next_##name()(lock);                                                                            \
	}

LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK(pthread_spin_lock, pthread_spinlock_t)

NEXT(vsnprintf)
NEXT(vfprintf)
NEXT(vdprintf)
NEXT(vasprintf)

int vsnprintf(char *out, size_t size, const char *format, va_list arguments)
{
	COUNT(CALL_PRINT);
	return next_vsnprintf()(out, size, format, arguments);
}

int vfprintf(FILE *stream, const char *format, va_list arguments)
{
	COUNT(CALL_PRINT);
	return next_vfprintf()(stream, format, arguments);
}

int vdprintf(int file, const char *format, va_list arguments)
{
	COUNT(CALL_PRINT);
	return next_vdprintf()(file, format, arguments);
}

int vasprintf(char **ret_text, const char *format, va_list arguments)
{
	COUNT(CALL_PRINT);
	return next_vasprintf()(ret_text, format, arguments);
}

/* What one does that takes its arguments one by one: `call`, which takes them together. */
#define PRINT(call)                                                                                                    \
	va_list arguments;                                                                                             \
	COUNT(CALL_PRINT);                                                                                             \
	va_start(arguments, format);                                                                                   \
	int len = (call);                                                                                              \
	va_end(arguments);                                                                                             \
	return len

int snprintf(char *out, size_t size, const char *format, ...)
{
	PRINT(next_vsnprintf()(out, size, format, arguments));
}

int sprintf(char *out, const char *format, ...)
{
	PRINT(next_vsnprintf()(out, INT_MAX, format, arguments));
}

int printf(const char *format, ...)
{
	PRINT(next_vfprintf()(stdout, format, arguments));
}

int fprintf(FILE *stream, const char *format, ...)
{
	PRINT(next_vfprintf()(stream, format, arguments));
}

int dprintf(int file, const char *format, ...)
{
	PRINT(next_vdprintf()(file, format, arguments));
}

int asprintf(char **ret_text, const char *format, ...)
{
	PRINT(next_vasprintf()(ret_text, format, arguments));
}
