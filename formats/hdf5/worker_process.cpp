#include "formats/hdf5/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "formats/artifact/error.h"
#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr size_t kMaxReport = 65536;
constexpr int kNotStarted = 127;
constexpr rlim_t kMaxOpenFiles = 32;  // three, and the libraries while they are loaded
// Slow machines read more than this in a second, deflated or not.
constexpr uint64_t kBytesPerSecond = 5'000'000;
constexpr const char* kProgram = "lathe-hdf5";

struct Limit {
  decltype(RLIMIT_AS) what;
  rlim_t soft, hard;
};
using Limits = std::array<Limit, 5>;

/// None above what this process may have itself, which only root could raise.
Limits system_limits(const WorkerLimits& limits) {
  const auto seconds = static_cast<rlim_t>(limits.processor.count());
  Limits all = {{{RLIMIT_AS, limits.memory_bytes, limits.memory_bytes},
                 {RLIMIT_FSIZE, limits.output_bytes, limits.output_bytes},
                 {RLIMIT_CPU, seconds, seconds + 1},  // the first by a signal that says so
                 {RLIMIT_NOFILE, kMaxOpenFiles, kMaxOpenFiles},
                 {RLIMIT_CORE, 0, 0}}};
  for (Limit& limit : all) {
    rlimit own{};
    if (::getrlimit(limit.what, &own) != 0) continue;
    limit.hard = std::min(limit.hard, own.rlim_max);
    limit.soft = std::min(limit.soft, limit.hard);
  }
  return all;
}

/// Between fork() and execve(): system calls only, because other threads may hold any lock.
[[noreturn]] void become(const char* program, char* const* argv, std::array<int, 3> descriptors, const Limits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::signal(SIGINT, SIG_IGN);  // a terminal sends it to all; the parent decides what it means
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int& fd : descriptors) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  for (int i = 0; i < 3; ++i) {
    if (::dup2(descriptors[static_cast<size_t>(i)], i) < 0) ::_exit(kNotStarted);
  }
  ::close_range(3, ~0U, 0);
  for (const Limit& limit : limits) {
    const rlimit value = {limit.soft, limit.hard};
    if (::setrlimit(limit.what, &value) != 0) ::_exit(kNotStarted);
  }
  char* const no_environment[] = {nullptr};
  ::execve(program, argv, no_environment);
  ::_exit(kNotStarted);
}

/// A process that does not outlive the object.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) end();
  }

  void end() {
    ::kill(pid_, SIGKILL);
    wait(0);
  }
  /// The status of waitpid when it has ended by then. The report has ended already, so this takes no time as a rule.
  std::optional<int> wait_until(Clock::time_point deadline) {
    while (!wait(WNOHANG)) {
      if (Clock::now() >= deadline) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return status_;
  }

 private:
  bool wait(int options) {
    pid_t ended = 0;
    while ((ended = ::waitpid(pid_, &status_, options)) < 0 && errno == EINTR) {
    }
    if (ended == 0) return false;
    if (ended < 0) status_ = kUnknown;  // somebody else has waited for it
    pid_ = -1;
    return true;
  }

  static constexpr int kUnknown = 1 << 8;  // as if it had ended with exit code 1 and without a reason

  pid_t pid_;
  int status_ = kUnknown;
};

/// What the worker says.
struct Report {
  enum class End { closed, late, too_long };
  std::string text;
  End end = End::closed;
};

Report read_report(int fd, Clock::time_point deadline) {
  Report report;
  std::array<char, 4096> block;
  while (report.text.size() <= kMaxReport) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      report.end = Report::End::late;
      return report;
    }
    pollfd wanted = {fd, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(std::min<int64_t>(left, 60'000))) <= 0) continue;
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count == 0) return report;
    if (count > 0) report.text.append(block.data(), static_cast<size_t>(count));
  }
  report.end = Report::End::too_long;
  return report;
}

[[noreturn]] void fail_signal(const WorkerJob& job, int number) {
  struct Row {
    int signal;
    uint64_t limit;
    const char* of;
  };
  const std::array<Row, 3> limits = {
      {{SIGXCPU, static_cast<uint64_t>(job.limits.processor.count()), " seconds of processor time"},
       {SIGXFSZ, job.limits.output_bytes, " bytes for its tensors"},
       {SIGKILL, job.limits.memory_bytes, " bytes of memory"}}};  // by the system, when it runs out
  for (const Row& row : limits) {
    if (row.signal != number) continue;
    fail(Errc::limit, message(job.file, ": it needs more than ", row.limit, row.of, ", which is the limit"));
  }
  fail(Errc::malformed, message(job.file, ": libhdf5 crashed on it (signal ", number, "); the file is damaged"));
}

