/* Verdicts over what the Engine API says and over Dockerfiles: one row a case. */
#include <time.h>

#include "base/clock.h"
#include "base/util.h"
#include "check.h"
#include "check/check.h"
#include "check/remedy.h"

enum from { WHOLE, HOST, CONFIG, TOP, SWARM_CONTAINER, SWARM_TASK, SWARM_SPEC, DOCKERFILE };
enum { F = FINDING_FAIL, P = FINDING_PASS, U = FINDING_UNKNOWN, N = FINDING_NOT_APPLICABLE };

static const struct {
	enum id id;
	enum from from;
	const char *text; /* members of that object, or all of it */
	int verdict;
	int severity; /* 0: the id's own */
} cases[] = {
	/* spellings of no-new-privileges */
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":null", F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"no-new-privileges:false\"]", F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"no-new-privileges=false\",\"seccomp=unconfined\"]", F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"no-new-privileges\"]", P, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"label=disable\",\"no-new-privileges:true\"]", P, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"no-new-privileges=true\"]", P, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":[\"no-new-privilegesX\"]", F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, HOST, "\"SecurityOpt\":7", U, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, SWARM_CONTAINER, "\"Privileges\":{}", F, 0 },
	{ ID_CTR_NO_NEW_PRIVILEGES, SWARM_CONTAINER, "\"Privileges\":{\"NoNewPrivileges\":true}", P, 0 },
	/* root file system */
	{ ID_CTR_READONLY_ROOTFS, HOST, "\"ReadonlyRootfs\":false", F, 0 },
	{ ID_CTR_READONLY_ROOTFS, HOST, "\"Privileged\":false", F, 0 },
	{ ID_CTR_READONLY_ROOTFS, HOST, "\"ReadonlyRootfs\":true", P, 0 },
	{ ID_CTR_READONLY_ROOTFS, SWARM_CONTAINER, "\"ReadOnly\":true", P, 0 },
	{ ID_CTR_READONLY_ROOTFS, HOST, "\"ReadonlyRootfs\":\"yes\"", U, 0 },
	{ ID_CTR_TMPFS_TMP, HOST, "\"ReadonlyRootfs\":false", N, 0 },
	{ ID_CTR_TMPFS_TMP, HOST, "\"ReadonlyRootfs\":true", F, 0 },
	{ ID_CTR_TMPFS_TMP, HOST, "\"ReadonlyRootfs\":true,\"Tmpfs\":{\"/run\":\"\"}", F, 0 },
	{ ID_CTR_TMPFS_TMP, HOST, "\"ReadonlyRootfs\":true,\"Tmpfs\":{\"/tmp\":\"size=64m\"}", P, 0 },
	{ ID_CTR_TMPFS_TMP, HOST, "\"ReadonlyRootfs\":true,\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/tmp\"}]", P, 0 },
	/* limits: null, 0 and -1 are all without end */
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":null", F, SEV_HIGH },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":0", F, SEV_HIGH },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":-1", F, SEV_HIGH },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":101", F, SEV_LOW },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":100", P, 0 },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":1", P, 0 },
	{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":\"100\"", U, 0 },
	{ ID_CTR_PIDS_LIMIT, SWARM_TASK, "\"Resources\":{\"Limits\":{\"Pids\":50}}", P, 0 },
	{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":0", F, SEV_HIGH },
	{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":536870913", F, SEV_LOW },
	{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":536870912", P, 0 },
	{ ID_CTR_MEMORY_LIMIT, SWARM_TASK, "\"Resources\":{\"Limits\":{\"MemoryBytes\":67108864}}", P, 0 },
	{ ID_CTR_MEMORY_LIMIT, SWARM_TASK, "\"Resources\":{\"Reservations\":{\"MemoryBytes\":67108864}}", F, 0 },
	{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":{}", U, 0 },
	{ ID_CTR_CPU_LIMIT, HOST, "\"NanoCpus\":0", F, SEV_MEDIUM },
	{ ID_CTR_CPU_LIMIT, HOST, "\"CpuShares\":512", F, SEV_MEDIUM },
	{ ID_CTR_CPU_LIMIT, HOST, "\"NanoCpus\":2000000000", F, SEV_LOW },
	{ ID_CTR_CPU_LIMIT, HOST, "\"NanoCpus\":1500000000", P, 0 },
	{ ID_CTR_CPU_LIMIT, HOST, "\"CpuQuota\":50000,\"CpuPeriod\":100000", P, 0 },
	{ ID_CTR_CPU_LIMIT, HOST, "\"CpuQuota\":50000", P, 0 },
	{ ID_CTR_CPU_LIMIT, HOST, "\"NanoCpus\":\"1\"", U, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":0,\"MemorySwap\":-1", N, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":536870912,\"MemorySwap\":-1", F, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":67108864,\"MemorySwap\":-1", F, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":67108864,\"MemorySwap\":67108864", P, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":67108864,\"MemorySwap\":134217728", P, 0 },
	{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":67108864,\"MemorySwap\":true", U, 0 },
	/* users: docker-bench takes 0:0 for somebody else */
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"0\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"0:0\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"00\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"root:app\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\":1001\"", F, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"1001\"", P, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"1001:0\"", P, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"node\"", P, 0 },
	{ ID_CTR_NON_ROOT, CONFIG, "\"User\":\"99999999999999999999999\"", U, 0 },
	{ ID_CTR_NON_ROOT, SWARM_CONTAINER, "\"User\":\"0:0\"", F, 0 },
	{ ID_CTR_NON_ROOT, SWARM_CONTAINER, "\"Env\":[]", U, 0 },
	/* capabilities: nothing dropped at all is a finding */
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":null", F, 0 },
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":[\"NET_RAW\",\"MKNOD\"]", F, 0 },
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":[\"ALL\"],\"Privileged\":true", F, 0 },
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":[\"ALL\"]", P, 0 },
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":[\"all\"],\"CapAdd\":[\"CHOWN\"]", P, 0 },
	{ ID_CTR_CAP_DROP_ALL, HOST, "\"CapDrop\":\"ALL\"", U, 0 },
	{ ID_CTR_CAP_DROP_ALL, SWARM_CONTAINER, "\"CapabilityDrop\":[\"CAP_ALL\"]", P, 0 },
	{ ID_CTR_CAP_ADD, HOST, "\"CapAdd\":[\"SYS_ADMIN\"]", F, SEV_CRITICAL },
	{ ID_CTR_CAP_ADD, HOST, "\"CapAdd\":[\"CAP_NET_ADMIN\"]", F, SEV_HIGH },
	{ ID_CTR_CAP_ADD, HOST, "\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"sys_ptrace\"]", F, SEV_CRITICAL },
	{ ID_CTR_CAP_ADD, HOST, "\"CapAdd\":[\"NET_BIND_SERVICE\",\"CAP_CHOWN\"]", P, 0 },
	{ ID_CTR_CAP_ADD, HOST, "\"CapAdd\":null", P, 0 },
	{ ID_CTR_CAP_ADD, HOST, "\"CapAdd\":[7]", U, 0 },
	/* stopped privileged containers count */
	{ ID_CTR_PRIVILEGED, HOST, "\"Privileged\":true", F, 0 },
	{ ID_CTR_PRIVILEGED, HOST, "\"Privileged\":true,\"ReadonlyRootfs\":true", F, 0 },
	{ ID_CTR_PRIVILEGED, HOST, "\"Privileged\":false", P, 0 },
	{ ID_CTR_PRIVILEGED, HOST, "\"Memory\":1", P, 0 },
	{ ID_CTR_PRIVILEGED, HOST, "\"Privileged\":1", U, 0 },
	/* the socket, and every folder above it; read-only does not help */
