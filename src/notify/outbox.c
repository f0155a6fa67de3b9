#include "notify/outbox.h"
