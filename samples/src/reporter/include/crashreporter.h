/* The C interface of the crash reporter's client library. Every function returns 0 on success and -1 on failure. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Connect to the crashreporterd that listens on socket_path, and catch crashes from now on. */
int crashreporter_install(const char* socket_path);

/* Add one annotation to the report that a later crash of this process makes. */
int crashreporter_annotate(const char* name, const char* value);

/* Have a minidump of this process written while it lives on, under the given form field name. */
int crashreporter_dump_myself(const char* field);

#ifdef __cplusplus
}
#endif
