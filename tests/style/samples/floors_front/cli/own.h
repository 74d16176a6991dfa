#include "smidgen.h"
