/* The checks of what a Dockerfile does while it builds. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "check/check.h"
#include "check/img.h"

static bool is_name_char(char c)
{
	return isalnum((unsigned char) c) || c == '-' || c == '_' || c == '.' || c == '/';
}

/* `word` as a command or argument of its own. */
static const char *find_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = s; (p = strstr(p, word)); p++)
		if ((p == s || !is_name_char(p[-1]) || p[-1] == '/') && !is_name_char(p[n]))
			return p;
	return NULL;
}

static void saw_step(const struct ctr *c, const struct ctr_step *s, struct finding *f)
{
	finding_evidence(f, s->name, c->path, s->at.line, "%.160s", s->at.text ? s->at.text : "");
}

static bool remote(const char *s)
{
	return strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0 ||
	       strncasecmp(s, "ftp://", 6) == 0;
}

/* ADD of an address without --checksum: whatever lies there on the day of the build gets in. */
static bool adds_remote(const struct ctr_step *s)
{
	bool hit = false;

	if (strcmp(s->name, "ADD") != 0 || strstr(s->at.text, "--checksum="))
		return false;
	for (const char *p = s->at.text; *p; p += strcspn(p, " \t[,\""), p += strspn(p, " \t[,\""))
		hit = hit || remote(p);
	return hit;
}

static bool uses_sudo(const struct ctr_step *s)
{
	const char *p = strcmp(s->name, "RUN") == 0 ? find_word(s->at.text, "sudo") : NULL;

	/* installing it is not using it */
	return p && !strstr(s->at.text, "install sudo") && !strstr(s->at.text, "add sudo") &&
	       !strstr(s->at.text, "-y sudo") && p[4] == ' ';
}

static bool pipes_to_shell(const struct ctr_step *s)
{
	static const char *const shells[] = { "sh", "bash", "ash", "dash", "zsh", "python", "python3", "perl", "node" };
	const char *text = s->at.text, *bar;

	if (strcmp(s->name, "RUN") != 0 || (!find_word(text, "curl") && !find_word(text, "wget")))
		return false;
	for (bar = text; (bar = strchr(bar, '|')); bar++) {
		const char *p = bar + 1 + strspn(bar + 1, " \t");

		if (bar[1] == '|' || (bar > text && bar[-1] == '|'))
			continue;
		if (strncmp(p, "sudo ", 5) == 0)
			p += 5 + strspn(p + 5, " -E");
		if (strncmp(p, "/bin/", 5) == 0)
			p += 5;
		for (size_t i = 0; i < N_ELEMENTS(shells); i++) {
			size_t n = strlen(shells[i]);

			if (strncmp(p, shells[i], n) == 0 && !is_name_char(p[n]))
				return true;
		}
	}
	return strstr(text, "<(curl") || strstr(text, "<(wget") || strstr(text, "$(curl -fsSL") ||
	       strstr(text, "\"$(curl") || strstr(text, "\"$(wget");
}

static bool turns_tls_off(const struct ctr_step *s)
{
	static const char *const run[] = {
		"--no-check-certificate",
		"strict-ssl false",
		"strict-ssl=false",
		"NODE_TLS_REJECT_UNAUTHORIZED=0",
		"--nogpgcheck",
		"--allow-unauthenticated",
		"--no-gpg-checks",
		"--trusted-host",
		"GIT_SSL_NO_VERIFY=",
		"http.sslVerify false",
		"http.sslverify false",
		"sslverify=false",
		"--allow-insecure-repositories",
		"--insecure",
		"PYTHONHTTPSVERIFY=0",
	};
	const char *text = s->at.text, *p;

	if (strcmp(s->name, "RUN") != 0 && strcmp(s->name, "ENV") != 0 && strcmp(s->name, "ARG") != 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(run); i++)
		if (strcasestr(text, run[i]))
			return true;
	if (strcmp(s->name, "ENV") == 0 && strstr(text, "NODE_TLS_REJECT_UNAUTHORIZED") && strstr(text, "0"))
		return true;
	for (p = find_word(text, "curl"); p; p = find_word(p + 4, "curl")) { /* curl -k, curl -fsSLk */
		for (const char *o = p + 4; *o && !strchr("|;&\n", *o); o++)
			if (o[0] == '-' && isspace((unsigned char) o[-1]) && o[1] != '-' &&
			    memchr(o, 'k', strcspn(o, " \t|;&\n")))
				return true;
	}
	return false;
}

