// zlib, for the compressed histograms in run.json and the kernel's compressed configuration.
#include <zlib.h>