#define BIND(src, rw) "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"" src "\",\"Destination\":\"/x\",\"RW\":" rw ",\"Propagation\":\"rprivate\"}]"
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var/run/docker.sock", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/run/docker.sock", "false"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var/run", "false"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var/run/", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/run", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/", "false"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var", "false"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/srv/../run/./docker.sock", "false"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/run/containerd/containerd.sock", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/run/user/1000/docker.sock", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/run/podman", "true"), F, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/srv/app/data", "true"), P, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var/run/app", "true"), P, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, BIND("/var/runner", "true"), P, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, "\"Mounts\":[]", P, 0 },
	{ ID_CTR_DOCKER_SOCKET, TOP, "\"Mounts\":{}", U, 0 },
	{ ID_CTR_DOCKER_SOCKET, SWARM_CONTAINER, "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/var/run/docker.sock\",\"Target\":\"/s\",\"ReadOnly\":true}]", F, 0 },
	{ ID_CTR_DOCKER_SOCKET, SWARM_CONTAINER,
	  "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/s\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"local\",\"Options\":"
	  "{\"type\":\"none\",\"o\":\"bind\",\"device\":\"/var/run\"}}}}]", F, 0 },
	{ ID_CTR_DOCKER_SOCKET, SWARM_CONTAINER, "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/s\"}]", P, 0 },
	{ ID_CTR_HOST_PATH, TOP, BIND("/", "false"), F, SEV_CRITICAL },
	{ ID_CTR_HOST_PATH, TOP, BIND("//", "true"), F, SEV_CRITICAL },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etc", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etc/cron.d", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, BIND("/root/.ssh", "false"), F, SEV_MEDIUM },
	{ ID_CTR_HOST_PATH, TOP, BIND("/home/ann/.ssh", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, BIND("/proc", "false"), F, SEV_MEDIUM },
	{ ID_CTR_HOST_PATH, TOP, BIND("/var/lib/docker/volumes", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etc/localtime", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etc/localtime", "false"), P, 0 },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etc/ssl/certs", "false"), P, 0 },
	{ ID_CTR_HOST_PATH, TOP, BIND("/home/ann/shop", "true"), P, 0 },
	{ ID_CTR_HOST_PATH, TOP, BIND("/etcetera", "true"), P, 0 },
	{ ID_CTR_HOST_PATH, TOP, BIND("/var/lib/docker", "true"), F, SEV_HIGH },
	{ ID_CTR_HOST_PATH, TOP, "\"Mounts\":[{}]", U, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, "\"Mounts\":[]", N, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, BIND("/srv", "true"), P, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, BIND("/mnt/data", "false"), P, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/mnt\",\"RW\":true,\"Propagation\":\"rshared\"}]", F, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, "\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/mnt\",\"RW\":false,\"Propagation\":\"shared\"}]", F, 0 },
	{ ID_CTR_VOLUME_SHARED, TOP, "\"Mounts\":\"x\"", U, 0 },
	/* namespaces */
	{ ID_CTR_HOST_NETWORK, HOST, "\"NetworkMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_NETWORK, SWARM_TASK, "\"Networks\":[{\"Target\":\"host\"}]", F, 0 },
	{ ID_CTR_HOST_NETWORK, HOST, "\"NetworkMode\":\"bridge\"", P, 0 },
	{ ID_CTR_HOST_NETWORK, HOST, "\"NetworkMode\":\"shop_host\"", P, 0 },
	{ ID_CTR_HOST_NETWORK, HOST, "\"NetworkMode\":[]", U, 0 },
	{ ID_CTR_HOST_PID, HOST, "\"PidMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_PID, HOST, "\"PidMode\":\"host\",\"Privileged\":true", F, 0 },
	{ ID_CTR_HOST_PID, HOST, "\"PidMode\":\"\"", P, 0 },
	{ ID_CTR_HOST_PID, HOST, "\"PidMode\":\"container:abc\"", P, 0 },
	{ ID_CTR_HOST_PID, HOST, "\"PidMode\":1", U, 0 },
	{ ID_CTR_HOST_IPC, HOST, "\"IpcMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_IPC, HOST, "\"IpcMode\":\"host\",\"PidMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_IPC, HOST, "\"IpcMode\":\"private\"", P, 0 },
	{ ID_CTR_HOST_IPC, HOST, "\"IpcMode\":\"shareable\"", P, 0 },
	{ ID_CTR_HOST_IPC, HOST, "\"IpcMode\":true", U, 0 },
	{ ID_CTR_HOST_UTS, HOST, "\"UTSMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_UTS, HOST, "\"UTSMode\":\"host\",\"NetworkMode\":\"host\"", F, 0 },
	{ ID_CTR_HOST_UTS, HOST, "\"UTSMode\":\"\"", P, 0 },
	{ ID_CTR_HOST_UTS, HOST, "\"PidMode\":\"host\"", P, 0 },
	{ ID_CTR_HOST_UTS, HOST, "\"UTSMode\":{}", U, 0 },
	{ ID_CTR_USERNS, HOST, "\"UsernsMode\":\"host\"", F, 0 },
	{ ID_CTR_USERNS, HOST, "\"UsernsMode\":\"host\",\"Privileged\":true", F, 0 },
	{ ID_CTR_USERNS, HOST, "\"UsernsMode\":\"\"", P, 0 },
	{ ID_CTR_USERNS, HOST, "\"UsernsMode\":\"private\"", P, 0 },
	{ ID_CTR_USERNS, HOST, "\"UsernsMode\":0", U, 0 },
	{ ID_CTR_SECCOMP, HOST, "\"SecurityOpt\":[\"seccomp=unconfined\"]", F, 0 },
	{ ID_CTR_SECCOMP, HOST, "\"SecurityOpt\":[\"seccomp:unconfined\"]", F, 0 },
	{ ID_CTR_SECCOMP, HOST, "\"SecurityOpt\":[]", P, 0 },
	{ ID_CTR_SECCOMP, HOST, "\"SecurityOpt\":[\"seccomp={}\"]", P, 0 },
	{ ID_CTR_SECCOMP, HOST, "\"SecurityOpt\":{}", U, 0 },
	{ ID_CTR_SECCOMP, SWARM_CONTAINER, "\"Privileges\":{\"Seccomp\":{\"Mode\":\"unconfined\"}}", F, 0 },
	{ ID_CTR_APPARMOR, HOST, "\"SecurityOpt\":[\"apparmor=unconfined\"]", F, 0 },
	{ ID_CTR_APPARMOR, HOST, "\"SecurityOpt\":[\"apparmor:unconfined\"]", F, 0 },
	{ ID_CTR_APPARMOR, HOST, "\"SecurityOpt\":[\"apparmor=mine\"]", P, 0 },
	{ ID_CTR_APPARMOR, HOST, "\"SecurityOpt\":[]", P, 0 },
	{ ID_CTR_APPARMOR, HOST, "\"SecurityOpt\":[null]", U, 0 },
	{ ID_CTR_DEVICES, HOST, "\"Devices\":[{\"PathOnHost\":\"/dev/sda\"}]", F, 0 },
	{ ID_CTR_DEVICES, HOST, "\"Devices\":[{\"PathOnHost\":\"/dev/fuse\"},{\"PathOnHost\":\"/dev/nvme0n1p1\"}]", F, 0 },
	{ ID_CTR_DEVICES, HOST, "\"Devices\":[{\"PathOnHost\":\"/dev/dri/renderD128\"}]", P, 0 },
	{ ID_CTR_DEVICES, HOST, "\"Devices\":null", P, 0 },
	{ ID_CTR_DEVICES, HOST, "\"Devices\":\"/dev/sda\"", U, 0 },
	/* ports */
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{}", N, 0 },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"5432/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"5432\"}]}", F, SEV_HIGH },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"6379/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"16379\"}]}", F, SEV_HIGH },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"3000/tcp\":[{\"HostIp\":\"::\",\"HostPort\":\"3000\"}]}", F, SEV_MEDIUM },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}", F, SEV_MEDIUM },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"5432/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"5432\"}]}", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"5432/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"5432\"}]}", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"8443/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"443\"}]}", P, 0 },
	{ ID_CTR_PUBLISHED_PORT, HOST, "\"PortBindings\":{\"x/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"1\"}]}", U, 0 },
	{ ID_CTR_PUBLISHED_PORT, SWARM_SPEC, "\"EndpointSpec\":{\"Ports\":[{\"TargetPort\":5432,\"PublishedPort\":5432}]}", F, SEV_HIGH },
	{ ID_CTR_PUBLISHED_PORT, SWARM_SPEC, "\"EndpointSpec\":{\"Ports\":[{\"TargetPort\":3000,\"PublishedPort\":443}]}", P, 0 },
	/* secrets and keys */
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"DB_PASSWORD=hunter2hunter2\"]", F, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"DATABASE_URL=postgres://u:p4ssw0rd@db/x\"]", F, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"POSTGRES_PASSWORD=postgres\"]", F, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"PATH=/bin\",\"NODE_ENV=production\"]", P, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"DB_PASSWORD_FILE=/run/secrets/db\",\"JWT_TTL=900\",\"AWS_ACCESS_KEY_ID=x\"]", P, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":[\"DATABASE_URL=postgres://db/x\",\"TOKEN=\",\"ALLOW_EMPTY_PASSWORD=yes\"]", P, 0 },
	{ ID_CTR_ENV_SECRET, CONFIG, "\"Env\":\"A=b\"", U, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"PATH=/bin\"]", N, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"SECRET_KEY=short\"]", F, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"JWT_SECRET=change-me-change-me-change-me-change-me\"]", F, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"SECRET_KEY=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]", F, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"SECRET_KEY=3f786850e387550fdab836ed7e6dc881de23001b\"]", P, 0 },
	{ ID_SECRET_KEY_LENGTH, CONFIG, "\"Env\":[\"NEXTAUTH_SECRET=kJ8vQ2mX7pL0wZ5rT9nB4cY6hF1dS3gA\"]", P, 0 },
	/* images */
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"redis\"", F, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"registry.example:5000/team/app\"", F, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"redis:latest\"", F, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"redis:7.4.1\"", P, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"redis@sha256:aa\"", P, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"registry.example:5000/team/app:1\"", P, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":\"\"", N, 0 },
	{ ID_CTR_IMAGE_TAG, CONFIG, "\"Image\":9", U, 0 },
	{ ID_CTR_HEALTHCHECK, CONFIG, "\"Healthcheck\":null", F, 0 },
	{ ID_CTR_HEALTHCHECK, CONFIG, "\"Healthcheck\":{\"Test\":[\"NONE\"]}", F, 0 },
	{ ID_CTR_HEALTHCHECK, CONFIG, "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"]}", P, 0 },
	{ ID_CTR_HEALTHCHECK, CONFIG, "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"]}", P, 0 },
	{ ID_CTR_HEALTHCHECK, SWARM_CONTAINER, "\"Env\":[]", U, 0 },
	{ ID_CTR_RESTART_POLICY, HOST, "\"RestartPolicy\":{\"Name\":\"no\"}", F, 0 },
	{ ID_CTR_RESTART_POLICY, HOST, "\"RestartPolicy\":{\"Name\":\"\"}", F, 0 },
	{ ID_CTR_RESTART_POLICY, HOST, "\"RestartPolicy\":{\"Name\":\"always\"}", P, 0 },
	{ ID_CTR_RESTART_POLICY, HOST, "\"RestartPolicy\":{\"Name\":\"on-failure\"}", P, 0 },
	{ ID_CTR_RESTART_POLICY, HOST, "\"RestartPolicy\":{\"Name\":3}", U, 0 },
	{ ID_CTR_RESTART_POLICY, SWARM_TASK, "\"RestartPolicy\":{\"Condition\":\"none\"}", F, 0 },
	{ ID_CTR_RESTART_POLICY, SWARM_TASK, "\"RestartPolicy\":{}", P, 0 },
	/* Dockerfiles */
	{ ID_CTR_NON_ROOT, DOCKERFILE, "FROM debian:12\n", F, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "FROM debian:12\nUSER app\nUSER 0:0\n", F, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "FROM debian:12 AS a\nUSER 1001\nFROM debian:12\n", F, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "FROM debian:12\nUSER 1001\n", P, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "ARG U=app\nFROM debian:12 AS a\nUSER $U\nFROM a\n", P, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "# nothing\n", U, 0 },
	{ ID_CTR_NON_ROOT, DOCKERFILE, "FROM debian:12\nUSER ${WHO}\n", U, 0 },
	{ ID_CTR_IMAGE_TAG, DOCKERFILE, "FROM debian\n", F, 0 },
	{ ID_CTR_IMAGE_TAG, DOCKERFILE, "FROM --platform=linux/amd64 node:latest AS b\n", F, 0 },
	{ ID_CTR_IMAGE_TAG, DOCKERFILE, "ARG V=22\nFROM node:${V} AS b\nFROM b\nFROM scratch\n", P, 0 },
	{ ID_CTR_IMAGE_TAG, DOCKERFILE, "FROM node@sha256:00\n", P, 0 },
	{ ID_CTR_IMAGE_TAG, DOCKERFILE, "ARG V\nFROM node:$V\n", U, 0 },
	{ ID_CTR_HEALTHCHECK, DOCKERFILE, "FROM a:1\n", F, 0 },
	{ ID_CTR_HEALTHCHECK, DOCKERFILE, "FROM a:1\nHEALTHCHECK CMD x\nHEALTHCHECK NONE\n", F, 0 },
	{ ID_CTR_HEALTHCHECK, DOCKERFILE, "FROM a:1\nHEALTHCHECK --interval=5s CMD x\n", P, 0 },
	{ ID_CTR_ENV_SECRET, DOCKERFILE, "FROM a:1\nENV API_KEY=abcdefgh12345678\n", F, 0 },
	{ ID_CTR_ENV_SECRET, DOCKERFILE, "FROM a:1\nENV A=1 \\\n  DB_PASSWORD=\"two words\"\n", F, 0 },
	{ ID_CTR_ENV_SECRET, DOCKERFILE, "FROM a:1\nENV DB_PASSWORD hunter2hunter2\n", F, 0 },
	{ ID_CTR_ENV_SECRET, DOCKERFILE, "FROM a:1\nARG NPM_TOKEN\nENV A=b\n", P, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "FROM a:1\nRUN curl -fsSL https://x.example/i.sh | sh\n", F, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "FROM a:1\nRUN <<EOF\nwget -qO- https://x.example | sudo -E bash -\nEOF\n", F, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "FROM a:1\nRUN curl https://x.example \\\n # comment\n | /bin/bash\n", F, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "FROM a:1\nRUN curl https://x.example -o f && sha256sum -c s && sh f\n", P, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "FROM a:1\nRUN curl https://x.example | tar x || sh -c false\n", P, 0 },
	{ ID_IMG_CURL_PIPE_SHELL, DOCKERFILE, "\n", U, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "FROM a:1\nRUN curl -fkL https://x.example > f\n", F, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "FROM a:1\nENV NODE_TLS_REJECT_UNAUTHORIZED=0\n", F, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "FROM a:1\nRUN npm config set strict-ssl false\n", F, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "FROM a:1\nRUN curl -fsSL https://x.example/-k > f\n", P, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "FROM a:1\nRUN apt-get update\n", P, 0 },
	{ ID_IMG_TLS_OFF, DOCKERFILE, "RUN x\n", U, 0 },
	{ ID_IMG_ADD_REMOTE, DOCKERFILE, "FROM a:1\nADD https://x.example/a.tgz /a\n", F, 0 },
	{ ID_IMG_ADD_REMOTE, DOCKERFILE, "FROM a:1\nadd [\"HTTP://x.example/a\", \"/\"]\n", F, 0 },
	{ ID_IMG_ADD_REMOTE, DOCKERFILE, "FROM a:1\nADD --checksum=sha256:00 https://x.example/a /a\n", P, 0 },
	{ ID_IMG_ADD_REMOTE, DOCKERFILE, "FROM a:1\nCOPY a.tgz /\n", P, 0 },
	{ ID_IMG_ADD_REMOTE, DOCKERFILE, "ADD a b\n", U, 0 },
	{ ID_IMG_SUDO, DOCKERFILE, "FROM a:1\nRUN sudo apt-get update\n", F, 0 },
	{ ID_IMG_SUDO, DOCKERFILE, "FROM a:1\nRUN x && sudo y\n", F, 0 },
	{ ID_IMG_SUDO, DOCKERFILE, "FROM a:1\nRUN visudo -c; echo pseudo code\n", P, 0 },
	{ ID_IMG_SUDO, DOCKERFILE, "FROM a:1\nRUN apt-get install -y sudo\n", P, 0 },
	{ ID_IMG_SUDO, DOCKERFILE, "RUN sudo\n", U, 0 },
	{ ID_IMG_PACKAGE_PINS, DOCKERFILE, "FROM a:1\nRUN apt-get update && apt-get install -y curl\n", F, 0 },
	{ ID_IMG_PACKAGE_PINS, DOCKERFILE, "FROM a:1\nRUN pip install flask==1.0 requests\n", F, 0 },
	{ ID_IMG_PACKAGE_PINS, DOCKERFILE, "FROM a:1\nRUN apt-get install -y curl=8.0 && rm x\n", P, 0 },
	{ ID_IMG_PACKAGE_PINS, DOCKERFILE, "FROM a:1\nRUN pip install -r requirements.txt\n", P, 0 },
	{ ID_IMG_PACKAGE_PINS, DOCKERFILE, "RUN x\n", U, 0 },
};

