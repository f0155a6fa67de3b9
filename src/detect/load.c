#include "detect/load.h"
