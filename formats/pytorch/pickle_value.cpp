#include "formats/pytorch/pickle_value.h"

#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

constexpr NamedValues<PickleKind, 13> kKindTexts = {{{PickleKind::none, "None"},
                                                     {PickleKind::boolean, "a boolean"},
                                                     {PickleKind::integer, "an integer"},
                                                     {PickleKind::number, "a number"},
                                                     {PickleKind::text, "a text"},
                                                     {PickleKind::tuple, "a tuple"},
                                                     {PickleKind::list, "a list"},
                                                     {PickleKind::dict, "a dict"},
                                                     {PickleKind::object, "an object"},
                                                     {PickleKind::global, "a class or function"},
                                                     {PickleKind::storage, "a storage"},
                                                     {PickleKind::tensor, "a tensor"},
                                                     {PickleKind::opaque, "something that is no weight"}}};

}  // namespace

const char* kind_text(PickleKind kind) noexcept { return kKindTexts.name(kind); }

}  // namespace lathe
