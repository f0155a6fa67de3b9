/* rule_file.h - the one loader of rule files (YAML), ours and users' alike.
 *
 *   schema: 1
 *   kind: secret                  # log, secret, ioc
 *   name: github                  # the service, provider or family
 *   reference: [https://...]      # where the format is documented
 *   verified: documentation       # or: real
 *   rules:
 *     - id: github.pat
 *       title: GitHub personal access token
 *       opens: what its holder can do
 *       severity: critical
 *       strength: strong          # or: weak
 *       literal: [ghp_]           # required: every match contains one of them
 *       match: '\bghp_[A-Za-z0-9]{36}\b'
 *       check: base62crc          # crc32, luhn, base62crc, base36crc, jwt, none
 *       random: 3.5               # least randomness of the credential (random.h)
 *       reach: 512                # no match is longer, context included
 *       remedy: revoke it at ..., then ...
 *       examples: {yes: [{text: 'token = gh+p_...', span: 'gh+p_...'}], no: ['ghp_xxxx']}
 *
 * More keys of a rule: `prefix` (public part of the format, shown when masked), `password: yes` (masked whole), `generic: yes`,
 * `context: [words]` (one must stand near), `unless: [globs]` (the credential is a placeholder), `doubt: low|drop` (what
 * becomes of a placeholder or of what is not random enough; `drop` unless said), `gate: match|literal|PATTERN` (what the
 * first pass looks for; `match` unless said; every match must contain a match of the gate), `nocase: yes` (literals in any
 * case).
 * `run: [WORDS]` in place of a gate, for a rule whose every match holds 24 characters or more of A-Za-z0-9+/_- directly behind one
 * of the words (? is any byte): such runs are found without libhs, where a literal of two characters would open at every turn.
 * `also: [WORDS]`: every match holds these, too (exactly so): asked before the pattern is tried on a line of a log.
 * Keys of a rule for logs: `from` says what `match` takes: `line` (the whole message, frame and time taken off; both ends are
 * anchored; unless said), `tail` (its end), `part` (anything in it), `json:KEY KEY...` (the values of these keys of a JSON
 * line, absent ones empty, joined by tabs; `a.b` is a key in a key, of a list the first; both ends are anchored). `<host>` in
 * `match` is the group `address`: an address in any spelling, or a name, which is never looked up. `<time>` is the group `time`.
 * Further groups: `user`, `session` (what joins the lines of an attempt, instead of the pid), `count` (attempts told by one
 * line), `method` and `path` (a POST to a login path that was answered 401 or 403 is strong), `forwarded` (X-Forwarded-For).
 * `tells: login|miner|error|probe`; `strength: strong|weak|neutral|accepted|through` (a request that got through: voids weak
 * ones of the same address and path); `phase: begin|check|refused|end`: several lines tell one attempt, the largest number of
 * lines of one phase is the number of attempts; `join: address` where neither pid nor session joins them; `when: {program, unit, uid, transport, image}`. `ban: yes` of the file:
 * its rules may ban though `verified` is `documentation`.
 * `after: [words]` in place of `literal` makes `match` the value of an assignment whose name holds one of the words.
 *
 * `version: NUMBER` of the file: one that is replaced must not be replaced by an older one (rules/ioc/pools.yaml).
 * `names: [words]` in place of `literal` and `match`, for kind ioc: whole names of programs, of at most 31 bytes; `xmrig*` is
 * xmrig alone and with a version behind it (xmrig-6.21, xmrig_arm64). They reach the kernel by their id: exec.miner...,
 * exec.lookalike..., exec.server, .shell, .downloader, .compiler, .package, .multi (rules/ioc/exec.yaml). With net.pool-name...,
 * net.pool-port..., dns.resolver-name... and dns.resolver-address... they are names, ports and addresses, of at most 63 bytes.
 *
 * In examples every `+` is taken out before use, `++` stands for one, so that no scanner finds the example in the file.
 * The examples are tried when the file is read: a yes must be found with exactly that span, a no must not be found. */
#ifndef PV_MATCH_RULE_FILE_H
#define PV_MATCH_RULE_FILE_H

#include "match/rule.h"

#define RULE_FILE_MAX  (1u << 20)
#define RULE_FILES_MAX 1024

/* Starts with no rules. */
int rules_new(struct rules **ret);

/* Adds the rules of one file. `name` is used in messages only. 0; -EINVAL with `name:line:column: what is wrong, what
 * would be right` appended to err (one line each; reading goes on to find more, at most 20); -ENOMEM. After an error
 * the set must not be used. Examples are tried by rules_try_examples(). */
int rules_add_file(struct rules *rs, const char *name, const char *text, size_t len, struct pv_buf *err);

/* Whether the rule's `names` hold this name of a program; the kernel's own way to look (bpf/exec.bpf.c). */
bool rule_names(const struct rule *r, const char *name);

/* Compiles every pattern and tries every example, as a scan would. -EINVAL: err says which. Those of kind log are left to
 * whoever knows what a line is (match_where.try_lines). */
int rules_try_examples(const struct rules *rs, struct pv_buf *err);

#endif
