/*
 * Being told to stop, by ^C or SIGTERM, in the middle of a work that has something to clean up: the work looks now and then,
 * cleans up, and ends by the signal. Another one some seconds later ends it at once. From one thread.
 */
#ifndef LK_CLI_STOP_H
#define LK_CLI_STOP_H

#include <stdbool.h>

/* From now on the signals are only noted. */
void lk_stop_catch(void);

/* Whether one has come. */
bool lk_stop_is_wanted(void);

/* The signals do again what they did; where one has come, the program ends by it now. */
void lk_stop_end(void);

#endif
