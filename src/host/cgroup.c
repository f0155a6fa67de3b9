#include "host/cgroup.h"