static char *document(enum from from, const char *text)
{
	static char room[8192];
	const char *parts[SWARM_SPEC + 1] = { "\"x\":0", "\"x\":0", "\"x\":0", "\"x\":0", "\"x\":0", "\"x\":0", "\"x\":0" };

	if (from == DOCKERFILE || from == WHOLE)
		return strcpy(room, text);
	parts[from] = text;
	if (from <= TOP)
		(void) snprintf(room, sizeof(room), "{\"Name\":\"/web\",\"State\":{\"Running\":false},\"HostConfig\":{%s},\"Config\":{%s},%s}",
				parts[HOST], parts[CONFIG], parts[TOP]);
	else
		(void) snprintf(room, sizeof(room), "{\"Spec\":{\"Name\":\"shop_web\",\"TaskTemplate\":{\"ContainerSpec\":{%s},%s},%s}}",
				parts[SWARM_CONTAINER], parts[SWARM_TASK], parts[SWARM_SPEC]);
	return room;
}

static struct ctr *read_case(struct arena *a, enum from from, const char *text)
{
	const char *doc = document(from, text);
	struct ctr *c = NULL;
	int r = from == DOCKERFILE ? ctr_from_dockerfile(a, doc, strlen(doc), "Dockerfile", &c) :
		from <= TOP	  ? ctr_from_inspect(a, doc, strlen(doc), &c) : ctr_from_service(a, doc, strlen(doc), &c);

