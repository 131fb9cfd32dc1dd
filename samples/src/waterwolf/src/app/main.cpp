// waterwolf SOCKET SCENARIO [--content]: a browser without pages, that crashes in the way it is told.
//
// With --content the scenario runs in a second process, and the browser process adds a dump of itself to the report.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "app/scenarios.h"
#include "base/background_thread.h"
#include "crashreporter.h"

extern const char kWaterWolfVersion[];
const char kWaterWolfVersion[] = WATERWOLF_VERSION " " WATERWOLF_BUILD_ID;

namespace {

int RunBrowser(const char* scenario) {
  ww::BackgroundThread compositor("Compositor");
  ww::BackgroundThread timer("Timer");
  return ww::app::RunScenario(scenario) ? 0 : 2;
}

int RunContentProcess(char* program, char* socket, char* scenario) {
  ww::BackgroundThread compositor("Compositor");
  const pid_t child = fork();
  if (child == 0) {
    char* const arguments[] = {program, socket, scenario, nullptr};
    execv(program, arguments);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return crashreporter_dump_myself("upload_file_minidump_browser") == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool content = argc == 4 && std::strcmp(argv[3], "--content") == 0;
  if (argc != 3 && !content) {
    std::fprintf(stderr, "usage: waterwolf SOCKET SCENARIO [--content]\n%s\n", kWaterWolfVersion);
    return 2;
  }
  if (crashreporter_install(argv[1]) != 0) {
    std::fprintf(stderr, "waterwolf: no crashreporterd listens on %s\n", argv[1]);
    return 1;
  }
  return content ? RunContentProcess(argv[0], argv[1], argv[2]) : RunBrowser(argv[2]);
}
