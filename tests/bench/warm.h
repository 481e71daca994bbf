/*
 * Brings a process that has opened a store into the state of one that has run for long: the store's pages are in its page
 * table. Else, for the first seconds, what a driver measures is how fast the kernel maps files: of ten million keys, each
 * verdict finds pages that this process has never touched.
 */
#ifndef LK_TESTS_BENCH_WARM_H
#define LK_TESTS_BENCH_WARM_H

/*
 * Maps all pages of the files data.mdb and slots.mmap that this process has mapped, the latter to be written. Blocks for about a
 * second for each ten million keys, more where the pages are on the disk alone. Does nothing where the kernel is older than 5.14.
 */
void lk_warm_maps(void);

#endif
