#include "sense/ring.h"
