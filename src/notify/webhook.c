#include "notify/channel.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/mask.h"

#define ANSWER_MAX  4096
#define HEADERS_MAX 16384
#define TIMEOUT_MS  10000L

static CURL *curl; /* kept: a burst shares one connection and one handshake */
static bool started;

int webhook_start(void)
{
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	started = true;
	return 0;
}

void webhook_stop(void)
{
	if (!started)
		return;
	curl_easy_cleanup(curl);
	curl = NULL;
	curl_global_cleanup();
}

void webhook_sign(char ret[WEBHOOK_SIGNATURE], const uint8_t *secret, size_t secret_len, const char *timestamp,
		  const char *body, size_t body_len)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	(void) crypto_auth_hmacsha256_init(&state, secret, secret_len);
	(void) crypto_auth_hmacsha256_update(&state, (const unsigned char *) timestamp, strlen(timestamp));
	(void) crypto_auth_hmacsha256_update(&state, (const unsigned char *) ".", 1);
	(void) crypto_auth_hmacsha256_update(&state, (const unsigned char *) body, body_len);
	(void) crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof(state));
	(void) sodium_bin2hex(ret, WEBHOOK_SIGNATURE, mac, sizeof(mac));
}

/* Addresses that only this host or its cloud's metadata service answers on: no receiver of notices lives there, and
 * whoever can set a name's address must not reach it through us. */
static bool is_link_local(const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct ip_addr a = { { 0 } };

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		a = ip_from_v4(v4.sin_addr.s_addr);
	} else {
		memcpy(&v6, sa, sizeof(v6));
		memcpy(a.b, &v6.sin6_addr, sizeof(a.b));
	}
	if (ip_is_v4(&a))
		return a.b[12] == 169 && a.b[13] == 254;
	return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	(void) arg;
	(void) purpose;
	if ((addr->family != AF_INET && addr->family != AF_INET6) || is_link_local(&addr->addr))
		return CURL_SOCKET_BAD;
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

/* What a receiver answers is thrown away; too much of it ends the connection. */
static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
	size_t *left = arg;

	(void) data;
	if (size * n > *left)
		return 0;
	*left -= size * n;
	return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct channel *channel = arg;

	(void) a;
	(void) b;
	(void) c;
	(void) d;
	return channel->stop && channel->stop(channel->stop_arg);
}

static void set_rules(CURL *h, const struct channel *c)
{
	(void) curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https");
	(void) curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	(void) curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
	(void) curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
	(void) curl_easy_setopt(h, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	(void) curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	(void) curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void) curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, TIMEOUT_MS);
	(void) curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void) curl_easy_setopt(h, CURLOPT_PROXY, "");
	(void) curl_easy_setopt(h, CURLOPT_USERAGENT, "pavise/" PAVISE_VERSION);
	(void) curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void) curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	(void) curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void) curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
}

static struct curl_slist *make_headers(const struct channel *c, const struct outbox_row *row)
{
	char timestamp[24], signature[WEBHOOK_SIGNATURE], line[128];
	struct curl_slist *list = NULL;

	(void) snprintf(timestamp, sizeof(timestamp), "%llu", (unsigned long long) (clock_wall_us() / USEC_PER_SEC));
	webhook_sign(signature, c->secret, c->secret_len, timestamp, row->text, row->len);
	list = curl_slist_append(list, "Content-Type: application/json");
	list = curl_slist_append(list, "Expect:");
	(void) snprintf(line, sizeof(line), "X-Pavise-Id: %s", row->unique);
	list = curl_slist_append(list, line);
	(void) snprintf(line, sizeof(line), "X-Pavise-Timestamp: %s", timestamp);
	list = curl_slist_append(list, line);
	(void) snprintf(line, sizeof(line), "X-Pavise-Signature: sha256=%s", signature);
	return curl_slist_append(list, line);
}

/* What an answer of this status means: 0 delivered, -EINVAL never, else again. A redirect is never followed, so
 * the URL must be mended first. */
static int judge_status(long status)
{
	if (status >= 200 && status < 300)
		return 0;
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		return -EAGAIN;
	return -EINVAL;
}

static void judge(const struct channel *c, CURL *h, CURLcode code, const char *error, struct outbox_answer *ret)
{
	pv_autobuf masked = PV_BUF_INIT, safe = PV_BUF_INIT;
	curl_off_t wait = 0;
	long status = 0;

	(void) curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	/* A receiver that took it and then talked too long, or hung up while talking, has taken it. */
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && status >= 200)) {
		if (judge_status(status))
			outbox_answer_set(ret, judge_status(status), "the receiver answered HTTP %ld", status);
		if (curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
			ret->retry_after_s = (uint32_t) PV_MIN(wait, (curl_off_t) UINT32_MAX);
		return;
	}
	mask_text(&masked, *error ? error : curl_easy_strerror(code), (const char *) c->secret, c->secret_len);
	pv_buf_safe(&safe, pv_buf_str(&masked), 0);
	outbox_answer_set(ret, code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ? -EINVAL : -EAGAIN, "%s",
		       pv_buf_str(&safe));
}

void webhook_deliver(const struct channel *c, const struct outbox_row *row, struct outbox_answer *ret)
{
	size_t answer_left = ANSWER_MAX, headers_left = HEADERS_MAX;
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	CURLcode code;

	if (!c->secret_len) { /* kept, not refused for ever: it goes out once the file is there */
		outbox_answer_set(ret, -ENOKEY, "no secret to sign with; set secret_file");
		return;
	}
	if (!curl)
		curl = curl_easy_init();
	headers = make_headers(c, row);
	if (!curl || !headers) {
		outbox_answer_set(ret, -ENOMEM, "out of memory");
		curl_slist_free_all(headers);
		return;
	}
	set_rules(curl, c);
	(void) curl_easy_setopt(curl, CURLOPT_URL, c->url);
	(void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) row->len);
	(void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, row->text);
	(void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	(void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	(void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer_left);
	(void) curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_bytes);
	(void) curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers_left);
	code = curl_easy_perform(curl);
	judge(c, curl, code, error, ret);
	curl_easy_reset(curl); /* forgets the body and the headers, keeps the connection */
	curl_slist_free_all(headers);
}
