/* control.h - the control socket (run_dir/control.sock, root:pavise-admin 0660): one JSON object a line, asked by the
 * command and the panel, answered by the engine. A line is at most 16 KiB; at most 16 clients; a client that does not
 * read its answers is dropped. Every answer ends with a line that has "ok".
 *
 *   {"verb":"status"}                      -> {"ok":true,"status":{...}}            shape: guard/control.c, status_json()
 *   {"verb":"top"}                         -> {"ok":true,"workloads":[{...}]}
 *   {"verb":"events","max":50,"since_us":N,"before":ROW,"after":ROW,"id":"net.","subject":"shop/web","follow":false}
 *                                          -> notices (notice_json()), one a line, oldest first, then {"ok":true}; with
 *                                             "follow":true no end: new ones as they are stored
 *   {"verb":"event","row":N}               -> the notice, then {"ok":true}
 *   {"verb":"acts"}                        -> {"ok":true,"acts":[{"row":N,"time":"..Z","kind":..,"subject":..,"id":..,"old":..,"undone":false}]}
 *   {"verb":"undo","row":N}                -> {"ok":true,"text":"..."}
 *   {"verb":"off","for_us":N}  (0: until `on`)   {"verb":"on"}   -> {"ok":true,"text":"..."}
 *   {"verb":"reload"}                      -> {"ok":true,"text":"..."} once the new policy is in force, or the error lines
 *   {"verb":"bans","address":"..","max":N} -> one line for each ban {"address","since","until","left_us","times","by","service","reason",
 *                                             "evidence":[{"source","line","time","text"}]}, then {"ok":true,"count":N,"mode":..,"off":..}
 *   {"verb":"ban","address":"203.0.113.0/24","for_us":N,"reason":"..","by":".."}   {"verb":"unban","address":".."}
 *                                          -> {"ok":true,"text":"..."}
 *   any failure                            -> {"ok":false,"error":"what happened","next":"the next command"}
 */
#ifndef PV_MODEL_CONTROL_H
#define PV_MODEL_CONTROL_H

#define CONTROL_SOCKET	"control.sock"
#define CONTROL_LINE	16384
#define CONTROL_CLIENTS 16

enum control_class { CONTROL_READ, CONTROL_ACT };

struct control_verb {
	const char *name;
	enum control_class class_;
};
#define CONTROL_VERBS                                                                              \
	{ "status", CONTROL_READ }, { "top", CONTROL_READ }, { "events", CONTROL_READ },           \
	{ "event", CONTROL_READ }, { "acts", CONTROL_READ }, { "undo", CONTROL_ACT },              \
	{ "off", CONTROL_ACT }, { "on", CONTROL_ACT }, { "reload", CONTROL_ACT },     \
	{ "bans", CONTROL_READ }, { "ban", CONTROL_ACT }, { "unban", CONTROL_ACT }

#endif
