/* A set that another process compiled. Kept apart from open.c, so that who only loads one (the engine) links neither libhs's compiler nor a
 * reader of YAML. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "match/engine.h"

#define MAP_MAX (256u << 20)

int set_map(int fd, void **ret_map, size_t *ret_len)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || st.st_size > (off_t) MAP_MAX)
		return -EBADMSG;
	map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret_map = map;
	*ret_len = (size_t) st.st_size;
	return 0;
}

int match_set_load(int fd, struct match_set **ret)
{
	pv_autoclose int own = fd;
	int seals = fcntl(own, F_GET_SEALS), r;
	size_t len = 0;
	void *map = NULL;

	if (seals < 0 || (seals & MATCH_SEALS) != MATCH_SEALS)
		return -EPERM;
	r = set_map(own, &map, &len);
	return r < 0 ? r : cache_unpack(map, len, 0, ret);
}
