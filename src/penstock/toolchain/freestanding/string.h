/* The three functions of <string.h> that generated code uses, for compilers without a C library. */
#ifndef PENSTOCK_FREESTANDING_STRING_H
#define PENSTOCK_FREESTANDING_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *destination, const void *source, size_t size);
void *memmove(void *destination, const void *source, size_t size);
void *memset(void *destination, int value, size_t size);

#ifdef __cplusplus
}
#endif

#endif
