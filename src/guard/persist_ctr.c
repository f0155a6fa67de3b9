/* Containers that hold the host: the engine's socket, or a folder in which something can stay. Told when one begins that nobody
 * has seen yet: what was made before the guard started is how the machine is, and the audit's affair (ctr.docker-socket,
 * ctr.host-path). */
#include <string.h>

#include "base/clock.h"
#include "guard/guard.h"
#include "report/tell.h"

static uint64_t key_of(const struct container_info *info, const char *what)
{
	uint64_t h = kernel_mix(0xcbf29ce484222325ull, info->project, strlen(info->project) + 1);

	h = kernel_mix(h, info->service[0] ? info->service : info->name,
		       strlen(info->service[0] ? info->service : info->name) + 1);
	h = kernel_mix(h, what, strlen(what) + 1);
	h = kernel_mix(h, info->image, strlen(info->image));
	return h ? h : 1;
}

/* True the first time. */
static bool is_new(struct pv_map *known, uint64_t key)
{
	static int there;

	if (pv_map_get(known, key))
		return false;
	return pv_map_put(known, key, &there) == 0;
}

static void tell(struct guard *g, const struct container_info *info, const char *what, bool engine, bool known_image)
{
	struct workload w = { .class_ = PV_CLASS_CONTAINER, .info = (struct container_info *) (uintptr_t) info };
	struct notice n;

	memcpy(w.id, info->id, sizeof(w.id));
	notice_init(&n, ID_HOST_PERSISTENCE, clock_wall_us());
	n.kind = SUBJECT_CONTAINER;
	workload_name(n.subject, sizeof(n.subject), &w);
	if (!known_image && !engine)
		n.severity = SEV_CRITICAL;
	tell_holds_host(&n, what, engine, info->image, known_image);
	(void) notices_raise(g, &n);
}

void persist_container(struct guard *g, const struct container_info *info)
{
	bool old = info->created_us && info->created_us < g->started_wall_us, unknown;
	uint64_t image = kernel_mix(7, info->image_id, strlen(info->image_id));

	unknown = info->image_id[0] && is_new(&g->images, image | 1);
	if (info->host_engine[0] && is_new(&g->holders, key_of(info, info->host_engine)) && !old)
		tell(g, info, info->host_engine, true, !unknown);
	if (info->host_folder[0] && is_new(&g->holders, key_of(info, info->host_folder)) && !old)
		tell(g, info, info->host_folder, false, !unknown);
}
