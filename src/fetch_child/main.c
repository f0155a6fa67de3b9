/* pavise-fetch: the few requests of `pavise audit --probe`, to one host and nowhere else. It runs as nobody without a file to
 * read but name service and certificates; answers are cut at 64 kB and 5 s, redirects are told and not followed, and only
 * addresses that it was given are connected to. A line for each on standard output (check/probe.h). */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/sandbox.h"

#define NOBODY	    65534
#define TIMEOUT_MS  5000L
#define ANSWER_MAX  (64u << 10)
#define ADDRESSES   256
#define LOGINS	    7
#define ORIGIN	    "https://pavise-probe.invalid" /* RFC 2606: nobody's */

static struct ip_addr allowed[ADDRESSES];
static size_t n_allowed;
static bool anywhere, refused;

struct answer {
	size_t left; /* bytes that may still come */
	char location[512], hsts[128], origin[256], credentials[32];
};

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct ip_addr a;
	bool fine = anywhere;

	(void) arg;
	(void) purpose;
	if (addr->family == AF_INET) {
		memcpy(&v4, &addr->addr, sizeof(v4));
		a = ip_from_v4(v4.sin_addr.s_addr);
	} else if (addr->family == AF_INET6) {
		memcpy(&v6, &addr->addr, sizeof(v6));
		memcpy(a.b, &v6.sin6_addr, sizeof(a.b));
	} else {
		return CURL_SOCKET_BAD;
	}
	for (size_t i = 0; i < n_allowed && !fine; i++)
		fine = memcmp(&allowed[i], &a, sizeof(a)) == 0;
	refused = refused || !fine;
	return fine ? socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol) : CURL_SOCKET_BAD;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	(void) data;
	if (size * n > a->left)
		return 0;
	a->left -= size * n;
	return size * n;
}

static void keep(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0)
		return;
	line += n;
	len -= n;
	while (len && (*line == ' ' || *line == '\t'))
		line++, len--;
	while (len && strchr("\r\n ", line[len - 1]))
		len--;
	(void) snprintf(out, size, "%.*s", (int) PV_MIN(len, size - 1), line);
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t len = size * n;

	if (len > a->left)
		return 0;
	a->left -= len;
	keep(data, len, "location:", a->location, sizeof(a->location));
	keep(data, len, "strict-transport-security:", a->hsts, sizeof(a->hsts));
	keep(data, len, "access-control-allow-origin:", a->origin, sizeof(a->origin));
	keep(data, len, "access-control-allow-credentials:", a->credentials, sizeof(a->credentials));
	return len;
}

/* Returns the status, 0 without an answer; `why` gets the reason, with a ? before it where it could not be asked at all. */
static long fetch(const char *url, const char *const headers[], const char *body, struct answer *a, struct pv_buf *why)
{
	CURL *h = curl_easy_init();
	struct curl_slist *list = NULL;
	char error[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	*a = (struct answer){ .left = ANSWER_MAX };
	refused = false;
	for (size_t i = 0; headers && headers[i]; i++)
		list = curl_slist_append(list, headers[i]);
	if (!h)
		return 0;
	(void) curl_easy_setopt(h, CURLOPT_URL, url);
	(void) curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	(void) curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	(void) curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
	(void) curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
	(void) curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void) curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void) curl_easy_setopt(h, CURLOPT_PROXY, "");
	(void) curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	(void) curl_easy_setopt(h, CURLOPT_USERAGENT, "pavise-probe/" PAVISE_VERSION);
	(void) curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void) curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	(void) curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
	(void) curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	(void) curl_easy_setopt(h, CURLOPT_HEADERDATA, a);
	(void) curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
	if (list)
		(void) curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
	if (body)
		(void) curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	code = curl_easy_perform(h);
	(void) curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status)) { /* one that talks too long has answered */
		status = 0;
		if (refused)
			pv_buf_puts(why, "?its address is not one of this host (--probe-remote)");
		else
			pv_buf_printf(why, "%s%s", code == CURLE_COULDNT_RESOLVE_HOST ? "?" : "", *error ? error : curl_easy_strerror(code));
	}
	curl_slist_free_all(list);
	curl_easy_cleanup(h);
	return status;
}

static void column(const char *text)
{
	pv_autobuf safe = PV_BUF_INIT;

	pv_buf_safe(&safe, text, 0); /* no tab and no newline is left */
	(void) printf("\t%s", pv_buf_str(&safe));
}

/* --- the requests --- */

static void ask_http(const char *host)
{
	pv_autobuf url = PV_BUF_INIT, why = PV_BUF_INIT;
	struct answer a;
	long status;

	pv_buf_printf(&url, "http://%s/", host);
	status = fetch(pv_buf_str(&url), NULL, NULL, &a, &why);
	(void) printf("http\t%ld", status);
	column(pv_buf_str(&why));
	column(a.location);
	(void) printf("\n");
}

