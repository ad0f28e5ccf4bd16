#include "formats/hdf5/worker/confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "formats/artifact/error.h"

namespace lathe::hdf5 {
namespace {

// Memory, open files, the end of the process, and the clock. Everything else is refused.
constexpr std::array kAllowed = {
    SYS_read,          SYS_pread64,      SYS_write,     SYS_pwrite64,    SYS_lseek,        SYS_fstat,
    SYS_newfstatat,    SYS_ftruncate,    SYS_fallocate, SYS_close,       SYS_mmap,         SYS_munmap,
    SYS_mremap,        SYS_mprotect,     SYS_madvise,   SYS_brk,         SYS_futex,        SYS_exit,
    SYS_exit_group,    SYS_getpid,       SYS_gettid,    SYS_tgkill,      SYS_rt_sigreturn, SYS_rt_sigprocmask,
    SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom, SYS_rt_sigaction};

sock_filter statement(uint16_t code, uint32_t value) { return {code, 0, 0, value}; }
sock_filter jump(uint32_t value, uint8_t if_equal, uint8_t otherwise) {
  return {BPF_JMP | BPF_JEQ | BPF_K, if_equal, otherwise, value};
}

std::vector<sock_filter> make_filter() {
  const uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> filter = {
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      jump(AUDIT_ARCH_X86_64, 1, 0),
      statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const long call : kAllowed) {
    filter.push_back(jump(static_cast<uint32_t>(call), 0, 1));
    filter.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  filter.push_back(statement(BPF_RET | BPF_K, refused));
  return filter;
}

}  // namespace

void confine() {
  std::vector<sock_filter> filter = make_filter();
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  const bool done = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
  if (!done) fail(Errc::unsupported, message("this system cannot confine a process: ", std::strerror(errno)));
}

}  // namespace lathe::hdf5
