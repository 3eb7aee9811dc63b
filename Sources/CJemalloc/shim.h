// jemalloc's own control interface. Linking this library is what makes it the process's malloc.
#include <jemalloc/jemalloc.h>
