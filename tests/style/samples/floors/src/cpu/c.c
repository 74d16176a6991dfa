#include "base/d.h"
