/*
 * What a server has cost, as another process sees it: its processor time and that of the processes it has made.
 */
#ifndef LK_TESTS_BENCH_SERVER_H
#define LK_TESTS_BENCH_SERVER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The processor time in ns that the process `pid`, its children, and those children that have ended have had by now; of what a
 * child has made itself, nothing. Exact but for the last, which the kernel tells in ticks of its clock. Ends the program where there
 * is no such process.
 */
int64_t lk_server_cpu_ns(pid_t pid);

#endif