	CHECK(r == 0, "%d: %s", r, text);
	return c;
}

static const struct finding *judge(struct ctr *c, enum id id, const struct check_policy *p, struct finding_list *l)
{
	struct check_select sel = { .on = { false } };

	sel.on[id] = true;
	assert_int_equal(check_container(c, p, &sel, l), 0);
	return l->n == 1 ? l->item[0] : NULL;
}

static void test_table(void **state)
{
	struct check_policy p;

	(void) state;
	check_policy_defaults(&p);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		auto_arena a = { 0 };
		struct finding_list l = { 0 };
		const char *id = id_info(cases[i].id)->name;
		const struct finding *f = judge(read_case(&a, cases[i].from, cases[i].text), cases[i].id, &p, &l);

		CHECK(f, "%s: no finding: %s", id, cases[i].text);
		CHECK(f->verdict == (enum finding_verdict) cases[i].verdict, "%s: %s: %s", id, finding_verdict_name(f->verdict), cases[i].text);
		CHECK(!cases[i].severity || f->severity == (enum severity) cases[i].severity, "%s: %s: %s", id, severity_name(f->severity),
		      cases[i].text);
		CHECK(f->verdict != FINDING_UNKNOWN || f->reason != REASON_NONE, "%s has a reason", id);
		CHECK(f->verdict != FINDING_FAIL || f->remedy, "%s has a remedy", id);
		finding_list_done(&l);
	}
}

