/* pvdyn - pvran's twin that needs the dynamic loader: says RAN, and LOADED where pvlib is in it.
 *
 *   pvdyn                  says so
 *   pvdyn load PATH        loads the library PATH first
 *   pvdyn memory LOADER    copies itself into memory, and has LOADER run that */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int from_memory(const char *loader)
{
	int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("kloader", 0);
	char buf[65536], path[40];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t) n) != n)
			return 1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	execl(loader, loader, path, (char *) NULL);
	perror(loader);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return from_memory(argv[2]);
	if (argc == 3 && !dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL))
		puts(dlerror());
	puts(dlsym(RTLD_DEFAULT, "pv_loaded") ? "RAN LOADED" : "RAN");
	return 0;
}
