#include <procref/procref.h>
#include <stdio.h>

int main(void) {
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = "redis";
    config.command = (const char *const[]){"redis-server", "--port", "${PORT}", "--save", "", NULL};
    config.ready = "tcp"; /* up when it accepts connections on ${PORT}, here a free one */

    procref_service *service = NULL;
    procref_handle *handle = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    if (procref_service_open(&config, &service, &error) < 0 ||
        procref_service_acquire(service, 30000, &handle, &error) < 0) {
        fprintf(stderr, "%s\n%s", error.message, error.detail);
        return 1;
    }
    printf("redis: pid %u, port %u\n", procref_handle_pid(handle), procref_handle_port(handle));
    getchar(); /* work with it; every process that runs this gets the same pid and port */

    procref_handle_release(handle, NULL); /* kill -9 would do as well */
    procref_service_close(service);
    return 0;
}
