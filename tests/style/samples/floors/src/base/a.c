#include "cpu/b.h"
