#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "cuda/check.cuh"

namespace spct {

// Makes a device the thread's current one for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check_cuda(cudaGetDevice(&before_), "read the current device");
    check_cuda(cudaSetDevice(device), "select the device");
  }
  ~DeviceScope() { cudaSetDevice(before_); }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
};

class Stream {
 public:
  Stream() { check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }
  void wait() { check_cuda(cudaStreamSynchronize(stream_), "finish the work on a stream"); }

 private:
  cudaStream_t stream_ = nullptr;
};

// Device memory of a fixed size.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(size_t size) : size_(size) {
    check_cuda(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)), "allocate device memory");
  }
  ~DeviceBuffer() { cudaFree(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() const { return data_; }
  size_t size() const { return size_; }
  void upload(const T* from) {
    check_cuda(cudaMemcpy(data_, from, size_ * sizeof(T), cudaMemcpyHostToDevice), "copy to the device");
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

// Page-locked host memory that kernels read and write directly: for the few bytes per row that go in and out, one
// launch and one wait are cheaper than copies. Grows, never shrinks; growing discards what it held.
template <class T>
class StagingBuffer {
 public:
  StagingBuffer() = default;
  ~StagingBuffer() { cudaFreeHost(data_); }
  StagingBuffer(const StagingBuffer&) = delete;
  StagingBuffer& operator=(const StagingBuffer&) = delete;

  T* reserve(size_t size) {
    if (size <= capacity_) return data_;
    cudaFreeHost(data_);
    data_ = nullptr;
    capacity_ = 0;
    check_cuda(cudaHostAlloc(reinterpret_cast<void**>(&data_), size * sizeof(T), cudaHostAllocPortable),
               "allocate page-locked memory");
    capacity_ = size;
    return data_;
  }

 private:
  T* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace spct
