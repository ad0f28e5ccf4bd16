#pragma once
// What a thread of a kernel can do (runtime/cuda/kernels/device_code.h), on the device.

#include <cstdint>

namespace lathe::cuda {

struct CudaThread {
  __device__ unsigned thread() const { return threadIdx.x; }
  __device__ unsigned threads() const { return blockDim.x; }
  __device__ unsigned lane() const { return threadIdx.x % 32; }
  __device__ unsigned warp() const { return threadIdx.x / 32; }
  __device__ unsigned block_x() const { return blockIdx.x; }
  __device__ unsigned block_y() const { return blockIdx.y; }
  __device__ unsigned block_z() const { return blockIdx.z; }
  template <class T>
  __device__ T* shared() const {
    extern __shared__ uint4 memory[];
    return reinterpret_cast<T*>(memory);
  }

  __device__ void sync() const { __syncthreads(); }
  __device__ void sync_warp() const { __syncwarp(); }

  template <class V>
  __device__ V shuffle(V value, unsigned lane) const {
    return __shfl_sync(kAllLanes, value, static_cast<int>(lane));
  }
  template <class V>
  __device__ V shuffle_xor(V value, unsigned mask) const {
    return __shfl_xor_sync(kAllLanes, value, static_cast<int>(mask));
  }
  template <class V>
  __device__ V shuffle_up(V value, unsigned distance) const {
    return __shfl_up_sync(kAllLanes, value, distance);
  }

  __device__ int dot4(uint32_t a, uint32_t b, int sum) const {
    int result;
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
  }
  __device__ uint32_t pick_bytes(uint32_t a, uint32_t b, uint32_t selector) const {
    return __byte_perm(a, b, selector);
  }
  __device__ unsigned count_bits(uint32_t word) const { return static_cast<unsigned>(__popc(word)); }
  __device__ unsigned first_bit(uint32_t word) const { return static_cast<unsigned>(__ffs(static_cast<int>(word)) - 1); }

  __device__ void mma_u8s8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) const {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
  __device__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) const {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }

  // A copy of which no byte is read fills its place with zeros.
  __device__ void copy16(void* to, const void* from, bool valid) const {
    const auto place = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(from), "r"(valid ? 16 : 0)
                 : "memory");
  }
  __device__ void commit_copies() const { asm volatile("cp.async.commit_group;" ::: "memory"); }
  template <unsigned pending>
  __device__ void wait_copies() const {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
  }

 private:
  static constexpr unsigned kAllLanes = 0xffffffffu;
};

}  // namespace lathe::cuda