/* Every id of containers and images: two failing, two passing forms, one unknown. */
static void test_coverage(void **state)
{
	unsigned n[ID_N][FINDING_VERDICT_N] = { 0 };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		n[cases[i].id][cases[i].verdict]++;
	for (unsigned id = 0; id < ID_N; id++) {
		const char *name = id_info((enum id) id)->name;
		bool mine = strncmp(name, "ctr.", 4) == 0 || strncmp(name, "img.", 4) == 0;
		if (!mine)
			continue;
		CHECK(n[id][F] >= 2, "%s: %u failing", name, n[id][F]);
		CHECK(n[id][P] >= 2, "%s: %u passing", name, n[id][P]);
		CHECK(n[id][U] >= 1 || id == ID_CTR_TMPFS_TMP, "%s: %u unknown", name, n[id][U]);
		CHECK(*id_info((enum id) id)->why && *id_info((enum id) id)->mend, "%s is explained", name);
	}
}

/* What the machine makes of it. */
static void test_host(void **state)
{
	static const struct {
		enum id id;
		const char *text;
		bool nnp, remap, apparmor;
		int verdict;
	} on[] = {
		{ ID_CTR_NO_NEW_PRIVILEGES, "\"SecurityOpt\":null", true, false, false, P },
		{ ID_CTR_NO_NEW_PRIVILEGES, "\"SecurityOpt\":[\"no-new-privileges:false\"]", true, false, false, F },
		{ ID_CTR_USERNS, "\"UsernsMode\":\"host\"", false, false, false, N },
		{ ID_CTR_USERNS, "\"UsernsMode\":\"host\"", false, true, false, F },
		{ ID_CTR_APPARMOR, "\"SecurityOpt\":[\"apparmor=unconfined\"]", false, false, false, N },
		{ ID_CTR_APPARMOR, "\"SecurityOpt\":[\"apparmor=unconfined\"]", false, false, true, F },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(on); i++) {
		auto_arena a = { 0 };
		struct finding_list l = { 0 };
		struct check_policy p;
		const struct finding *f;

		check_policy_defaults(&p);
		p.host_known = true;
		p.daemon_nnp = on[i].nnp;
		p.userns_remap = on[i].remap;
		p.has_apparmor = on[i].apparmor;
		f = judge(read_case(&a, HOST, on[i].text), on[i].id, &p, &l);
		CHECK(f && f->verdict == (enum finding_verdict) on[i].verdict, "row %zu", i);
		finding_list_done(&l);
	}
}

