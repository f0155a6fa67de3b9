#include "engine_api/answer.h"
