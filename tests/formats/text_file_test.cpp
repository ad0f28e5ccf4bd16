#include "formats/text_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines come without line ends, empty ones and the byte order mark", "[formats][text_file]") {
  const TempDir dir;
  const TextFile file(dir.write("a.txt", "\xef\xbb\xbfone\r\n\ntwo\nthree"));
  CHECK(file.file_name() == "a.txt");
  CHECK(read_lines(file) == Lines{"one", "two", "three"});
  CHECK(read_text(file) == "one\n\ntwo\nthree");
}

TEST_CASE("what happens to a text after it was opened does not matter", "[formats][text_file]") {
  const TempDir dir;
  const TextFile file(dir.write("a.txt", "one\n"));
  const std::string hash = file.content_hash();
  std::filesystem::remove(dir / "a.txt");
  dir.write("a.txt", "two\n");
  CHECK(read_lines(file) == Lines{"one"});
  CHECK(file.content_hash() == hash);
  CHECK(TextFile(dir / "a.txt").content_hash() != hash);
}

TEST_CASE("a pipe is read once, however many times it is asked for", "[formats][text_file]") {
  const TempDir dir;
  const std::filesystem::path pipe = dir / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "one\ntwo\n"; });
  TextFiles files;
  const TextFile first = files.open(pipe);
  writer.join();
  CHECK(read_lines(first) == Lines{"one", "two"});
  CHECK(read_lines(files.open(pipe)) == Lines{"one", "two"});
  CHECK(first.content_hash() == TextFile(dir.write("same.txt", "one\ntwo\n")).content_hash());
}

TEST_CASE("a text that is absent, a folder, empty or not UTF-8 is an error that names it", "[formats][text_file]") {
  const TempDir dir;
  expect_error(Errc::no_input, {"absent.txt"}, [&] { TextFile(dir / "absent.txt"); });
  expect_error(Errc::no_input, {dir.path().filename().string()}, [&] { TextFile{dir.path()}; });
  const TextFile empty(dir.write("empty.txt", ""));
  expect_error(Errc::malformed, {"empty.txt", "no text"}, [&] { read_lines(empty); });
  expect_error(Errc::malformed, {"empty.txt", "no text"}, [&] { read_text(empty); });
  const TextFile latin(dir.write("latin.txt", "one\ncaf\xe9\n"));
  expect_error(Errc::malformed, {"latin.txt", "line 2"}, [&] { read_lines(latin); });
}

TEST_CASE("lines are texts and empty lines are not", "[formats][text_file]") {
  const TempDir dir;
  CHECK(read_lines(dir.write("t.txt", "one\r\n\n two \nthree")) == std::vector<std::string>{"one", " two ", "three"});
  expect_error(Errc::malformed, {"t.txt"}, [&] { read_lines(dir.write("t.txt", "\n\n")); });
  expect_error(Errc::malformed, {"t.txt", "line 2"}, [&] { read_lines(dir.write("t.txt", "a\n\xc3\n")); });
  expect_error(Errc::no_input, {"none.txt"}, [&] { read_lines(dir / "none.txt"); });
}

TEST_CASE("a text is read as it stands but for its line ends", "[formats][text_file]") {
  const TempDir dir;
  CHECK(read_text(dir.write("t",
                            "\xef\xbb\xbf"
                            "a\r\n\r\n\nb \tc")) == "a\n\n\nb \tc");
  CHECK(read_text(dir.write("t", "a\n")) == "a\n");
  expect_error(Errc::malformed, {"t", "no text"}, [&] { read_text(dir.write("t", "")); });
  expect_error(Errc::malformed, {"line 3"}, [&] { read_text(dir.write("t", "a\n\n\xff\n")); });
}

}  // namespace lathe