/* A start script that dropped to another user; and one that did not. */
static void test_live_user(void **state)
{
	struct check_policy p;

	(void) state;
	check_policy_defaults(&p);
	for (long uid = 0; uid <= 999; uid += 999) {
		auto_arena a = { 0 };
		struct finding_list l = { 0 };
		struct ctr *c = read_case(&a, CONFIG, "\"User\":\"\"");

		c->live_uid = uid;
		assert_int_equal(judge(c, ID_CTR_NON_ROOT, &p, &l)->verdict, uid ? P : F);
		finding_list_done(&l);
	}
}

static void test_remedies(void **state)
{
#define LABELS "\"Labels\":{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web 1\"}"
#define WITH_LABELS(host) "{\"Name\":\"/web\",\"HostConfig\":{" host "},\"Config\":{" LABELS "}}"
#define BOUND(port, ip, number) "\"" port "\":[{\"HostIp\":\"" ip "\",\"HostPort\":\"" number "\"}]"
	static const struct {
		enum id id;
		enum from from;
		const char *text, *command, *part;
	} want[] = {
		{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":0", "docker update --pids-limit 100 web", "limit" },
		{ ID_CTR_PIDS_LIMIT, CONFIG, LABELS, "docker update --pids-limit 100 web", "services: {\"web 1\": {pids_limit: 100}}" },
		{ ID_CTR_READONLY_ROOTFS, CONFIG, LABELS, "services: {\"web 1\": {read_only: true}}", "docker compose -p shop up -d 'web 1'" },
		{ ID_CTR_READONLY_ROOTFS, HOST, "\"x\":1", "pavise audit --only ctr.readonly-rootfs --recreate web | sh", "start web again with: --read-only" },
		{ ID_CTR_NO_NEW_PRIVILEGES, CONFIG, LABELS, "services: {\"web 1\": {security_opt: [\"no-new-privileges:true\"]}}", "forbid" },
		{ ID_CTR_PIDS_LIMIT, SWARM_TASK, "\"y\":1", "docker service update --limit-pids 100 shop_web", "limit" },
		{ ID_CTR_PUBLISHED_PORT, SWARM_SPEC, "\"EndpointSpec\":{\"Ports\":[{\"TargetPort\":3000,\"PublishedPort\":3001}]}",
		  "docker service update --publish-rm published=3001,target=3000 shop_web", "bind" },
		/* what may face the Internet stays as it is */
		{ ID_CTR_PUBLISHED_PORT, SWARM_SPEC, "\"EndpointSpec\":{\"Ports\":[{\"TargetPort\":80,\"PublishedPort\":80},{\"TargetPort\":3000,\"PublishedPort\":3000,"
		  "\"PublishMode\":\"host\"},{\"TargetPort\":53,\"PublishedPort\":53,\"Protocol\":\"udp\",\"PublishMode\":\"ingress\"}]}",
		  "docker service update --publish-rm published=3000,target=3000,mode=host --publish-rm published=53,target=53,protocol=udp shop_web", "bind" },
		/* the target alone decides what is removed: the allowed port would go along */
		{ ID_CTR_PUBLISHED_PORT, SWARM_SPEC, "\"EndpointSpec\":{\"Ports\":[{\"TargetPort\":80,\"PublishedPort\":80},{\"TargetPort\":80,\"PublishedPort\":8080}]}",
		  NULL, "bind" },
		{ ID_CTR_PUBLISHED_PORT, WHOLE, WITH_LABELS("\"PortBindings\":{" BOUND("443/tcp", "", "443") "," BOUND("80/tcp", "2001:db8::1", "80") "," BOUND("53/udp", "", "5353") ","
		  BOUND("9000/tcp", "127.0.0.2", "9000") "," BOUND("8080/tcp", "::", "8080") "}"),
		  "services: {\"web 1\": {ports: !override [\"443:443\", \"[2001:db8::1]:80:80\", \"127.0.0.1:5353:53/udp\", \"127.0.0.2:9000:9000\", "
		  "\"127.0.0.1:8080:8080\"]}}", "docker compose -p shop" },
		/* a limit that is set is not lowered */
		{ ID_CTR_MEMORY_SWAP, HOST, "\"Memory\":4294967296,\"MemorySwap\":-1", "docker update --memory 4294967296 --memory-swap 4294967296 web", "together" },
		{ ID_CTR_MEMORY_SWAP, WHOLE, WITH_LABELS("\"Memory\":4294967296,\"MemorySwap\":-1"), "docker update --memory 4294967296 --memory-swap 4294967296 web",
		  "; to keep it, in the Compose file: services: {\"web 1\": {memswap_limit: 4294967296}}, then:" },
		{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":0", "docker update --memory 512m --memory-swap 512m web", "limit" },
		{ ID_CTR_MEMORY_LIMIT, HOST, "\"Memory\":4294967296", NULL, "policy.memory" },
		{ ID_CTR_MEMORY_LIMIT, WHOLE, WITH_LABELS("\"Memory\":4294967296"), NULL, "policy.memory" },
		{ ID_CTR_MEMORY_LIMIT, SWARM_TASK, "\"Resources\":{\"Limits\":{\"MemoryBytes\":4294967296}}", NULL, "policy.memory" },
		{ ID_CTR_PIDS_LIMIT, HOST, "\"PidsLimit\":500", NULL, "policy.pids" },
		{ ID_CTR_CPU_LIMIT, HOST, "\"NanoCpus\":4000000000", NULL, "policy.cpus" },
	};
	struct check_policy p;

	(void) state;
	check_policy_defaults(&p);
	for (size_t i = 0; i < N_ELEMENTS(want); i++) {
		auto_arena a = { 0 };
		struct finding_list l = { 0 };
		const struct finding *f = judge(read_case(&a, want[i].from, want[i].text), want[i].id, &p, &l);

		CHECK_STR(f->command, want[i].command, "row %zu", i);
		CHECK(strstr(f->remedy, want[i].part), "row %zu: %s", i, f->remedy);
		finding_list_done(&l);
	}
}

