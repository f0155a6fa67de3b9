#include "model/policy.h"
