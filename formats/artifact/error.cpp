#include "formats/artifact/error.h"

#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

constexpr NamedValues<Errc, 10> kErrcNames = {{{Errc::internal, "internal"},
                                               {Errc::usage, "usage"},
                                               {Errc::malformed, "malformed"},
                                               {Errc::limit, "limit"},
                                               {Errc::no_input, "no_input"},
                                               {Errc::unsupported, "unsupported"},
                                               {Errc::cannot_create, "cannot_create"},
                                               {Errc::io, "io"},
                                               {Errc::bad_recipe, "bad_recipe"},
                                               {Errc::interrupted, "interrupted"}}};

}  // namespace

const char* errc_name(Errc code) noexcept { return kErrcNames.name(code); }

void fail(Errc code, const std::string& message) { throw Error(code, message); }

}  // namespace lathe
