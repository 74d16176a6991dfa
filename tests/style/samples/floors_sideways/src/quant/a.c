#include "formats/b.h"
