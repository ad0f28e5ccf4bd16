#include <algorithm>
#include <array>

#include "runtime/text/template/limits.h"
#include "runtime/text/template/syntax/parser.h"

namespace lathe::jinja {
namespace {

/// Names that a macro has without declaring them, where its body mentions them.
constexpr std::string_view kVarargs = "varargs", kKwargs = "kwargs", kCaller = "caller";

class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens) {}

  Block whole() {
    Block out = block({});
    if (tokens_.current().kind != TokenKind::end) {
      tokens_.fail_here(message("the tag ", tokens_.current_text(), " ends nothing"));
    }
    return out;
  }

 private:
  using Parse = void (StatementParser::*)(Statement&);
  struct TagRow {
    std::string_view name;
    Parse parse;
  };
  static const Parse* find_tag(std::string_view name);

  /// Statements up to a tag with one of these names, of which the name is the current token; all where there are none.
  Block block(std::initializer_list<std::string_view> ends) {
    if (level_ >= kMaxSyntaxDepth / 4) {
      fail_at(Errc::limit, tokens_.name(), tokens_.current().line,
              message("tags are nested more than ", kMaxSyntaxDepth / 4, " deep"));
    }
    ++level_;
    Block out;
    while (tokens_.current().kind != TokenKind::end) {
      const Token token = tokens_.take();
      if (token.kind == TokenKind::text) {
        Statement text = make(StatementKind::text, token.line);
        text.text = token.text;
        out.push_back(std::move(text));
      } else if (token.kind == TokenKind::begin_output) {
        Statement output = make(StatementKind::output, token.line);
        output.value = parse_tuple(tokens_);
        tokens_.expect(TokenKind::end_output, "'}}'");
        out.push_back(std::move(output));
      } else {
        const Token& tag = tokens_.current();
        const bool ends_here = std::any_of(ends.begin(), ends.end(), [&](auto end) { return tag.is_name(end); });
        if (ends_here) break;
        out.push_back(statement());
      }
    }
    if (ends.size() > 0 && tokens_.current().kind == TokenKind::end) {
      tokens_.fail_here(message("'", *(ends.end() - 1), "' is missing at the end of the template"));
    }
    --level_;
    return out;
  }

  static Statement make(StatementKind kind, uint32_t line) {
    Statement out;
    out.kind = kind;
    out.line = line;
    return out;
  }

  void end_tag() { tokens_.expect(TokenKind::end_block, "'%}'"); }

  /// The body of a tag that has begun, and the tag that ends it.
  Block body(std::string_view end) {
    end_tag();
    Block out = block({end});
    tokens_.take();
    end_tag();
    return out;
  }

  Statement statement() {
    const Token name = tokens_.current();
    Statement out = make(StatementKind::text, name.line);
    if (name.kind != TokenKind::name)
      tokens_.fail_here(message("expected the name of a tag, found ", tokens_.current_text()));
    const Parse* parse = find_tag(name.text);
    if (parse == nullptr && name.text.starts_with("end")) tokens_.fail_here(message("'", name.text, "' ends nothing"));
    if (parse == nullptr) tokens_.refuse(name.line, message("the tag '", name.text, "'"));
    tokens_.take();
    (this->**parse)(out);
    return out;
  }

  void parse_if(Statement& out) {
    out.kind = StatementKind::choice;
    for (bool more = true; more;) {
      Branch branch;
      branch.condition = parse_tuple(tokens_, false);
      end_tag();
      branch.body = block({"elif", "else", "endif"});
      out.branches.push_back(std::move(branch));
      more = tokens_.skip_name("elif");
    }
    if (tokens_.skip_name("else")) {
      end_tag();
      out.branches.push_back({nullptr, block({"endif"})});
    }
    tokens_.take();
    end_tag();
  }

  std::vector<std::string> targets() {
    std::vector<std::string> out;
    const bool parenthesis = tokens_.skip_sign("(");
    do {
      out.push_back(tokens_.take_name("a name to assign to"));
    } while (tokens_.skip_sign(","));
    if (parenthesis) tokens_.expect_sign(")");
    return out;
  }

  void parse_for(Statement& out) {
    out.kind = StatementKind::loop;
    out.targets = targets();
    tokens_.expect_name("in");
    out.value = parse_tuple(tokens_, false);
    if (tokens_.skip_name("if")) out.condition = parse_expression(tokens_);
    if (tokens_.at_name("recursive")) tokens_.refuse(out.line, "a recursive loop");
    end_tag();
    ++loops_;
    out.branches.push_back({nullptr, block({"else", "endfor"})});
    --loops_;
    out.branches.emplace_back();
    if (tokens_.skip_name("else")) {
      end_tag();
      out.branches[1].body = block({"endfor"});
    }
    tokens_.take();
    end_tag();
  }