static void test_names(void **state)
{
	static const struct {
		enum from from;
		const char *text, *name;
	} want[] = {
		{ CONFIG, LABELS, "shop/web 1" },
		{ CONFIG, "\"Labels\":{\"com.docker.stack.namespace\":\"shop\",\"com.docker.swarm.service.name\":\"shop_api\"}", "shop/api" },
		{ CONFIG, "\"Labels\":{\"com.docker.swarm.service.name\":\"shop_api\"}", "shop_api" },
		{ CONFIG, "\"Labels\":{\"com.docker.compose.project\":\"shop\"}", "web" },
		{ SWARM_SPEC, "\"Labels\":{\"com.docker.stack.namespace\":\"shop\"}", "shop/web" },
		{ SWARM_SPEC, "\"Labels\":{\"com.docker.stack.namespace\":\"sho\"}", "shop_web" },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(want); i++) {
		auto_arena a = { 0 };

		CHECK_STR(read_case(&a, want[i].from, want[i].text)->name, want[i].name, "row %zu", i);
	}
}

static void test_hostile(void **state)
{
	static const char *const bad[] = { "", "x", "[]", "null", "{}", "{\"HostConfig\":{}}", "{\"HostConfig\":[],\"Config\":{}}",
		"{\"Spec\":{\"TaskTemplate\":{}}}", "[[[[[[[[", "{\"Name\":" };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		auto_arena a = { 0 };
		struct ctr *c;

		assert_true(ctr_from_inspect(&a, bad[i], strlen(bad[i]), &c) < 0);
		assert_true(ctr_from_service(&a, bad[i], strlen(bad[i]), &c) < 0);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -2: refused */
	} sizes[] = {
		{ "512m", 512 << 20 }, { "512M", 512 << 20 }, { "512mb", 512 << 20 }, { "512MiB", 512 << 20 }, { "1g", 1 << 30 }, { "1.5g", 3ll << 29 },
		{ "0.5gb", 1 << 29 }, { "1024", 1024 }, { "1024b", 1024 }, { "64k", 65536 }, { "-1", -1 }, { "", -2 }, { "m", -2 }, { "1x", -2 },
		{ "1mm", -2 }, { "1 m", 1 << 20 }, { "99999999999999999999", -2 }, { "1bb", -2 }, { "-5", -2 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		int64_t v = -2;
		int r = ctr_parse_size(sizes[i].text, &v);

		CHECK((r < 0 ? -2 : v) == sizes[i].bytes, "%s: %lld", sizes[i].text, (long long) v);
	}
}

static void test_ports(void **state)
{
	static const struct {
		const char *text, *address;
		unsigned first, last, container;
		bool udp;
	} ports[] = {
		{ "80", "", 0, 0, 80, false },		     { "8080:80", "", 8080, 8080, 80, false },
		{ "127.0.0.1:8080:80", "127.0.0.1", 8080, 8080, 80, false }, { "[::1]:53:53/udp", "::1", 53, 53, 53, true },
		{ "127.0.0.1::80", "127.0.0.1", 0, 0, 80, false }, { "9000-9002:9000-9002", "", 9000, 9002, 9000, false },
		{ "8000-8010:80", "", 8000, 8010, 80, false },
		{ "x", NULL, 0, 0, 0, false },		     { "80:x", NULL, 0, 0, 0, false },
		{ "1:2/icmp", NULL, 0, 0, 0, false },	     { "70000:80", NULL, 0, 0, 0, false },
		{ "", NULL, 0, 0, 0, false },		     { "9-8:80", NULL, 0, 0, 0, false },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(ports); i++) {
		auto_arena a = { 0 };
		struct ctr_port p = { .address = NULL };
		int r = ctr_parse_port(&a, ports[i].text, &p);

		CHECK((r < 0) == !ports[i].address, "%s: %d", ports[i].text, r);
		if (r < 0)
			continue;
		CHECK_STR(p.address, ports[i].address, "%s", ports[i].text);
		CHECK(p.first == ports[i].first && p.last == ports[i].last && p.container == ports[i].container && p.udp == ports[i].udp, "%s",
		      ports[i].text);
		if (p.first) {
			pv_autobuf again = PV_BUF_INIT;

			remedy_port(&again, &p, false);
			CHECK_STR(pv_buf_str(&again), ports[i].text, "written again");
		}
	}
}

static void add(struct finding_list *l, enum id id, enum finding_verdict v, enum subject_kind kind, const char *name)
{
	struct finding *f = finding_new(id, v);

	finding_subject(f, kind, name, NULL, 0);
	finding_fingerprint(f, NULL, NULL);
	assert_int_equal(finding_list_add(l, f), 0);
}

