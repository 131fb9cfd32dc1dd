// The version inside the engine: builds of different versions have different build ids.

namespace ww {

extern const char kEngineVersion[];
const char kEngineVersion[] = WATERWOLF_VERSION " " WATERWOLF_BUILD_ID;

}  // namespace ww