/* Whether the words behind an install command name a package without a version. */
static bool unpinned(const char *words, const char *pin)
{
	size_t end = strcspn(words, "|;&\n");

	for (const char *p = words; p < words + end;) {
		size_t n;

		p += strspn(p, " \t");
		n = strcspn(p, " \t|;&\n");
		if (!n || p >= words + end)
			break;
		if (*p == '-' &&
		    (strncmp(p, "-r", 2) == 0 || strncmp(p, "--requirement", 13) == 0 || strncmp(p, "-c", 2) == 0))
			return false; /* a file says which */
		if (*p != '-' && *p != '.' && *p != '/' && *p != '$' && *p != '"' && !memmem(p, n, pin, strlen(pin)) &&
		    !memmem(p, n, "://", 3) && !memchr(p, '/', n) && !memchr(p, '>', n))
			return true;
		p += n;
	}
	return false;
}

static bool leaves_packages_open(const struct ctr_step *s)
{
	static const struct {
		const char *command, *pin;
	} managers[] = {
		{ "apt-get install", "=" },     { "apt install", "=" },    { "apt-get -y install", "=" },
		{ "apt-get -qq install", "=" }, { "apk add", "=" },        { "pip install", "==" },
		{ "pip3 install", "==" },       { "npm install -g", "@" }, { "npm i -g", "@" },
		{ "gem install", ":" },
	};

	if (strcmp(s->name, "RUN") != 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(managers); i++)
		for (const char *p = s->at.text; (p = strstr(p, managers[i].command));) {
			p += strlen(managers[i].command);
			if (unpinned(p, managers[i].pin))
				return true;
		}
	return false;
}

static const struct {
	enum id id;
	bool (*bad)(const struct ctr_step *s);
	const char *text;
} img_checks[] = {
	{ ID_IMG_CURL_PIPE_SHELL, pipes_to_shell, "download to a file, check its sum (sha256sum -c), then run it" },
	{ ID_IMG_TLS_OFF, turns_tls_off,
	  "leave the checks on; add the certificate that is missing (ca-certificates, or your own CA)" },
	{ ID_IMG_ADD_REMOTE, adds_remote, "ADD --checksum=sha256:..., or RUN curl with a check of the sum" },
	{ ID_IMG_SUDO, uses_sudo, "do what needs root before USER, and leave sudo out of the image" },
	{ ID_IMG_PACKAGE_PINS, leaves_packages_open, "name versions (nginx=1.22.1-9), or a lock file" },
};

int check_image_steps(const struct ctr *c, const struct check_select *sel, struct finding_list *to)
{
	for (size_t i = 0; i < N_ELEMENTS(img_checks); i++) {
		pv_auto(finding) f = NULL;

		if (!sel->on[img_checks[i].id] || c->source != CTR_DOCKERFILE)
			continue;
		f = finding_new(img_checks[i].id, FINDING_PASS);
		for (size_t k = 0; f && k < c->n_steps; k++) {
			if (!c->step[k].at.text || !img_checks[i].bad(&c->step[k]))
				continue;
			if (f->verdict == FINDING_PASS)
				finding_subject(f, c->kind, c->name, c->path, c->step[k].at.line);
			f->verdict = FINDING_FAIL;
			saw_step(c, &c->step[k], f);
		}
		if (f && f->verdict == FINDING_PASS) {
			finding_subject(f, c->kind, c->name, c->path, 0);
			if (c->gap[CTR_BUILD].reason)
				finding_unknown(f, c->gap[CTR_BUILD].reason);
		}
		if (f && f->verdict == FINDING_FAIL)
			finding_remedy(f, img_checks[i].text, NULL);
		finding_fingerprint(f, NULL, NULL);
		if (finding_list_add(to, pv_steal(f)) < 0)
			return -ENOMEM;
	}
	return 0;
}
