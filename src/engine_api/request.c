#include "engine_api/request.h"