static bool ask_https(const char *url)
{
	pv_autobuf why = PV_BUF_INIT;
	struct answer a;
	long status = fetch(url, NULL, NULL, &a, &why);

	(void) printf("https\t%ld", status);
	column(pv_buf_str(&why));
	column(a.hsts);
	(void) printf("\n");
	return status > 0;
}

static void ask_cors(const char *url)
{
	static const char *const headers[] = { "Origin: " ORIGIN, NULL };
	pv_autobuf why = PV_BUF_INIT;
	struct answer a;
	long status = fetch(url, headers, NULL, &a, &why);

	(void) printf("cors\t%ld", status);
	column(pv_buf_str(&why));
	column(a.origin);
	column(a.credentials);
	column(ORIGIN);
	(void) printf("\n");
}

static bool is_login(const char *url)
{
	static const char *const words[] = { "login", "signin", "sign-in", "sign_in", "auth", "session", "token" };

	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (strcasestr(url, words[i]))
			return true;
	return false;
}

static void ask_login(const char *url, const char *user)
{
	static const char *const headers[] = { "Content-Type: application/json", "Expect:", NULL };
	pv_autobuf body = PV_BUF_INIT, statuses = PV_BUF_INIT, why = PV_BUF_INIT;
	struct answer a;
	int sent = 0;

	pv_buf_printf(&body, "{\"username\":\"%s\",\"email\":\"%s@pavise-probe.invalid\",\"password\":\"%s\"}", user, user, user);
	while (sent < LOGINS) {
		long status = fetch(url, headers, pv_buf_str(&body), &a, &why);

		pv_buf_printf(&statuses, "%s%ld", sent ? " " : "", status);
		sent++;
		if (status == 429 || status == 0 || status == 404 || status == 405)
			break;
	}
	(void) printf("login\t%d", sent);
	column(pv_buf_str(&why));
	column(pv_buf_str(&statuses));
	(void) printf("\n");
}

/* --- giving up --- */

static int confine(void)
{
	static const struct sandbox_path paths[] = {
		{ .path = "/etc/ssl" },		 { .path = "/etc/pki" },
		{ .path = "/etc/ca-certificates" }, { .path = "/usr/lib/ssl" },
		{ .path = "/usr/share/ca-certificates" }, { .path = "/usr/local/share/ca-certificates" },
		{ .path = "/etc/resolv.conf" },	 { .path = "/run/systemd/resolve" },
		{ .path = "/run/NetworkManager" }, { .path = "/run/resolvconf" },
		{ .path = "/etc/hosts" },	 { .path = "/etc/host.conf" },
		{ .path = "/etc/nsswitch.conf" }, { .path = "/etc/gai.conf" },
		{ .path = "/etc/services" },	 { .path = "/lib" },
		{ .path = "/usr/lib" },		 { .path = "/etc/ld.so.cache" },
	};
	static const char *const calls[] = {
		"read", "write", "readv", "writev", "pread64", "close", "openat", "open", "newfstatat", "fstat", "stat", "lstat",
		"statx", "lseek", "fcntl", "getdents64", "readlink", "readlinkat", "access", "faccessat", "faccessat2", "mmap",
		"munmap", "mprotect", "mremap", "madvise", "brk", "futex", "poll", "ppoll", "socket", "socketpair", "connect", "bind",
		"sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "getsockopt", "setsockopt", "getsockname", "getpeername",
		"shutdown", "pipe2", "eventfd2", "ioctl", "clone", "clone3", "set_robust_list", "rseq", "rt_sigaction",
		"rt_sigprocmask", "rt_sigreturn", "sigaltstack", "gettid", "getpid", "tgkill", "exit", "exit_group", "getrandom",
		"clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "uname", "getuid", "geteuid", "getgid",
		"getegid", "sched_yield", "sched_getaffinity", "restart_syscall", "sysinfo", "prctl",
	};
	int r = sandbox_basics();

	if (r == 0 && geteuid() == 0)
		r = sandbox_become(NOBODY, NOBODY, 0);
	if (r < 0)
		return r;
	r = sandbox_paths(paths, N_ELEMENTS(paths));
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP)
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}

/* HOST URL USER ADDRESS...; `any` for addresses: wherever the name leads. */
int main(int argc, char **argv)
{
	int r;

	log_open("pavise-fetch");
	if (argc < 5) {
		log_error("wrong arguments; it is started by pavise audit");
		return 2;
	}
	for (int i = 4; i < argc && n_allowed < ADDRESSES; i++) {
		if (strcmp(argv[i], "any") == 0)
			anywhere = true;
		else if (ip_parse(argv[i], &allowed[n_allowed]) == 0)
			n_allowed++;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 3;
	r = confine();
	if (r < 0) {
		(void) log_error_errno(r, "cannot give up its rights");
		return 3;
	}
	ask_http(argv[1]);
	if (ask_https(argv[2])) {
		ask_cors(argv[2]);
		if (is_login(argv[2]))
			ask_login(argv[2], argv[3]);
	}
	return fflush(stdout) == 0 ? 0 : 3;
}