  void parse_set(Statement& out) {
    out.targets = targets();
    if (out.targets.size() == 1 && tokens_.skip_sign(".")) {
      out.of_namespace = true;
      out.text = tokens_.take_name("the name of a member");
    }
    if (tokens_.skip_sign("=")) {
      out.kind = StatementKind::assignment;
      out.value = parse_tuple(tokens_);
      return end_tag();
    }
    out.kind = StatementKind::capture;
    if (out.targets.size() != 1) tokens_.fail_here("a block can be assigned to one name only");
    if (tokens_.skip_sign("|")) out.value = parse_filters(tokens_, captured(out.line));
    out.branches.push_back({nullptr, body("endset")});
  }

  /// Stands for what a body has written, before the filters that are applied to it.
  static ExpressionPointer captured(uint32_t line) {
    auto out = std::make_unique<Expression>();
    out->kind = ExpressionKind::name;
    out->line = line;
    return out;
  }

  void parse_parameters(Macro& macro) {
    tokens_.expect_sign("(");
    while (!tokens_.skip_sign(")")) {
      macro.parameters.push_back(tokens_.take_name("the name of a parameter"));
      if (tokens_.skip_sign("=")) {
        macro.defaults.push_back(parse_expression(tokens_));
      } else if (!macro.defaults.empty()) {
        tokens_.fail_here("a parameter without a default follows one with a default");
      }
      if (!tokens_.at_sign(")")) tokens_.expect_sign(",");
    }
  }

  void parse_macro_body(Macro& macro, std::string_view end) {
    const uint32_t loops = std::exchange(loops_, 0);
    const size_t begin = tokens_.place();
    macro.body = body(end);
    macro.uses_varargs = tokens_.mentions(kVarargs, begin);
    macro.uses_kwargs = tokens_.mentions(kKwargs, begin);
    macro.uses_caller = tokens_.mentions(kCaller, begin);
    loops_ = loops;
  }

  void parse_macro(Statement& out) {
    out.kind = StatementKind::macro;
    auto macro = std::make_shared<Macro>();
    macro->name = tokens_.take_name("the name of a macro");
    parse_parameters(*macro);
    parse_macro_body(*macro, "endmacro");
    out.macro = std::move(macro);
  }

  void parse_call(Statement& out) {
    out.kind = StatementKind::call;
    auto macro = std::make_shared<Macro>();
    macro->name = kCaller;
    if (tokens_.at_sign("(")) parse_parameters(*macro);
    out.value = parse_expression(tokens_);
    if (out.value->kind != ExpressionKind::call) tokens_.fail_here("'call' needs a call");
    parse_macro_body(*macro, "endcall");
    out.macro = std::move(macro);
  }

  void parse_filter(Statement& out) {
    out.kind = StatementKind::filtered;
    out.value = parse_filters(tokens_, captured(out.line));
    out.branches.push_back({nullptr, body("endfilter")});
  }

  void parse_with(Statement& out) {
    out.kind = StatementKind::scope;
    while (tokens_.current().kind != TokenKind::end_block) {
      if (!out.targets.empty()) tokens_.expect_sign(",");
      out.targets.push_back(tokens_.take_name("a name to assign to"));
      tokens_.expect_sign("=");
      out.values.push_back(parse_expression(tokens_));
    }
    out.branches.push_back({nullptr, body("endwith")});
  }

  /// What a model has said itself, which only training looks at.
  void parse_generation(Statement& out) {
    out.kind = StatementKind::scope;
    const uint32_t loops = std::exchange(loops_, 0);
    out.branches.push_back({nullptr, body("endgeneration")});
    loops_ = loops;
  }

  void parse_jump(Statement& out, StatementKind kind, const char* name) {
    out.kind = kind;
    if (loops_ == 0) fail_at(Errc::malformed, tokens_.name(), out.line, message("'", name, "' outside of a loop"));
    end_tag();
  }
  void parse_break(Statement& out) { parse_jump(out, StatementKind::break_loop, "break"); }
  void parse_continue(Statement& out) { parse_jump(out, StatementKind::continue_loop, "continue"); }

  TokenStream& tokens_;
  uint32_t level_ = 0;
  uint32_t loops_ = 0;  // around the statement at hand, inside its macro

  static const std::array<TagRow, 10> kTags;
};

const std::array<StatementParser::TagRow, 10> StatementParser::kTags = {
    {{"if", &StatementParser::parse_if},
     {"for", &StatementParser::parse_for},
     {"set", &StatementParser::parse_set},
     {"macro", &StatementParser::parse_macro},
     {"call", &StatementParser::parse_call},
     {"filter", &StatementParser::parse_filter},
     {"with", &StatementParser::parse_with},
     {"generation", &StatementParser::parse_generation},
     {"break", &StatementParser::parse_break},
     {"continue", &StatementParser::parse_continue}}};

const StatementParser::Parse* StatementParser::find_tag(std::string_view name) {
  const auto* row = std::find_if(kTags.begin(), kTags.end(), [&](const TagRow& one) { return one.name == name; });
  return row == kTags.end() ? nullptr : &row->parse;
}

}  // namespace

Block parse_template(std::string_view source, std::string_view name) {
  TokenStream tokens(read_tokens(source, name), name);
  return StatementParser(tokens).whole();
}

}  // namespace lathe::jinja
