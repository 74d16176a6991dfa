#include "base/a.h"
#include "own.h"
