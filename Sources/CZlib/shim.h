// zlib, for the compressed histograms in run.json.
#include <zlib.h>