static void test_grade(void **state)
{
	static const struct {
		enum id ids[4];
		size_t n;
		char letter;
		unsigned score;
	} want[] = {
		{ { ID_CTR_HEALTHCHECK }, 1, 'A', 99 },
		{ { ID_CTR_CPU_LIMIT, ID_CTR_IMAGE_TAG }, 2, 'A', 90 },
		{ { ID_CTR_CPU_LIMIT, ID_CTR_IMAGE_TAG, ID_CTR_HEALTHCHECK }, 3, 'B', 89 },
		{ { ID_CTR_PIDS_LIMIT }, 1, 'C', 85 },
		{ { ID_CTR_PIDS_LIMIT, ID_CTR_NON_ROOT, ID_CTR_MEMORY_LIMIT, ID_CTR_HEALTHCHECK }, 4, 'D', 54 },
		{ { ID_CTR_PRIVILEGED }, 1, 'F', 60 },
	};

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(want); i++) {
		struct finding_list l = { 0 };
		struct grade g;

		for (size_t k = 0; k < want[i].n; k++)
			add(&l, want[i].ids[k], FINDING_FAIL, SUBJECT_CONTAINER, "a");
		add(&l, ID_CTR_SECCOMP, FINDING_PASS, SUBJECT_CONTAINER, "a");
		g = grade_subject(&l, SUBJECT_CONTAINER, "a");
		CHECK(g.letter == want[i].letter && g.score == want[i].score, "row %zu: %c %u", i, g.letter, g.score);
		finding_list_done(&l);
	}
}

static void test_grade_host(void **state)
{
	struct finding_list l = { 0 };

	(void) state;
	assert_int_equal(grade_host(&l).letter, 0);
	add(&l, ID_CTR_SECCOMP, FINDING_PASS, SUBJECT_CONTAINER, "a");
	add(&l, ID_CTR_SECCOMP, FINDING_PASS, SUBJECT_CONTAINER, "b");
	add(&l, ID_CTR_PIDS_LIMIT, FINDING_FAIL, SUBJECT_CONTAINER, "c");
	assert_int_equal(grade_host(&l).letter, 'A'); /* the median */
	add(&l, ID_CTR_PIDS_LIMIT, FINDING_FAIL, SUBJECT_CONTAINER, "d");
	assert_int_equal(grade_host(&l).letter, 'C'); /* of an even number the worse */
	add(&l, ID_CTR_PIDS_LIMIT, FINDING_UNKNOWN, SUBJECT_CONTAINER, "d");
	add(&l, ID_CTR_PRIVILEGED, FINDING_FAIL, SUBJECT_CONTAINER, "e");
	assert_int_equal(grade_host(&l).letter, 'F');
	finding_list_done(&l);
}

static void test_select(void **state)
{
	static const struct {
		const char *only, *skip;
		enum id yes, no;
	} want[] = {
		{ NULL, NULL, ID_CTR_SECCOMP, ID_NET_STRATUM },
		{ "ctr", NULL, ID_CTR_SECCOMP, ID_IMG_SUDO },
		{ "ctr.", "ctr.seccomp", ID_CTR_APPARMOR, ID_CTR_SECCOMP },
		{ "img,ctr.seccomp", NULL, ID_CTR_SECCOMP, ID_CTR_APPARMOR },
		{ NULL, "ctr,img", ID_SECRET_KEY_LENGTH, ID_IMG_SUDO },
	};
	struct check_select s;
	char word[16];

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(want); i++) {
		CHECK(check_select(&s, want[i].only, want[i].skip, word, sizeof(word)) == 0, "row %zu", i);
		CHECK(s.on[want[i].yes] && !s.on[want[i].no], "row %zu", i);
	}
	assert_int_equal(check_select(&s, "ctr,nonsense.at-all-and-long", NULL, word, sizeof(word)), -EINVAL);
	assert_string_equal(word, "nonsense.at-all");
	assert_int_equal(check_select(&s, "net.stratum", NULL, word, sizeof(word)), -EINVAL);
	assert_int_equal(check_select(&s, "ctr.se", NULL, word, sizeof(word)), -EINVAL);
}

static void test_fold(void **state)
{
	struct finding_list l = { 0 };

	(void) state;
	add(&l, ID_CTR_SECCOMP, FINDING_PASS, SUBJECT_SERVICE, "shop/web");
	add(&l, ID_CTR_SECCOMP, FINDING_FAIL, SUBJECT_SERVICE, "shop/web");
	add(&l, ID_CTR_SECCOMP, FINDING_PASS, SUBJECT_SERVICE, "shop/db");
	check_fold(&l);
	finding_list_sort(&l);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.item[0]->verdict, FINDING_FAIL);
	assert_int_equal(l.item[0]->subject.instances, 2);
	finding_list_done(&l);
}

/* 200 containers: read and judged well within the time that the whole audit may take. */
static void test_speed(void **state)
{
	auto_arena a = { 0 };
	struct finding_list l = { 0 };
	struct check_select sel;
	struct check_policy p;
	const char *doc = document(HOST, "\"SecurityOpt\":[\"no-new-privileges\"],\"CapDrop\":[\"ALL\"],\"PidsLimit\":100");
	uint64_t start = clock_monotonic_us();

	(void) state;
	check_policy_defaults(&p);
	assert_int_equal(check_select(&sel, NULL, NULL, (char[8]){ 0 }, 8), 0);
	for (int i = 0; i < 200; i++) {
		struct ctr *c;

		assert_int_equal(ctr_from_inspect(&a, doc, strlen(doc), &c), 0);
		assert_int_equal(check_container(c, &p, &sel, &l), 0);
	}
	CHECK(clock_monotonic_us() - start < 250000, "%llu us", (unsigned long long) (clock_monotonic_us() - start));
	finding_list_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	 cmocka_unit_test(test_coverage), cmocka_unit_test(test_host),
		cmocka_unit_test(test_live_user), cmocka_unit_test(test_remedies), cmocka_unit_test(test_names),
		cmocka_unit_test(test_hostile),	 cmocka_unit_test(test_sizes),	  cmocka_unit_test(test_ports),
		cmocka_unit_test(test_grade),	 cmocka_unit_test(test_grade_host), cmocka_unit_test(test_select),
		cmocka_unit_test(test_fold),	 cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
