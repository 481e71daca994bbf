/*
 * The memory that key sets and tokens are read in: jansson and cjose free it as it is, with the secrets of HS256 and what
 * tokens say.
 */
#ifndef LK_SERVER_JOSE_MEMORY_H
#define LK_SERVER_JOSE_MEMORY_H

/* Has both of them wipe what they free, from now on. Once for the process, before it has threads. */
void lk_jose_wipe_memory(void);

#endif