struct Reported {
  Errc code;
  std::string text;
};

/// The worker is not trusted: only these codes, and only so much text. nullopt when it makes no sense.
std::optional<Reported> parse_report(const std::string& report) {
  constexpr size_t kMaxText = 1000;
  constexpr std::array kCodes = {Errc::malformed, Errc::unsupported, Errc::limit, Errc::io};
  try {
    const Json json = parse_json(report, "report");
    const std::string& code = json.at("code").as_string();
    const auto known = std::find_if(kCodes.begin(), kCodes.end(), [&](Errc c) { return code == errc_name(c); });
    if (known == kCodes.end()) return std::nullopt;
    return Reported{*known, printable(json.at("message").as_string(), kMaxText)};
  } catch (const Error&) {
    return std::nullopt;
  }
}

[[noreturn]] void fail_report(const WorkerJob& job, const std::string& report) {
  const std::optional<Reported> reported = parse_report(report);
  if (reported) fail(reported->code, message(job.file, ": ", reported->text));
  fail(Errc::malformed, message(job.file, ": ", kProgram, " failed on it without a reason; the file is damaged"));
}

}  // namespace

Descriptor::~Descriptor() { reset(); }

void Descriptor::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string Descriptor::path() const { return message("/proc/self/fd/", fd_); }

WorkerLimits hdf5_reading_limits(uint64_t file_bytes) {
  constexpr uint64_t kMost = 4096 * kMiB;
  const std::chrono::seconds processor(5 + file_bytes / kBytesPerSecond);
  // The output is judged by the worker before it is written; this is the bound of a worker that has lost its mind.
  return {256 * kMiB + std::min(4 * std::min(file_bytes, kMost), kMost),
          std::max(kMost, 16 * std::min(file_bytes, uint64_t{1} << 58)) + 512 * kMiB, processor, 2 * processor};
}

WorkerLimits hdf5_writing_limits(uint64_t tensor_bytes) {
  const std::chrono::seconds processor(30 + tensor_bytes / kBytesPerSecond);
  return {512 * kMiB + tensor_bytes, 512 * kMiB + 2 * tensor_bytes, processor, 2 * processor};
}

std::filesystem::path find_hdf5_worker() {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& place : {folder / kProgram, folder / "../" LATHE_LIBRARY_FOLDER "/lathe" / kProgram}) {
    if (std::filesystem::is_regular_file(place, ignored)) return place;
  }
  fail(Errc::unsupported,
       message(kProgram, " is not beside this program in ", folder.string(), " or in its library folder: HDF5 files ",
               "need it; build Lathe with HDF5 (without -DLATHE_HDF5=OFF)"));
}

void run_hdf5_worker(const WorkerJob& job) {
  const std::string program = job.program.string();
  std::string name = kProgram, task = job.job;
  const std::array<char*, 3> argv = {name.data(), task.data(), nullptr};
  const Limits limits = system_limits(job.limits);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(Errc::internal, message("cannot make a pipe: ", std::strerror(errno)));
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) fail(Errc::internal, message("cannot start ", program, ": ", std::strerror(errno)));
  if (pid == 0) become(program.c_str(), argv.data(), {job.input, job.output, writer.get()}, limits);
  Child child(pid);
  writer.reset();

  const Clock::time_point deadline = Clock::now() + job.limits.wall;
  const Report report = read_report(reader.get(), deadline);
  if (report.end == Report::End::too_long) fail_report(job, "");
  const std::optional<int> status = report.end == Report::End::closed ? child.wait_until(deadline) : std::nullopt;
  if (!status) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(job.limits.wall).count();
    fail(Errc::limit, message(job.file, ": it takes longer than ", seconds, " seconds, which is the limit"));
  }
  if (WIFSIGNALED(*status)) fail_signal(job, WTERMSIG(*status));
  if (WEXITSTATUS(*status) == kNotStarted) fail(Errc::internal, message(program, ": cannot be started"));
  if (WEXITSTATUS(*status) != 0) fail_report(job, report.text);
}

}  // namespace lathe
